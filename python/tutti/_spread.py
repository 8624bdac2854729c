"""Pool.map() and its relatives: items dealt to workers in chunks whose size
follows from the time that tasks take."""

import _thread
import re
import threading
import types
from collections import deque

from . import _fault
from ._chunk import arguments, opened, weight
from ._result import AsyncResult, original

BLIND = 8  # tasks in a chunk before it is known how long they take
ENOUGH = 1e-3  # seconds of a chunk; sending one costs a fiftieth
PATIENCE = 4e-3  # seconds, then a worker hands back what it has not begun
LARGE = 4 << 20  # bytes of a chunk's items that are not small
DEPTH = 2  # chunks a worker: one that runs, one that waits


class MapResult(AsyncResult):
    """The result of Pool.map_async(): that of all its tasks."""

    def __init__(self, pool, f, items, star, size, callback, error_callback):
        super().__init__(pool, callback, error_callback)
        n = len(items)
        self._key = _key_of(f)
        self._items, self._n, self._size = items, n, size
        self._workers = pool._processes
        self._depth = n if size else DEPTH * pool._processes
        self._chunk = pool._chunk(f, star, None if size else PATIENCE)
        self._seconds = pool._seconds.get(self._key)  # of a task; None: unknown
        self._results = [_fault.MISSING] * n
        self._failures = {}  # by index
        self._parts = {}  # by the number that errors name
        self._beside = set()  # failures that are due to another task's
        self._begun = 0  # items that were dealt
        self._back = deque()  # (begin, end) handed back
        self._out = set()  # begins of chunks without an outcome
        self._lock = threading.RLock()  # guards the three above
        self._ender = None

    def start(self, wait):
        """wait: the caller goes on to wait for it."""
        if not self._n:  # as there, an empty one has no callback
            self._success, self._value, self._ready = True, [], True
            self._pool = None
            return self
        self._wait = wait
        self._pool._feeding(self)
        self._deal()
        return self

    def _grain(self, begin):
        """How many tasks the next chunk has."""
        if self._size:
            return self._size
        share = -(-self._n // self._workers)
        size = BLIND
        if self._seconds is not None:
            size = int(ENOUGH / (self._seconds + 1e-9))
        heavy = LARGE // (weight(self._items[begin]) + 1)
        return max(1, min(size, share, heavy))

    def _next(self):
        """The next chunk (begin, end), if one is to be sent now."""
        with self._lock:
            if len(self._out) >= self._depth:
                return None
            if self._back:
                begin, end = self._back.popleft()
                stop = min(begin + self._grain(begin), end)
                if stop < end:
                    self._back.appendleft((stop, end))
            elif self._begun < self._n:
                begin = self._begun
                stop = min(begin + self._grain(begin), self._n)
                self._begun = stop
            else:
                return None
            self._out.add(begin)
            return begin, stop

    def _deal(self):
        while True:
            chunk = self._next()
            if chunk is None:
                return
            begin, end = chunk
            part = _Part(self, begin, end)
            try:
                number = self._pool._submit(
                    part, self._chunk,
                    arguments(begin, self._items[begin:end]), None, self._wait,
                )
                part.number = number
                self._parts[number] = part
            except BaseException as error:  # terminated; an interrupt
                self.stop()
                part.deliver(False, error)
                if isinstance(error, Exception):
                    return
                raise

    def stop(self, error=None):
        """Nothing more is dealt; `error` is the outcome of what is left."""
        with self._lock:
            left = [begin for begin, _ in self._back]
            if self._begun < self._n:
                left.append(self._begun)
            if error is not None and left:
                self._failures[min(left)] = error
            self._begun = self._n
            self._back.clear()

    def abort(self):
        """The pool is terminated."""
        self.stop(_fault.WorkerLostError(
            "the pool was terminated before all tasks of the map were sent"
        ))
        self._settle(None, None)

    def hurry(self):
        """The pool is joined: what is left is sent as there is room."""
        self.wait()

    def take(self, begin, end, ok, value):
        """The outcome of a chunk. An interrupt may have it come twice."""
        if begin not in self._out:
            return
        if ok:
            done = self._keep(begin, *opened(value))
        else:
            done = end
            self._lose(begin, end, value)
        self._settle(begin, (done, end) if done < end else None)

    def _keep(self, begin, results, failed, seconds):
        done = begin + len(results)
        self._seconds = seconds / len(results)
        self._results[begin:done] = results
        for at, error in failed:
            self._results[begin + at] = _fault.MISSING
            self._failures[begin + at] = original(error)
        return done

    def _lose(self, begin, end, error):
        """A chunk has no outcome: its worker died in it, or with it."""
        if end - begin > 1:
            text = "one of tasks %d to %d" % (begin, end - 1)
        else:
            text = _fault.describe((self._items[begin],))
        error = original(_fault.annotate(error, begin, text))
        named = re.search(r"\btask (\d+)", str(error))
        part = named and self._parts.get(int(named[1]))
        if part:
            name = "task %d" % part.begin
            if part.end - part.begin > 1:
                name = "one of tasks %d to %d" % (part.begin, part.end - 1)
            error.args = (str(error).replace(named[0], name, 1),)
            if part.begin != begin:
                self._beside.add(begin)
        self._failures[begin] = error

    def _settle(self, begin, back):
        """Deals more, or ends. Two threads may come here at once."""
        with self._lock:
            if back:
                self._back.append(back)
            self._out.discard(begin)
            left = self._out or self._back or self._begun < self._n
            if not left and self._ender is None:
                self._ender = _thread.get_ident()
        if left:
            self._deal()
        elif self._ender == _thread.get_ident():
            self._end()

    def _end(self):
        if self._ready:
            return
        pool, failures = self._pool, self._failures
        if self._seconds is not None:
            pool._learn(self._key, self._seconds)
        if failures:
            first = min(set(failures) - self._beside or failures)
            error = with_results(failures[first], self._results)
            self._finish(False, error)
        else:
            self._finish(True, self._results)
        self._items = self._chunk = self._parts = None
        self._results = self._failures = None
        pool._fed(self)


def _key_of(f):
    """What the time of f's tasks is remembered by."""
    if type(f) in (type, types.BuiltinFunctionType):
        return f
    return getattr(f, "__code__", type(f))


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


class _Part:
    """A chunk of a MapResult, as the crew sees it."""

    __slots__ = ("whole", "begin", "end", "number")

    def __init__(self, whole, begin, end):
        self.whole = whole
        self.begin = begin
        self.end = end
        self.number = None

    def deliver(self, ok, value):
        if ok and self.whole._parts:
            self.whole._parts.pop(self.number, None)
        self.whole.take(self.begin, self.end, ok, value)
