"""tutti.Executor and tutti.submit: concurrent.futures on a crew."""

import _thread
import os
import sys
import threading
import time
import weakref
from collections import deque
from concurrent import futures
from itertools import chain, islice

from . import _check as check
from . import _fault, _tutti
from ._crew import Crew  # whose hook for forked children must come first
from ._future import Future, Ledger
from ._job import dump_setup
from ._stale import Known


class Executor(futures.Executor):
    """concurrent.futures.Executor whose tasks run in worker processes.

    max_workers:   so many processes; None: tutti.cpu_count(). They come with
                   the first task, and stay until shutdown(). Inside of a task,
                   as many of them work at a time as CPUs are idle, or one.
    mp_context:    taken and not used: tutti has its own way to start workers.
    initializer:   called once in each worker with `initargs`. If it raises,
                   the executor is broken: tasks and submit() raise
                   InitializerError, a BrokenProcessPool.
    max_tasks_per_child: a worker is replaced after so many tasks.
    task_timeout:  seconds for one task; its worker is then stopped, and the
                   task raises TaskTimeoutError.
    share:         a dict of names and values, which the workers get once.

    A worker that dies fails the task that it ran (WorkerLostError, a
    BrokenProcessPool) and is replaced; the other tasks go on.

    >>> with tutti.Executor(max_workers=2) as executor:
    ...     list(executor.map(pow, [2, 3], [5, 2]))
    [32, 9]
    """

    def __init__(self, max_workers=None, mp_context=None, initializer=None,
                 initargs=(), *, max_tasks_per_child=None, task_timeout=None,
                 share=None):
        if max_workers is None:
            max_workers = _tutti.cpu_count()
        self._max_workers = check.count("max_workers", max_workers)
        self._options = {"tasks_per_worker": 0}
        if max_tasks_per_child is not None:
            self._options["tasks_per_worker"] = check.count(
                "max_tasks_per_child", max_tasks_per_child
            )
        if task_timeout is not None:
            self._options["task_timeout"] = check.seconds(
                "task_timeout", task_timeout
            )
        if initializer is not None and not callable(initializer):
            raise TypeError("initializer must be a callable, got %s"
                            % type(initializer).__name__)
        if initializer is not None:
            initializer = _Begin(initializer)
        self._setup = dump_setup((initializer, initargs, share))
        self._renew()
        self._closed = False  # last: an interrupt may come before it
        _executors.add(self)

    def _renew(self):
        # Guards the start of the crew; a handler may come again in its middle.
        self._lock = _thread.RLock()
        self._crew = None
        self._ledger = Ledger()

    @property
    def _broken(self):
        return self._ledger.broken or False

    def _start(self):
        """The crew, on first use."""
        with self._lock:
            self._check_open()
            if self._crew is None:
                sweep()
                crew = Crew(
                    self._max_workers, setup=self._setup, **self._options
                )
                # A signal's handler may have submitted, or shut down.
                self._check_open()
                if self._crew is None:
                    self._crew = crew
            return self._crew

    def _check_open(self):
        if self._closed or _exiting:
            raise RuntimeError(
                "cannot schedule new futures after %sshutdown"
                % ("interpreter " if _exiting else "")
            )

    def _own_crew(self):
        """Of tutti.map(on=executor)."""
        crew = self._start()
        self._check_unbroken()
        return crew

    def _check_unbroken(self):
        if self._ledger.broken is not None:
            raise _fault.InitializerError(*self._ledger.broken.args)

    def submit(self, fn, /, *args, **kwargs):
        """Has fn(*args, **kwargs) run by a worker; returns its Future."""
        if not callable(fn):
            _fault.refuse_call("submit", fn)
        future = Future()
        self.send(future, fn, args, kwargs)
        return future

    def send(self, task, fn, args=(), kwargs=None):
        """Has the outcome of fn(*args, **kwargs) delivered to `task`: a
        Future, or alike."""
        task.ledger = ledger = self._ledger
        task.crew = crew = self._crew
        if crew is None or self._closed:
            task.crew = crew = self._start()
        if ledger.broken is not None:
            self._check_unbroken()
        ledger.tasks[task] = None
        try:
            crew.submit(task, fn, args, kwargs)
        except BaseException:
            ledger.tasks.pop(task, None)
            raise

    def tasks(self):
        """Those without an outcome, the oldest first."""
        return list(self._ledger.tasks)

    def wait(self, done, timeout=None):
        """Helps the workers' place until done(), or for `timeout` seconds."""
        return (self._crew or self._start()).wait(done, timeout)

    def map(self, fn, *iterables, timeout=None, chunksize=1, buffersize=None):
        """An iterator over the results, in the order of the items.

        timeout:    seconds from now until the last result.
        chunksize:  items of one task; more of them make small ones cheaper.
        buffersize: at most so many tasks whose results were not yet asked
                    for; None: all items are read and submitted at once.
        """
        if chunksize < 1:
            raise ValueError("chunksize must be >= 1.")
        if buffersize is not None and buffersize < 1:
            raise ValueError("buffersize must be None or > 0")
        end = None if timeout is None else timeout + time.monotonic()
        items = zip(*iterables)
        if chunksize == 1:
            tasks = (self.submit(fn, *args) for args in items)
        else:
            chunk = _Chunk(fn)
            chunks = iter(lambda: tuple(islice(items, chunksize)), ())
            tasks = (self.submit(chunk, args) for args in chunks)
        started = deque(islice(tasks, buffersize))
        results = _results(started, tasks, end)
        return results if chunksize == 1 else chain.from_iterable(results)

    def shutdown(self, wait=True, *, cancel_futures=False):
        """No more tasks. Those submitted are still run, unless
        cancel_futures; wait: until all that is over and the workers have
        left."""
        with self._lock:
            self._closed = True
            crew = self._crew
        if crew is None:
            return
        if cancel_futures:
            # A worker has, or is about to have, the first ones.
            for future in self.tasks()[self._max_workers :]:
                future.cancel()
        crew.close()
        _leaving.add(crew)
        if wait and crew.join():
            _leaving.discard(crew)

    def terminate_workers(self):
        """Shuts down now: tasks that run or wait raise WorkerLostError."""
        self.shutdown(wait=False)
        if self._crew is not None:
            self._crew.terminate()

    kill_workers = terminate_workers

    def __del__(self):
        if not self.__dict__.get("_closed", True):
            self.shutdown(wait=False)


