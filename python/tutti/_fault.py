"""Exceptions: tutti's own, and what is added to those of tasks."""

import sys

from ._tutti import task

VARARGS = 0x04  # a flag of code


class Error(Exception):
    """What tutti raises by itself; a task's own exceptions keep their type."""


class TaskTimeoutError(Error, TimeoutError):
    """A task ran longer than its time limit."""


class RemoteTraceback(Exception):
    """The traceback of a task in a worker, as text: the cause of the exception
    that the caller gets."""

    def __init__(self, text):
        super().__init__(text)
        self.tb = text  # as those of the standard library have it

    def __str__(self):
        return '\n"""\n%s"""' % self.args[0]


class Missing:
    """The type of MISSING, which stands for the result of a task that has
    none."""

    def __repr__(self):
        return "<no result>"

    def __reduce__(self):
        return "MISSING"


MISSING = Missing()


class Failure:
    """Which task raised an exception: its attribute `tutti`.

    index:     of the task; None when the exception is no task's.
    arguments: the task's, as text.
    results:   a list of the results that were there by then, by index, with
               tutti.MISSING in the other places. It stays in the process where
               the exception was raised. Free-threaded interpreters keep
               those of workers only.
    """

    __slots__ = ("index", "arguments", "_known")

    def __init__(self, index, arguments, known=None):
        self.index = index
        self.arguments = arguments
        self._known = known

    @property
    def results(self):
        if not self._known:
            return []
        base, n, own, parts = self._known
        results = list(own or ())
        results += [MISSING] * (base + n - len(results))
        for begin, part in parts.items():
            begin += base
            results[begin:begin + len(part)] = part
        return results

    def __reduce__(self):
        return Failure, (self.index, self.arguments)

    def __repr__(self):
        if self.index is None:
            return self.arguments
        return "task %d, %s" % (self.index, self.arguments)


for _class in (Error, TaskTimeoutError):
    _class.__module__ = "tutti"


def _broken():
    """BrokenProcessPool, or its base at the interpreter's exit, when it cannot
    be imported any more: then nobody asks for it."""
    try:
        from concurrent.futures.process import BrokenProcessPool
    except RuntimeError:
        return RuntimeError
    return BrokenProcessPool


def _lost():
    class WorkerLostError(Error, _broken()):
        """A worker died in a task."""

    return WorkerLostError


def _unpicklable():
    from _pickle import PicklingError

    class UnpicklableError(Error, PicklingError):
        """A function, an argument, a result or an exception cannot travel to
        another process."""

    return UnpicklableError


def _unreadable():
    class UnreadableError(__getattr__("UnpicklableError"), _broken()):
        """Arguments or a result have come, and cannot be read; executors of
        the standard library break then."""

    return UnreadableError


def _initializer():
    class InitializerError(Error, _broken()):
        """The initializer of a Pool or an Executor raised."""

    return InitializerError


# Their bases are slow to import and seldom needed.
_made_late = {
    "InitializerError": _initializer,
    "UnpicklableError": _unpicklable,
    "UnreadableError": _unreadable,
    "WorkerLostError": _lost,
}


def __getattr__(name):
    make = _made_late.get(name)
    if make is None:
        raise AttributeError("module %r has no attribute %r" % (__name__, name))
    made = globals().setdefault(name, make())
    made.__module__ = "tutti"
    made.__qualname__ = name
    return made


def refuse_call(call, f):
    """Says that f(x) cannot be called so; names the usual slip."""
    if callable(f):
        raise TypeError(
            "%s expects items after the function: write %s(f, items)"
            % (call, call)
        )
    raise TypeError(
        "%s expects a function first: got %s; a misplaced parenthesis? "
        "write %s(f, x), not %s(f(x))" % (call, type(f).__name__, call, call)
    )


def cut(value, limit=80):
    """The text of a value, at most `limit` characters of it."""
    try:
        text = repr(value)
    except Exception as error:
        if struck(error):
            raise
        text = "<%s whose repr raised %s>" % (
            type(value).__name__,
            type(error).__name__,
        )
    return text if len(text) <= limit else text[: limit - 3] + "..."


def describe(arguments):
    """The text of a task's arguments."""
    word = "argument " if len(arguments) == 1 else "arguments "
    return word + ", ".join(map(cut, arguments))


def annotate(error, index, text, known=None):
    """Says in an exception which task raised it."""
    failure = Failure(index, text, known)
    try:
        error.tutti = failure
        if (
            index is not None
            and sys.version_info >= (3, 11)
            and isinstance(error, Exception)
        ):
            error.add_note("tutti: " + repr(failure))
    except Exception:
        pass  # a class that takes no attributes
    return error


def _is_handler(frame):
    """Whether it was called with a number and the frame that it came upon."""
    code, below = frame.f_code, frame.f_back
    count = code.co_argcount
    given = [frame.f_locals.get(name) for name in code.co_varnames[:count]]
    if code.co_flags & VARARGS:
        name = code.co_varnames[count + code.co_kwonlyargcount]
        rest = frame.f_locals.get(name)
        given += rest if type(rest) is tuple else ()  # it may be set anew
    return below is not None and any(
        b is below and isinstance(a, int) for a, b in zip(given, given[1:])
    )


def struck(error):
    """Whether the handler of a signal raised an exception, wherever it came.
    To ask a frame that runs would keep alive what it knows: tutti's own."""
    trace = error.__traceback__
    while trace:
        frame = trace.tb_frame
        if frame.f_globals.get("__package__") != "tutti" and _is_handler(frame):
            return True
        trace = trace.tb_next
    return False


def _arguments(index, columns, star):
    arguments = [column[index] for column in columns]
    return arguments[0] if star and len(columns) == 1 else arguments


def _renumber(error, base):
    """A loss of a window of an iterator's items says which of all it was."""
    lost = type(error).__name__ in ("WorkerLostError", "TaskTimeoutError")
    if not base or not lost or hasattr(error, "tutti"):
        return
    import re

    text = re.sub(
        r"\btask (\d+)", lambda task: "task %d" % (base + int(task[1])),
        str(error),
    )
    error.args = (text, *error.args[1:])


def note(error, index, columns, star, base, n, own, parts):
    """The same for the task `index` of a map over `columns`, which begin with
    task `base`; -1: no task's. own, parts: results; see Failure."""
    known = base, n, own, parts
    _renumber(error, base)
    if index < 0:
        return annotate(error, None, "no task's", known)
    if n:
        text = describe(_arguments(index - base, columns, star))
    else:
        text = "an item that is gone"
    return annotate(error, index, text, known)


def annotate_task(error, at, columns, star, base):
    """The same of a task by its place in `columns`."""
    text = describe(_arguments(at, columns, star))
    return annotate(error, base + at, text)


def lose(error, begin, n, columns, star, base, faults):
    """The results of `n` lost tasks: their exception; where those are
    collected, it is the first one's."""
    _renumber(error, base)
    annotate_task(error, begin, columns, star, base)
    if faults is None:
        return [error] * n
    faults[base + begin] = error
    return missing(n)


def missing(n):
    """The results of tasks that have none."""
    return [MISSING] * n


def keep(error, arguments):
    """The exception as the result of the task that runs."""
    return annotate(error, task.index, describe(arguments))


keep.kinds = Exception
