"""joblib on tutti: importing this module adds the backend "tutti".

>>> import joblib, tutti.joblib
>>> with joblib.parallel_backend("tutti"):
...     joblib.Parallel(n_jobs=2)(joblib.delayed(pow)(2, n) for n in range(4))
[1, 2, 4, 8]

Batches run in the caller as long as that is faster: from the first one whose
tasks turn out to be long, worker processes get them. With timeout= or
return_as="generator" they do from the start.
"""

import threading
import time
from collections import deque
from multiprocessing import TimeoutError as MultiprocessingTimeoutError

import joblib
from joblib._parallel_backends import (
    FallbackToBackend,
    ParallelBackendBase,
    SequentialBackend,
)

from . import _executor, _tutti, cpu_count
from ._batch import Batch, limit
from ._fault import TaskTimeoutError
from ._signal import Event

SHORT = 30e-6  # seconds: tasks below are not worth a worker
SOON = 5e-3  # until the caller's own work is looked at
COLD = 20e-3  # of work, before workers are started
HERE, THERE = 1e-3, 5e-3  # of a batch in the caller, in a worker
MOST = 250  # tasks of a batch; more at a time make work for the collector


class TuttiBackend(ParallelBackendBase):
    """See this module."""

    default_n_jobs = -1
    supports_inner_max_num_threads = True
    supports_return_generator = True
    supports_timeout = True
    uses_threads = False
    parallel = None
    _run = None

    @property
    def supports_retrieve_callback(self):
        return getattr(self.parallel, "return_generator", False)

    def effective_n_jobs(self, n_jobs):
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        if n_jobs is None:
            return 1
        return n_jobs if n_jobs > 0 else max(cpu_count() + 1 + n_jobs, 1)

    def configure(self, n_jobs=1, parallel=None, **unused):
        n_jobs = self.effective_n_jobs(n_jobs)
        if n_jobs == 1:
            raise FallbackToBackend(
                SequentialBackend(nesting_level=self.nesting_level)
            )
        self.parallel = parallel
        self._n_jobs = n_jobs
        return n_jobs

    def get_nested_backend(self):
        return TuttiBackend(nesting_level=(self.nesting_level or 0) + 1), None

    def __reduce__(self):
        return TuttiBackend, (self.nesting_level, self.inner_max_num_threads)

    def start_call(self):
        self._run = _Run(self)

    def stop_call(self):
        if self._run is not None:
            self._run.over.set()

    terminate = stop_call

    def abort_everything(self, ensure_ready=True):
        if self._run is not None:
            self._run.abort()

    def compute_batch_size(self):
        return self._run.size

    def submit(self, batch, callback=None):
        return self._run.submit(batch, callback)

    apply_async = submit

    def retrieve_result(self, job, timeout=None):
        return job.get(timeout)

    def retrieve_result_callback(self, job):
        if job.ok:
            return job.value
        raise job.value

    def executor(self, f=None):
        """The worker processes for f; those of the last call if they fit.
        Without f: those, or None."""
        threads = self._prepare_worker_env(self._n_jobs)
        key = "joblib", self._n_jobs, tuple(sorted(threads.items()))
        options = {"max_workers": self._n_jobs}
        if threads["OMP_NUM_THREADS"] != "1":  # a worker's own limit
            options.update(initializer=limit, initargs=(threads,))
        if f is None:
            return _executor.shared(key, None)
        return _executor.fresh(key, lambda: _executor.Executor(**options), f)