class _Begin:
    """An initializer whose exceptions are logged too, if anybody listens."""

    def __init__(self, f):
        self.f = f

    def __call__(self, *args):
        try:
            self.f(*args)
        except BaseException:
            import logging

            logger = logging.getLogger("concurrent.futures")
            if logger.hasHandlers():
                logger.critical("Exception in initializer:", exc_info=True)
            raise


class _Chunk:
    """A function for several items of one task."""

    def __init__(self, f):
        self.f = f

    def __call__(self, chunk):
        return [self.f(*args) for args in chunk]


def _result(future, rest):
    try:
        return future.result(rest)
    finally:
        future.cancel()
        del future


def _next(started, tasks):
    future = started.popleft()
    started.extend(islice(tasks, 1))
    return future


def _results(started, tasks, end):
    """The results of tasks, in order; one more is begun for each."""
    try:
        while started:
            rest = None if end is None else end - time.monotonic()
            # No name in this frame may keep a future, or its result.
            yield _result(_next(started, tasks), rest)
    finally:
        for future in started:
            future.cancel()


# What the interpreter's exit waits for.
_executors = weakref.WeakSet()
_leaving = set()  # closed crews
_exiting = False


def sweep():
    """Forgets the crews that have left."""
    for crew in list(_leaving):
        try:
            if crew.join(0):
                _leaving.discard(crew)
        except RuntimeError:
            pass  # in a callback of one of its tasks


def _at_exit():
    global _exiting
    _exiting = True
    for executor in list(_executors):
        executor.shutdown(wait=False)
    for crew in list(_leaving):
        crew.join()
    _leaving.clear()


# Before threads are waited for, and before atexit, as concurrent.futures does.
threading._register_atexit(_at_exit)


# Executors that nobody made, of tutti.submit() and of joblib: each is gone when
# it had no task for IDLE seconds.
IDLE = 60

_shared = {}
_turn = _thread.RLock()  # guards _shared, and `used` of those in it


def shared(key, make):
    """The executor for `key`, if need be from make(); or None."""
    with _turn:
        executor = _shared.get(key)
        if executor is None:
            if not make:
                return None
            executor = make()
            executor.used = time.monotonic()
            executor.known = Known()
            # An interrupt may come between any two of these lines.
            threading.Thread(target=_watch, args=(key,), daemon=True).start()
            _shared[key] = executor
        executor.used = time.monotonic()
        return executor


def fresh(key, make, f):
    """The same, with workers that have no older modules than f's. Those who got
    others before may still submit: these leave when nobody has them."""
    with _turn:
        executor = shared(key, make)
        if not executor.known.same(f) and executor.known.stale(f):
            drop(executor)
            executor = shared(key, make)
            executor.known.stale(f)
        return executor


def drop(executor):
    """Nobody gets this one again."""
    with _turn:
        for key, value in list(_shared.items()):
            if value is executor:
                del _shared[key]


def _watch(key):
    while True:
        with _turn:
            executor = _shared.get(key)
            if executor is None:
                return
            rest = executor.used + IDLE - time.monotonic()
            if executor._ledger.tasks:
                rest = IDLE
            elif rest <= 0:
                del _shared[key]
                break
        del executor
        time.sleep(rest)
    executor.shutdown()


def submit(f, /, *args, **kwargs):
    """Has f(*args, **kwargs) run by a worker process.

    Returns a tutti.Future: future.result() waits for the outcome, `await
    future` does so in a coroutine, and all that takes a concurrent.futures
    Future takes it. The workers, tutti.cpu_count() of them, come with the
    first call and leave when they had nothing to do for a minute. Python's
    exit waits for what was submitted. Use tutti.Executor for other numbers of
    workers, time limits and initializers.

    Raises TypeError when f cannot be called. What cannot travel to another
    process makes an UnpicklableError of the future.

    >>> futures = [tutti.submit(pow, 2, n) for n in range(4)]
    >>> [future.result() for future in futures]
    [1, 2, 4, 8]
    """
    if not callable(f):
        _fault.refuse_call("tutti.submit", f)
    return fresh(None, Executor, f).submit(f, *args, **kwargs)


def in_worker():
    """Whether this process runs tasks of another."""
    return "tutti._zygote" in sys.modules


def _renew():
    """In a forked child, where no crew of the parent's is of use."""
    global _turn
    _turn = _thread.RLock()
    _shared.clear()
    _leaving.clear()
    for executor in list(_executors):
        executor._renew()


os.register_at_fork(after_in_child=_renew)
