"""Pool.map_async() and starmap_async(): maps that threads wait for."""

import _thread
from collections import deque

from . import _fault
from ._crew import free_imports, passed
from ._result import AsyncResult, original

MOST = 8  # threads of a pool; more maps wait for one


class Maps:
    """The maps of a pool that its callers do not wait in. Threads run them, and
    end when there are none."""

    def __init__(self):
        self._waiting = deque()
        self._threads = 0
        self._guard = _thread.RLock()  # guards both; a handler may come again

    def add(self, result):
        with self._guard:
            self._waiting.append(result)
            if self._threads == MOST:
                return
        try:
            _thread.start_new_thread(self._run, ())
        except RuntimeError:  # no more threads: those that are there do it
            if not self._threads and self.drop(result):
                raise

    def drop(self, result):
        """Whether nobody has begun it; nobody will."""
        with self._guard:
            waits = result in self._waiting
            if waits:
                self._waiting.remove(result)
            return waits

    def _run(self):
        with self._guard:
            if self._threads == MOST:
                return
            self._threads += 1  # here no interrupt comes
        while True:
            with self._guard:
                if not self._waiting:
                    self._threads -= 1
                    return
                result = self._waiting.popleft()
            result.run()
            del result


class MapResult(AsyncResult):
    """The result of Pool.map_async(): that of all its tasks."""

    def __init__(self, pool, arguments, callback, error_callback):
        super().__init__(pool, callback, error_callback)
        self._arguments = arguments
        self._over = _thread.allocate_lock()  # held until it is ready
        self._over.acquire()

    def run(self):
        pool = self._pool
        try:
            ok, value = True, pool._computed(*self._arguments)
        except BaseException as error:  # a task's
            ok, value = False, error.with_traceback(None)
        self._arguments = None
        self._finish(ok, value)
        self._over.release()
        pool._fed(self)

    def end_empty(self):
        """There is no task, and no callback."""
        self._success, self._value, self._ready = True, [], True
        self._pool = None

    def wait(self, timeout=None):
        """Waits until all tasks have ended, or for `timeout` seconds."""
        pool = self._pool
        if pool is not None and not pool._crew.dead:
            free_imports()
            passed(self._over, timeout)

    def abort(self):
        """The pool is terminated: its thread sees that."""

    def hurry(self):
        """The pool is joined."""
        self.wait()


def first_failure(items, star, results, faults):
    """The exception of the first task that failed, with what was computed."""
    index = min(faults)
    error = original(faults[index])
    known = 0, len(results), results, {}
    if not isinstance(getattr(error, "tutti", None), _fault.Failure):
        arguments = tuple(items[index]) if star else (items[index],)
        return _fault.annotate(error, index, _fault.describe(arguments), known)
    try:
        error.tutti = _fault.Failure(index, error.tutti.arguments, known)
    except AttributeError:
        pass  # a class that takes no attributes
    return error