class _Run:
    """A call of a Parallel."""

    def __init__(self, backend):
        self.backend = backend
        self.lock = threading.Lock()  # guards who has a waiting job
        self.waiting = deque()  # jobs for the caller
        self.executor = None  # of workers, from the moment they get the jobs
        self.batches = {}  # by the function's id
        self.jobs = set()  # that the workers have
        self.error = None  # of the first job that failed, or of the input
        self.over = Event()
        self.size = 1  # of the next batch
        self.task = 0.0  # seconds of a task in the last one
        self.begin = self.current = None  # of the caller's work
        if (backend.supports_retrieve_callback
                or backend.parallel.timeout is not None):
            self.move()

    def submit(self, batch, callback):
        job = _Job(self, batch, callback)
        with self.lock:
            if self.executor is None:
                self.waiting.append(job)
                return job
        self.send(job)
        return job

    def measured(self, seconds, tasks):
        self.task = seconds / tasks
        ideal = (THERE if self.executor else HERE) / max(self.task, 1e-9)
        self.size = max(1, min(2 * self.size, int(ideal), MOST))

    def claim(self, job):
        """Whether the caller is to run this one."""
        with self.lock:
            if self.executor is not None:
                return False
            self.waiting.remove(job)
            self.current = job
        if self.begin is None:
            self.begin = time.perf_counter()
            threading.Thread(target=self.watch, daemon=True).start()
        return True

    def watch(self):
        """In a thread: has workers take over when the tasks are long."""
        pause = SOON
        outermost = not _executor.in_worker()
        while not self.over.wait(pause):
            now = time.perf_counter()
            job, task = self.current, self.task
            if job.begin is not None:
                task = max(task, (now - job.begin) / len(job.batch))
            if task >= SHORT and (outermost or _tutti.cpu_idle()):
                warm = self.backend.executor() is not None
                if warm or now - self.begin >= COLD:
                    return self.move()
            pause = min(2 * pause, COLD)

    def move(self):
        """Workers get what waits, and what comes."""
        calls = self.current.batch.items if self.current else ()
        f = calls[0][0] if calls and type(calls[0]) is tuple else int
        executor = self.backend.executor(f)
        if self.begin is not None:  # the caller goes on until they are there
            executor.submit(int).result()
        with self.lock:
            self.executor = executor
            waiting = list(self.waiting)
            self.waiting.clear()
        for job in waiting:
            self.send(job)

    def send(self, job):
        self.jobs.add(job)
        try:
            calls = job.batch.items
            check(calls)
            f = calls[0][0]
            if all(call[0] is f for call in calls):
                calls = [call[1:] for call in calls]
            else:
                f = None
            self.executor.send(job, self.batch(f), (calls,))
        except Exception as error:
            job.deliver(False, error)

    def batch(self, f):
        """What runs calls of f: one object, which travels once."""
        batch = self.batches.get(id(f))
        if batch is None:
            if len(self.batches) > 16:
                self.batches.clear()
            level = (self.backend.nesting_level or 0) + 1
            batch = self.batches[id(f)] = Batch(f, level)
        return batch

    def go_on(self, job):
        """Has joblib draw from the input, unless it is too late."""
        with self.backend.parallel._lock:
            if not self.over.is_set():
                job.callback(job)

    def abort(self):
        """Nobody wants the results of this call any more."""
        parallel = self.backend.parallel
        with parallel._lock:
            self.over.set()
            # Else the next call of the same Parallel would run them.
            while not parallel._ready_batches.empty():
                parallel._ready_batches.get()
        for job in list(self.jobs):
            if job.crew.cancel(job):
                job.leave()
        if self.jobs and self.jobs.issuperset(self.executor.tasks()):
            _executor.drop(self.executor)
            self.executor.terminate_workers()


class _Job:
    """A batch on its way."""

    begin = crew = ledger = None
    done = False

    def __init__(self, run, batch, callback):
        self.run = run
        self.batch = batch
        self.callback = callback

    def get(self, timeout=None):
        run = self.run
        if run.claim(self):
            return self.here()
        run.executor.wait(lambda: self.done or run.error, timeout)
        if run.error is not None:
            raise run.error
        if not self.done:
            raise BatchTimeoutError(
                "no result of a batch of %d tasks in %s s"
                % (len(self.batch), timeout)
            )
        return self.value

    def here(self):
        self.begin = time.perf_counter()
        try:
            self.value = self.batch()
        except TypeError:
            check(self.batch.items)
            raise
        self.run.measured(time.perf_counter() - self.begin, len(self.batch))
        self.begin = None
        self.callback(self)
        return self.value

    def leave(self):
        self.run.jobs.discard(self)
        if self.ledger is not None:
            self.ledger.tasks.pop(self, None)

    def deliver(self, ok, value):
        """The crew's: this is the outcome. It may say so twice, if a signal
        came the first time."""
        if self.done:
            return
        self.leave()
        if ok:
            seconds, value = value
            self.run.measured(seconds, len(self.batch))
        self.ok, self.value = ok, value
        run = self.run
        if not ok and run.error is None:
            run.error = value
        self.done = True
        if ok or run.backend.supports_retrieve_callback:
            try:
                run.go_on(self)
            except Exception as error:
                run.error = run.error or error


class BatchTimeoutError(TaskTimeoutError, MultiprocessingTimeoutError):
    """A batch took longer than Parallel(timeout=...) allows."""


def check(calls):
    """Refuses what are no tasks; names the usual slip."""
    for call in calls:
        if not isinstance(call, tuple) or len(call) != 3:
            raise TypeError(
                "Parallel expects tasks from delayed(f)(x), got %s; a "
                "misplaced parenthesis? write delayed(f)(x), not "
                "delayed(f(x))" % type(call).__name__
            ) from None


def nested(level):
    """The setting for a Parallel inside of a task."""
    configure = getattr(joblib, "parallel_config", joblib.parallel_backend)
    return configure(TuttiBackend(nesting_level=level), n_jobs=None)


joblib.register_parallel_backend("tutti", TuttiBackend)
