"""Pool: multiprocessing.Pool's calls on tutti's workers."""

import os
import threading
import time
import types
import warnings

from . import _fault, _tutti
from ._chunk import Chunk
from ._crew import Crew
from ._imap import Feed, IMapIterator
from ._job import dump_setup
from ._maps import Maps, MapResult, first_failure
from ._result import AsyncResult, original

INIT, RUN, CLOSE, TERMINATE = "INIT", "RUN", "CLOSE", "TERMINATE"
KEPT = 8  # functions that are ready to be sent
NO_FUNCTION = 0x20 | 0x80 | 0x200  # generators and coroutines: their code flags


class Pool:
    """multiprocessing.Pool: the same calls, tutti's workers.

    processes:        how many; None: tutti.cpu_count(). Inside of a task, as many
                      of them work at a time as CPUs are idle, or one.
    initializer,
    initargs:         initializer(*initargs) is called in every worker before
                      its first task. Locks, queues and values of
                      multiprocessing may be among initargs.
    maxtasksperchild: a worker is replaced after so many tasks.
    context:          taken and not used: workers start in tutti's way.
    share:            {"NAME": value}: names that are set in the module of the
                      task's function, in every worker. What a module's globals
                      were set to after its import does not travel by itself.
    task_timeout:     seconds for one task: it is then stopped with its worker,
                      which is replaced.
    retries:          how often a task is run again whose worker died.

    A worker that dies costs its task only: WorkerLostError, and the pool goes
    on. The caller runs no task. Functions may be lambdas, and need no
    `if __name__ == "__main__"`.

    Raises ValueError, TypeError for arguments.
    Threads: any.
    Costs 10 to 20 ms for the first worker, then about a millisecond each.

    >>> with tutti.Pool(2) as pool:
    ...     pool.map(abs, [-1, 2, -3])
    [1, 2, 3]
    """

    _state = INIT  # also where __init__ was interrupted

    def __init__(self, processes=None, initializer=None, initargs=(),
                 maxtasksperchild=None, context=None, *, share=None,
                 task_timeout=None, retries=0):
        self._processes = _checked_count(processes)
        if maxtasksperchild is not None and not (
            isinstance(maxtasksperchild, int) and maxtasksperchild > 0
        ):
            raise ValueError(
                "maxtasksperchild must be a positive int or None, got %r"
                % (maxtasksperchild,)
            )
        setup = _checked_setup(initializer, initargs, share)
        self._task_timeout = task_timeout
        self._feeds = set()  # calls that have not sent all; guarded by _lock
        self._maps = Maps()
        self._chunks = {}
        self._wears_out = maxtasksperchild is not None
        self._lock = threading.RLock()
        self._crew = Crew(
            self._processes, setup=setup,
            tasks_per_worker=maxtasksperchild or 0,
            task_timeout=task_timeout, retries=retries,
        )
        self._state = RUN

    def apply(self, func, args=(), kwds={}):
        """func(*args, **kwds), in a worker."""
        self._check("apply", func)
        try:
            return self._crew.call(func, _arguments("apply", args), kwds)
        except Exception as error:
            raise self._failed(error)

    def apply_async(self, func, args=(), kwds={}, callback=None,
                    error_callback=None):
        """apply() that does not wait: an AsyncResult. callback(result) or
        error_callback(exception) is called when the task has ended; it should
        return soon."""
        self._check("apply_async", func)
        args = _arguments("apply_async", args)
        result = AsyncResult(self, callback, error_callback)
        self._submit(result, func, args, kwds)
        return result

    def map(self, func, iterable, chunksize=None):
        """[func(x) for x in iterable], in the workers. All tasks are run, then
        the exception of the first that failed is raised; its `tutti.results`
        has the results of the others."""
        return self._map("map", func, iterable, chunksize, False)

    def map_async(self, func, iterable, chunksize=None, callback=None,
                  error_callback=None):
        """map() that does not wait: an AsyncResult."""
        return self._map_async("map_async", func, iterable, chunksize, False,
                               callback, error_callback)

    def starmap(self, func, iterable, chunksize=None):
        """[func(*x) for x in iterable], as map()."""
        return self._map("starmap", func, iterable, chunksize, True)

    def starmap_async(self, func, iterable, chunksize=None, callback=None,
                      error_callback=None):
        """starmap() that does not wait: an AsyncResult."""
        return self._map_async("starmap_async", func, iterable, chunksize, True,
                               callback, error_callback)

    def imap(self, func, iterable, chunksize=1):
        """An iterator over map()'s results, in order. The iterable may be
        endless: tasks are made as results are taken. What a generator does, it
        does in another thread."""
        return self._imap("imap", func, iterable, chunksize, True)

    def imap_unordered(self, func, iterable, chunksize=1):
        """imap() whose results come as they are ready."""
        return self._imap("imap_unordered", func, iterable, chunksize, False)

    def close(self):
        """No more tasks are taken; the workers leave when all are done."""
        with self._lock:
            if self._state == RUN:
                self._state = CLOSE
                if not self._feeds:
                    self._crew.close()

    def terminate(self):
        """Ends the workers now. Results that are waited for raise
        WorkerLostError."""
        with self._lock:
            self._state = TERMINATE
            feeds = list(self._feeds)
        self._crew.terminate()
        for feed in feeds:
            feed.abort()

    def join(self):
        """Waits until all workers are gone, after close() or terminate()."""
        if self._state == RUN:
            raise ValueError(
                "Pool is still running: close() or terminate() it before join()"
            )
        if self._state not in (CLOSE, TERMINATE):
            raise ValueError("In unknown state")
        with self._lock:
            feeds = list(self._feeds)
        for feed in feeds:
            feed.hurry()
            self._fed(feed)  # which an interrupt may have cut short
        self._crew.join()

    def __enter__(self):
        self._check_running()
        return self

    def __exit__(self, *unused):
        self.terminate()

    def __reduce__(self):
        raise NotImplementedError(
            "pool objects cannot be passed between processes or pickled"
        )

    def __repr__(self):
        return "<%s.%s state=%s pool_size=%d>" % (
            type(self).__module__, type(self).__qualname__, self._state,
            getattr(self, "_processes", 0),
        )

    def __del__(self, _warn=warnings.warn):
        if self._state == RUN:
            _warn("unclosed running multiprocessing pool %r" % self,
                  ResourceWarning, source=self)
            self._crew.terminate()

    def _own_crew(self):
        """Of tutti.map(on=pool)."""
        self._check_running()
        return self._crew

    def _check_running(self):
        if self._state != RUN:
            raise ValueError(
                "Pool not running: it was %s" % _ENDED.get(self._state, "made")
            )

    def _check(self, name, f):
        if self._state != RUN:
            self._check_running()
        if not callable(f):
            raise TypeError(
                "Pool.%s: expected a function, got %s; a function is passed "
                "without its parentheses: pool.%s(f, ...)"
                % (name, _fault.cut(f), name)
            )
        code = getattr(f, "__code__", None)
        if getattr(code, "co_flags", 0) & NO_FUNCTION:
            raise TypeError(
                "Pool.%s: %s makes a generator or a coroutine, which cannot "
                "leave its process: return a list or a value"
                % (name, _fault.cut(f))
            )

    def _submit(self, task, f, args, kwds=None):
        try:
            return self._crew.submit(task, f, args, kwds)
        except RuntimeError:
            if self._state != TERMINATE:
                raise
            raise ValueError("Pool not running: it was terminated") from None

    def _failed(self, error):
        """What a call of the crew's raises, as multiprocessing would."""
        if type(error) is RuntimeError and self._state == TERMINATE:
            return ValueError("Pool not running: it was terminated")
        return original(error)

    def _map(self, name, f, iterable, chunksize, star):
        return self._computed(
            *self._arguments(name, f, iterable, chunksize, star)
        )

    def _map_async(self, name, f, iterable, size, star, callback, failed):
        arguments = self._arguments(name, f, iterable, size, star)
        result = MapResult(self, arguments, callback, failed)
        if not arguments[1]:  # as there, an empty one has no callback
            result.end_empty()
            return result
        try:
            self._feeding(result)
            self._maps.add(result)
        except BaseException:
            self._maps.drop(result)
            self._fed(result)
            raise
        return result

    def _arguments(self, name, f, iterable, size, star):
        """Of _computed(), for a map."""
        self._check(name, f)
        items = _sequence(name, iterable)
        if size is not None:
            size = min(_checked_size(name, size), len(items))
        elif self._wears_out:  # as there
            size = -(-len(items) // (4 * self._processes))
        return f, items, star, size or 0

    def _computed(self, f, items, star, size):
        """The results of a map."""
        try:
            got = self._crew.map(
                f, (items,), star=star, errors="collect", chunk=size
            )
        except Exception as error:
            raise self._failed(error)
        if type(got) is tuple:
            raise first_failure(items, star, *got)
        return got

    def _chunk(self, f):
        """What runs several tasks of f. One for each function, which the crew
        then pickles once; what may change is pickled anew."""
        if type(f) not in (type, types.FunctionType):
            return Chunk(f)
        chunk = self._chunks.get(f)
        if chunk is None:
            if len(self._chunks) >= KEPT:
                self._chunks.clear()
            chunk = self._chunks[f] = Chunk(f)
        return chunk

    def _imap(self, name, f, iterable, size, ordered):
        self._check(name, f)
        size = _checked_size(name, size)
        try:
            feed = Feed(self, f, iterable, size, ordered)
        except TypeError:
            raise _no_iterable(name, iterable) from None
        try:
            self._feeding(feed)
            feed.start(threaded=not hasattr(iterable, "__len__"))
            return IMapIterator(feed)
        except BaseException:
            feed.end()
            raise

    def _feeding(self, feed):
        """A call will send more tasks: close() waits for it."""
        with self._lock:
            self._feeds.add(feed)

    def _fed(self, feed):
        """It has sent them all."""
        with self._lock:
            if feed in self._feeds:
                self._feeds.discard(feed)
                if self._state == CLOSE and not self._feeds:
                    self._crew.close()

    @property
    def _pool(self):
        """The workers, as multiprocessing's Pool has them."""
        end = time.monotonic() + 5
        while True:
            pids = self._crew.pids()
            if (
                len(pids) >= self._processes
                or self._state != RUN
                or time.monotonic() > end
            ):
                return [Worker(pid) for pid in sorted(pids)]
            time.sleep(0.001)

    def _repopulate_pool(self):
        """Nothing: a worker that ends is replaced at once."""


Pool.__module__ = "tutti"

_ENDED = {CLOSE: "closed", TERMINATE: "terminated"}


class Worker:
    """A worker process of a Pool, as far as its owner may touch it."""

    exitcode = None

    def __init__(self, pid):
        self.pid = self.ident = pid
        self.name = "tutti-%d" % pid
        self.daemon = True

    def is_alive(self):
        try:
            with open("/proc/%d/stat" % self.pid) as f:
                return f.read().rpartition(")")[2].split()[0] not in "ZX"
        except OSError:
            return False

    def terminate(self):
        self._signal("SIGTERM")

    def kill(self):
        self._signal("SIGKILL")

    def _signal(self, name):
        import signal

        try:
            os.kill(self.pid, getattr(signal, name))
        except ProcessLookupError:
            pass

    def join(self, timeout=None):
        end = None if timeout is None else time.monotonic() + timeout
        while self.is_alive() and (end is None or time.monotonic() < end):
            time.sleep(0.001)

    def __repr__(self):
        return "<tutti worker pid=%d>" % self.pid


def _checked_setup(initializer, initargs, share):
    """What the crew has run once in each worker."""
    if initializer is not None and not callable(initializer):
        raise TypeError(
            "initializer must be a callable, got %s" % _fault.cut(initializer)
        )
    if share is not None and not (
        isinstance(share, dict) and all(isinstance(x, str) for x in share)
    ):
        raise TypeError(
            'share must be {"NAME": value}, got %s' % _fault.cut(share)
        )
    return dump_setup((initializer, _arguments("__init__", initargs), share))


def _checked_count(processes):
    if processes is None:
        return _tutti.cpu_count()
    if isinstance(processes, bool) or not hasattr(processes, "__index__"):
        raise TypeError(
            "processes must be a whole number, got %s" % _fault.cut(processes)
        )
    processes = processes.__index__()
    if processes < 1:
        raise ValueError(
            "Number of processes must be at least 1, got %d" % processes
        )
    return processes


def _checked_size(name, size):
    if isinstance(size, bool) or not hasattr(size, "__index__"):
        raise TypeError(
            "Pool.%s: chunksize must be a whole number, got %s (one iterable "
            "only: starmap(f, zip(a, b)) takes several)"
            % (name, _fault.cut(size))
        )
    if size.__index__() < 1:
        raise ValueError(
            "Pool.%s: Chunksize must be 1+, not %d" % (name, size)
        )
    return size.__index__()


def _arguments(name, args):
    try:
        return tuple(args)
    except TypeError:
        raise TypeError(
            "Pool.%s: args must be a tuple of arguments, got %s; one argument "
            "is (x,)" % (name, _fault.cut(args))
        ) from None


def _sequence(name, iterable):
    """What has a length and can be cut."""
    if isinstance(iterable, (list, tuple, range)) or hasattr(
        iterable, "__array_interface__"
    ):
        return iterable
    try:
        iterator = iter(iterable)
    except TypeError:
        raise _no_iterable(name, iterable) from None
    return list(iterator)


def _no_iterable(name, value):
    return TypeError(
        "Pool.%s: expected an iterable of arguments, got %s"
        % (name, _fault.cut(value))
    )
