"""What Pool's asynchronous calls return, and its errors as multiprocessing
has them."""

import sys

from . import _fault


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
    """A callback that fails, or exits, is reported, and changes nothing else;
    an interrupt is the user's."""
    try:
        function(value)
    except KeyboardInterrupt:
        raise
    except BaseException:
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
