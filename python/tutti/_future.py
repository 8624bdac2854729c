"""The outcome of a task, to come."""

from concurrent import futures
from concurrent.futures import _base

from . import _fault, _tutti
from ._signal import Condition

PENDING = _base.PENDING
FINISHED = _base.FINISHED
CANCELLED = (_base.CANCELLED, _base.CANCELLED_AND_NOTIFIED)
FINAL = (FINISHED, *CANCELLED)

# Made when somebody first wants to be told of a future's end; most are only
# asked for their results. From then on the condition guards the state, as in
# the base class. No lock does before: a signal's handler, in the middle of what
# that guards, could wait for a thread that needs it.
_LATE = frozenset(["_condition", "_waiters", "_done_callbacks"])


class Future(futures.Future):
    """The outcome, to come, of a task of an Executor or of tutti.submit(): a
    concurrent.futures.Future that can also be awaited.

    >>> future = tutti.submit(pow, 2, 5)
    >>> future.result()
    32
    """

    _state = PENDING
    _result = _exception = crew = ledger = None

    def __init__(self):
        pass

    def __getattr__(self, name):
        if name not in _LATE:
            raise AttributeError(
                "%r object has no attribute %r" % (type(self).__name__, name)
            )
        parts = self.__dict__
        parts.setdefault("_waiters", [])
        parts.setdefault("_done_callbacks", [])
        parts.setdefault("_condition", Condition())
        return parts[name]

    def deliver(self, ok, value):
        """The crew's: this is the outcome of the task. It may say so twice,
        if a signal came the first time."""
        self.ledger.tasks.pop(self, None)
        # To make the class may fail, and nothing is of one that was not made.
        made = vars(_fault).get("InitializerError")
        if not ok and made and isinstance(value, made):
            self.ledger.broken = value
        if self._state in FINAL:
            return
        name = "_result" if ok else "_exception"
        if _tutti.settle(self.__dict__, name, value, FINISHED):
            return
        if ok:
            self.set_result(value)
        else:
            self.set_exception(value)

    def done(self):
        return self._state in FINAL

    def cancelled(self):
        return self._state in CANCELLED

    def running(self):
        if self.crew is None or self._state != PENDING:
            return super().running()
        return self.crew.running(self)

    def cancel(self):
        if self.crew is None:
            return super().cancel()
        with self._condition:
            if self._state in FINAL:
                return self._state in CANCELLED
            if not self.crew.cancel(self):
                return False
            self.ledger.tasks.pop(self, None)
            self._state = _base.CANCELLED_AND_NOTIFIED
            for waiter in self._waiters:
                waiter.add_cancelled(self)
            self._condition.notify_all()
        self._invoke_callbacks()
        return True

    def result(self, timeout=None):
        if self._state not in FINAL:
            self._await(timeout)
        try:
            if self._exception is not None:
                raise self._exception
            if self._state in CANCELLED:
                raise futures.CancelledError()
            return self._result
        finally:
            self = None  # whom the exception's traceback would keep

    def exception(self, timeout=None):
        if self._state not in FINAL:
            self._await(timeout)
        if self._state in CANCELLED:
            raise futures.CancelledError()
        return self._exception

    def _await(self, timeout):
        if self.crew is None:
            super().exception(timeout)
        elif not self.crew.wait(self.done, timeout):
            raise futures.TimeoutError()

    def __await__(self):
        import asyncio

        return asyncio.wrap_future(self).__await__()


class Ledger:
    """What futures tell their executor, which they must not keep alive."""

    def __init__(self):
        self.tasks = {}  # without an outcome: keys, the oldest first
        self.broken = None  # the exception of its initializer
