"""Worker processes of one owner, and the tasks that wait for them."""

import _imp
import _thread
import atexit
import os
import sys
import weakref

from . import _fault, _job, _tutti
from ._fault import cut
from ._wire import refuse


def free_imports():
    """An interrupt may fall between importlib's taking of the import lock and
    its try: the lock is then this thread's for ever, and no other one can
    import. Where no importlib is about to release it, that is done here."""
    frame = sys._getframe() if _imp.lock_held() else None
    while frame:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return
        frame = frame.f_back
    try:
        _imp.release_lock()
    except RuntimeError:
        pass  # it is another thread's, or free


def passed(lock, timeout):
    """Waits until a lock is free for ever; whether it is."""
    if timeout is None:
        timeout = _thread.TIMEOUT_MAX
    free = lock.acquire(timeout=min(max(timeout, 0), _thread.TIMEOUT_MAX))
    if free:
        lock.release()
    return free


# The queues whose loops run; the interpreter's exit ends them.
_open = {}


def refused(part, f, error):
    """The outcome of a task that cannot be sent."""
    what = "%s %s cannot be sent to another process" % (part, cut(f))
    return refuse(what, error)


def unreadable(index, error):
    """The outcome of a task whose own cannot be read."""
    what = "the result of task %d cannot be read back" % index
    return refuse(what, error, _fault.UnreadableError)


def crew_of(owner):
    """The workers that on= names: those of a Pool or an Executor."""
    try:
        crew = type(owner)._own_crew
    except AttributeError:
        raise TypeError(
            "on must be the text of a place, such as 'auto' or 'processes:4', "
            "or an open tutti.Pool or tutti.Executor, got %s"
            % type(owner).__name__
        ) from None
    return crew(owner)


def queue_of(owner):
    return crew_of(owner)._queue


class _End:
    """The end of a queue: somebody waits for it, others for that. In a forked
    child it has come."""

    def __init__(self, queue):
        self.queue = queue
        self.turns = [None]  # who takes it waits; a signal's handler might
        # come back to a lock
        self.until = _thread.allocate_lock()  # held until it has come
        self.until.acquire()

    def first(self):
        try:
            self.turns.pop()
        except IndexError:
            return False
        return True

    def begin(self):
        """Has a thread wait, if none does."""
        if self.queue.dead or not self.first():
            return
        try:
            _thread.start_new_thread(self.wait, ())
        except RuntimeError:  # no more threads: whoever joins will wait
            self.turns.append(None)

    def wait(self):
        try:
            self.queue.end()
        finally:
            _open.pop(self.queue, None)
            self.until.release()

    def join(self, timeout):
        if self.queue.dead:
            return True
        free_imports()
        self.begin()
        if self.first():
            self.wait()
        return passed(self.until, timeout)


def _finish(queue, end):
    """The crew is gone, or closed: what was submitted is still done."""
    queue.finish()
    end.begin()


class Crew:
    """Worker processes of one owner, and the tasks that wait for them.

    They start at once. When one dies, the task that it ran is lost, and it is
    replaced. A crew that is dropped does what it has, and leaves; at the
    interpreter's exit it is terminated. In a forked child it is dead.

    workers:          how many.
    setup:            (initializer, initargs, share), or what _job.dump_setup()
                      made of them: run once in each process.
    tasks_per_worker: a process is replaced after so many; 0: never.
    task_timeout:     seconds for one task, whose worker is then killed.
    retries:          how often a task is run again whose worker died.

    submit(task, f, args=(), kwargs=None)
        Has f(*args, **kwargs) run. task.deliver(ok, value) is called once,
        later, in any thread, with no lock held: with the result, or with an
        exception if not ok; also when f or its arguments cannot be pickled. (A
        KeyboardInterrupt that cuts deliver short has it called once more.)
        RuntimeError after close(), and in a forked child. A task stands for
        one call at a time. Functions are pickled once, arguments now. Returns
        the number by which errors name the task.
    post(task, f, args=(), kwargs=None)
        submit() by one who goes on to wait() for it at once: cheaper.
    call(f, args=(), kwargs=None)
        The same for a caller who waits: returns the result or raises.
    cancel(task)
        True: it was not sent to a worker, and deliver will not be called.
    running(task)
        It was sent to a worker, and has no outcome yet.
    wait(done, timeout=None)
        Helps the workers' place until done() is true, or the time has passed,
        or no outcome can come any more; returns whether it is true.
    pids()
        The process ids of the workers that live.
    """

    def __init__(self, workers, *, setup=None, tasks_per_worker=0,
                 task_timeout=None, retries=0):
        if type(setup) is tuple:
            setup = _job.dump_setup(setup)
        jobs = self._jobs = _job.Jobs(setup)
        queue = _tutti.Queue(
            jobs, jobs.queue(), jobs.dump, workers, tasks_per_worker,
            task_timeout or 0.0, retries,
        )
        self._queue = queue
        self.workers = workers
        self._end = _open[queue] = _End(queue)
        self.submit = queue.submit
        self.post = queue.post
        self.call = queue.call
        self.cancel = queue.cancel
        self.running = queue.running
        self.wait = queue.wait
        self.pids = queue.pids
        gone = weakref.finalize(self, _finish, queue, self._end)
        gone.atexit = False

    def map(self, f, iterables, *, star=False, errors="raise", chunk=0):
        """[f(x) for x in iterable] by these workers only, as tutti.map.

        errors: also "collect": all tasks are run, and if some failed it
                returns (results, exceptions by index).
        chunk:  tasks that go to a worker together; 0: as their times suggest.
        """
        return _tutti.map(
            f, tuple(iterables), self._queue, None, 0, None, errors, None, None,
            star, chunk,
        )

    @property
    def dead(self):
        """This process was forked from that which has the workers."""
        return self._queue.dead

    def close(self):
        """No more tasks; the workers leave when all are done."""
        _finish(self._queue, self._end)

    def terminate(self):
        """Kills the workers now. What has no outcome is lost."""
        self._queue.kill()
        self._end.begin()

    def join(self, timeout=None):
        """After close() or terminate(): waits until all workers are gone and
        all outcomes delivered; true if so."""
        if not self._queue.closed:
            raise ValueError("the workers are still in use: close() first")
        if self._queue.inside and self._end.until.locked():
            raise RuntimeError(
                "join() in a task's deliver would wait for itself"
            )
        return self._end.join(timeout)


def _leave():
    """At exit: whoever should have closed their crew did not."""
    for queue, end in list(_open.items()):
        queue.kill()
        end.join(10)


atexit.register(_leave)
os.register_at_fork(after_in_child=_open.clear)
