"""Worker processes of one owner, and the tasks that wait for them."""

import _pickle as pickle
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from . import _fault, _tutti
from ._wire import dumps, refuse, sendable


def _begin(setup):
    setup = pickle.loads(setup)
    initializer = getattr(setup, "initializer", None)
    if initializer is not None:
        initializer(*getattr(setup, "initargs", ()))


def _run(data):
    try:
        f, args, kwargs = pickle.loads(data)
        return True, dumps(f(*args, **kwargs))
    except Exception as error:
        return False, dumps(sendable(0, error))


class Crew:
    """Stand-in with the interface only: ProcessPoolExecutor underneath."""

    def __init__(self, workers, *, setup=None, tasks_per_worker=0,
                 task_timeout=None, retries=0):
        self.workers = workers
        self.setup = dumps(setup)
        self.futures = {}
        self.closed = False
        self.ended = False
        self.lock = threading.RLock()
        self._start()

    def _start(self):
        self.pool = ProcessPoolExecutor(
            self.workers, initializer=_begin, initargs=(self.setup,)
        )
        self.pool.submit(int)

    def submit(self, task, f, args=(), kwargs=None):
        if self.closed:
            raise RuntimeError("the crew is closed: it takes no more tasks")
        try:
            data = dumps((f, args, kwargs or {}))
        except Exception as error:
            what = "the task cannot be sent to another process"
            threading.Thread(
                target=self._deliver, args=(task, False, refuse(what, error))
            ).start()
            return
        with self.lock:
            try:
                future = self.pool.submit(_run, data)
            except BrokenProcessPool:
                self._start()
                future = self.pool.submit(_run, data)
            self.futures[id(task)] = future
        future.add_done_callback(lambda done: self._done(task, done))

    def _done(self, task, future):
        if future.cancelled():
            return
        error = future.exception()
        if error is not None:
            why = "terminated" if self.ended else "a worker was lost"
            return self._deliver(task, False, _fault.WorkerLostError(why))
        ok, data = future.result()
        self._deliver(task, ok, pickle.loads(data))

    def _deliver(self, task, ok, value):
        try:
            task.deliver(ok, value)
        except BaseException as error:
            sys.unraisablehook(
                type("Unraisable", (), {
                    "exc_type": type(error), "exc_value": error,
                    "exc_traceback": error.__traceback__,
                    "err_msg": "in deliver", "object": task,
                })
            )
        with self.lock:
            self.futures.pop(id(task), None)

    def call(self, f, args=(), kwargs=None):
        cell = _Cell()
        self.submit(cell, f, args, kwargs)
        cell.event.wait()
        if cell.ok:
            return cell.value
        raise cell.value

    def cancel(self, task):
        with self.lock:
            future = self.futures.get(id(task))
            if future is None or not future.cancel():
                return False
            del self.futures[id(task)]
            return True

    def running(self, task):
        future = self.futures.get(id(task))
        return future is not None and future.running()

    def wait(self, done, timeout=None):
        end = None if timeout is None else time.monotonic() + timeout
        while not done():
            if end is not None and time.monotonic() >= end:
                return False
            time.sleep(0.001)
        return True

    def map(self, f, iterables, **options):
        return _tutti.map(
            f, tuple(iterables), "processes:%d" % self.workers, None,
            options.get("retries", 0), options.get("task_timeout"),
            options.get("errors", "raise"), None, None,
        )

    def pids(self):
        return list(self.pool._processes or ())

    def close(self):
        self.closed = True
        self.pool.shutdown(wait=False)

    def terminate(self):
        self.closed = self.ended = True
        processes = dict(self.pool._processes or {})
        self.pool.shutdown(wait=False, cancel_futures=False)
        for process in processes.values():
            process.kill()

    def join(self, timeout=None):
        return self.wait(lambda: not self.futures, timeout)


class _Cell:
    def __init__(self):
        self.event = threading.Event()

    def deliver(self, ok, value):
        self.ok, self.value = ok, value
        self.event.set()
