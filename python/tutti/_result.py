"""What Pool's asynchronous calls return, and its errors as multiprocessing
has them."""

import _thread
import sys

from . import _fault
from ._chunk import Chunk


def original(error):
    """The exception of a task with the types and the cause that those who
    catch multiprocessing's know."""
    if isinstance(error, _fault.Error) and isinstance(
        error, _fault.UnpicklableError
    ):
        error = _unpicklable(error)
    if type(error.__cause__) is _fault.RemoteTraceback:
        from multiprocessing.pool import RemoteTraceback

        error.__cause__ = RemoteTraceback(str(error.__cause__))
    return error


def _unpicklable(error):
    """An UnpicklableError that also is what multiprocessing raises: for what
    leaves the caller, the exception of its pickling."""
    cause = error.__cause__
    if cause is None or type(cause) is _fault.RemoteTraceback:
        from multiprocessing.pool import MaybeEncodingError as kind

        fields = {"exc": str(error), "value": str(error)}
    else:
        kind, fields = type(cause), {}
    if not isinstance(error, kind):
        try:
            error.__class__ = type(
                "UnpicklableError",
                (_fault.UnpicklableError, kind),
                {"__module__": "tutti", "__str__": Exception.__str__},
            )
            error.__dict__.update(fields)
        except TypeError:
            pass  # two classes that cannot be one
    return error


def call_back(function, value):
    """A callback that fails is reported, and changes nothing else."""
    try:
        function(value)
    except Exception:
        sys.excepthook(*sys.exc_info())


def timed_out():
    from multiprocessing import TimeoutError

    return TimeoutError


def gone():
    """When a wait without an end has ended without an outcome."""
    return _fault.WorkerLostError(
        "the pool has ended, or it is another process's: that had forked this "
        "one"
    )


class AsyncResult:
    """The result of Pool.apply_async(): get(), wait(), ready(), successful().
    """

    def __init__(self, pool, callback, error_callback):
        self._pool = pool  # kept as long as the task is not done
        self._callback = callback
        self._error_callback = error_callback
        self._ready = False

    def ready(self):
        """Whether the task has ended."""
        return self._ready

    def successful(self):
        """Whether it ended without an exception. ValueError if it has not."""
        if not self._ready:
            raise ValueError("%r not ready" % self)
        return self._success

    def wait(self, timeout=None):
        """Waits until the task has ended, or for `timeout` seconds."""
        pool = self._pool
        if pool is not None and not self._ready:
            pool._crew.wait(self.ready, timeout)

    def get(self, timeout=None):
        """The result, or the exception of the task;
        multiprocessing.TimeoutError after `timeout` seconds without."""
        self.wait(timeout)
        if not self._ready:
            raise gone() if timeout is None else timed_out()
        if self._success:
            return self._value
        raise self._value

    def deliver(self, ok, value):
        """Called by the crew."""
        self._finish(ok, value if ok else original(value))

    def _finish(self, ok, value):
        self._success, self._value = ok, value
        function = self._callback if ok else self._error_callback
        if function:
            call_back(function, value)
        self._callback = self._error_callback = None
        self._ready = True
        self._pool = None

    def __class_getitem__(cls, item):
        from types import GenericAlias

        return GenericAlias(cls, item)


class MapResult(AsyncResult):
    """The result of Pool.map_async(): that of all its tasks."""

    def __init__(self, pool, callback, error_callback, n):
        super().__init__(pool, callback, error_callback)
        self._results = [_fault.MISSING] * n
        self._failures = {}
        self._lock = _thread.allocate_lock()  # guards _waiting, _ender
        self._ender = None

    def start(self, f, items, size, star):
        """Sends `items` in chunks of `size`."""
        starts = range(0, len(items), size)
        if not starts:  # as there, an empty one has no callback
            self._success, self._value, self._ready = True, [], True
            self._pool = None
            return self
        self._waiting = set(starts)
        chunk, submit = Chunk(f, star), self._pool._submit
        for begin in starts:
            part = items[begin : begin + size]
            submit(_Part(self, begin), chunk, (begin, part))
        return self

    def _take(self, begin, ok, value):
        if ok:
            results, failed = value
            self._results[begin : begin + len(results)] = results
        else:
            failed = ((0, _fault.annotate(value, begin, "in its chunk")),)
        for at, error in failed:
            error = original(error)
            self._results[begin + at] = _fault.MISSING
            self._failures[begin + at] = error
        # Two threads may bring the last two; an interrupt has a thread bring
        # the same again.
        with self._lock:
            self._waiting.discard(begin)
            if not self._waiting and self._ender is None:
                self._ender = _thread.get_ident()
        if self._ender == _thread.get_ident():
            self._end()

    def _end(self):
        results, failures = self._results, self._failures
        if failures:
            self._finish(False, with_results(failures[min(failures)], results))
        else:
            self._finish(True, results)


def with_results(error, results):
    """The exception of a map, with what was computed."""
    try:
        error.tutti = _fault.Failure(
            error.tutti.index,
            error.tutti.arguments,
            (0, len(results), results, {}),
        )
    except AttributeError:
        pass  # a class that takes no attributes
    return error


def raise_first(results):
    """Raises the first exception of a task among the results of a map, if one
    is. Other exceptions are results."""
    first = last = None
    for i, value in enumerate(results):
        if not isinstance(value, BaseException):
            continue
        if value is last or _is_failure(value, i):
            first, last = first or value, value
            results[i] = _fault.MISSING
    if first is not None:
        raise with_results(original(first), results)


def _is_failure(error, i):
    failure = getattr(error, "tutti", None)
    return (
        isinstance(failure, _fault.Failure)
        and failure.index == i
        and (
            isinstance(error, _fault.Error)
            or type(error.__cause__) is _fault.RemoteTraceback
        )
    )


class _Part:
    """A chunk of a MapResult, as the crew sees it."""

    __slots__ = ("whole", "begin")

    def __init__(self, whole, begin):
        self.whole = whole
        self.begin = begin

    def deliver(self, ok, value):
        self.whole._take(self.begin, ok, value)
