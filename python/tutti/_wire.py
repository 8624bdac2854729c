"""Functions, items and results as bytes. Plain pickle where it does; what it
cannot take, or would look up in __main__, goes by value with cloudpickle."""

import _pickle as pickle  # its Python half imports re, for 5 ms
import _thread
import os
import sys

from . import _tutti
from ._fault import RemoteTraceback, UnpicklableError, annotate, cut, describe

PROTOCOL = 5
SOON = 0.0002

_maps = 0  # that have processes, in all threads; guarded by _guard
_usual = None
_guard = _thread.allocate_lock()


def dumps(value):
    """The bytes of a value. Any exception of its own methods passes."""
    try:
        data = pickle.dumps(value, PROTOCOL)
        if b"__main__" not in data:
            return data
    except (pickle.PicklingError, AttributeError, TypeError):
        pass
    import cloudpickle

    return cloudpickle.dumps(value, PROTOCOL)


def refuse(what, error):
    """What says that something cannot travel, and why."""
    refusal = UnpicklableError(
        "%s: %s: %s" % (what, type(error).__name__, error)
    )
    refusal.__cause__ = error
    return refusal


def first_bad(values, dump):
    """Index and exception of the first value that `dump` refuses."""
    for i, value in enumerate(values):
        try:
            dump(value)
        except Exception as error:
            return i, error
    return None


# In the caller.


def hurry():
    """While a map has processes: a thread that makes bytes for them, 20 us of
    work, must not wait for the interpreter's lock as long as the rest of 5 ms,
    or they run dry."""
    global _maps, _usual
    with _guard:
        _maps += 1
        if _maps == 1:
            _usual = sys.getswitchinterval()
            sys.setswitchinterval(min(_usual, SOON))


def calm():
    """The map has ended. What others have set since is theirs."""
    global _maps
    with _guard:
        _maps -= 1
        if not _maps and abs(sys.getswitchinterval() - SOON) < 1e-6:
            sys.setswitchinterval(_usual)


def dump_range(columns, begin):
    """Items by column; or (index, exception) of the first that cannot go."""
    try:
        return dumps(columns)
    except Exception as error:
        items = list(zip(*columns))
        at, cause = first_bad(items, dumps) or (0, error)
        arguments = items[at] if len(columns) > 1 else items[at][0]
        what = "argument %s of task %d cannot be sent to another process"
        return begin + at, refuse(what % (cut(arguments), begin + at), cause)


def load_results(view, begin):
    """The results of a range: a list; or (index, exception)."""
    with view:
        try:
            return pickle.loads(view)
        except Exception as error:
            what = "the results of task %d and behind cannot be read back"
            return begin, refuse(what % begin, error)


# In a worker.


def text_of(error):
    """The traceback of an exception as text, without tutti's own frames."""
    trace = error.__traceback__
    here = os.path.dirname(__file__)
    while trace and trace.tb_frame.f_code.co_filename.startswith(here):
        trace = trace.tb_next
    import traceback

    try:
        lines = traceback.format_exception(type(error), error, trace)
    except Exception as other:
        lines = ["%s (its traceback raised %r)\n" % (type(error), other)]
    return "".join(lines)


def _rebuild(error, text, where):
    """An exception as its task raised it, in the caller."""
    error.__cause__ = RemoteTraceback(text)
    return annotate(error, *where) if where else error


class Caught:
    """An exception on its way to the caller, which is told where it comes
    from: (index, text of the arguments), or None."""

    def __init__(self, error, text, where=None):
        self.parts = error, text, where

    def __reduce__(self):
        return _rebuild, self.parts


def sendable(index, error, where=None):
    """The exception of a task, or what says that it cannot travel."""
    text = text_of(error)
    caught = Caught(error, text, where)
    try:
        if isinstance(pickle.loads(dumps(caught)), BaseException):
            return caught
        reason = "it comes back as another type"
    except Exception as other:
        reason = "%s: %s" % (type(other).__name__, other)
    refusal = UnpicklableError(
        "task %d raised %s, which cannot be sent back: %s"
        % (index, cut(error), reason)
    )
    return Caught(refusal, text, where)


def caught(error, arguments):
    index = _tutti.task.index
    return sendable(index, error, (index, describe(arguments)))


def dump_results(results, begin):
    try:
        return dumps(results)
    except Exception as error:
        at, cause = first_bad(results, dumps) or (0, error)
        what = "the result %s of task %d cannot be sent back"
        refusal = refuse(what % (cut(results[at]), begin + at), cause)
        return dumps((begin + at, refusal))
