"""Pool.imap() and imap_unordered(): tasks made from an iterable as room for
their results becomes free."""

import itertools
import threading
import time
from collections import OrderedDict, deque

from . import _fault
from ._chunk import arguments, opened, weight
from ._result import gone, original, timed_out
from ._signal import Event

WINDOW = 16  # chunks a worker that are sent and not yet taken
LEAST = 2
BYTES = 64 << 20  # of the results in a window, as far as that is known


class Feed:
    """The tasks of one imap. Who iterates draws from the iterable, if that has
    a length; else, as that may wait for anything, a thread does."""

    def __init__(self, pool, f, iterable, size, ordered):
        self.pool = pool
        self.task = f if size == 1 else pool._chunk(f)
        self.items = iter(iterable)
        self.size = size
        self.window = WINDOW * pool._processes
        self.low = self.window // 2  # from here on there is room again
        self.ordered = ordered
        self.sent = 0  # chunks
        self.out = set()  # of them, those without an outcome
        self.done = OrderedDict()  # outcomes by chunk, as they came
        self.taken = 0  # outcomes, by the reader
        self.total = None  # chunks, when there will be no more
        self.read = True  # somebody may still read
        self.moved = Event()  # sent or total has changed
        self.room = None  # an event, for the thread
        self.thread = None
        self._turn = threading.RLock()  # guards items
        self._count = threading.RLock()  # guards sent, total

    def start(self, threaded):
        if not threaded:
            return self.fill()
        self.room = Event()
        thread = threading.Thread(
            target=self._pull, name="tutti imap", daemon=True
        )
        thread.start()
        self.thread = thread

    def _pull(self):
        while self.total is None:
            self.room.clear()
            self.fill()
            if self.total is None:
                self.room.wait()

    def fill(self):
        """Sends tasks until the window is full or the iterable has ended."""
        if self.sent - self.taken > self.low:
            return  # several at once cost less
        with self._turn:
            while self.total is None and self.sent - self.taken < self.window:
                self._send_next()

    def _send_next(self):
        try:
            args = self._draw()
        except StopIteration:
            return self.end()
        except Exception as error:
            return self.end(error)
        i = self._next_index()
        if i is None:
            return
        try:
            self.pool._submit(Piece(self, i), self.task, args)
        except BaseException as error:  # terminated meanwhile; an interrupt
            self.put(i, False, error)
            if not isinstance(error, Exception):
                raise
        self.moved.set()

    def _draw(self):
        if self.size == 1:
            return (next(self.items),)
        chunk = list(itertools.islice(self.items, self.size))
        if not chunk:
            raise StopIteration
        return arguments(self.sent * self.size, chunk)

    def _next_index(self):
        with self._count:
            if self.total is not None:
                return None
            self.out.add(self.sent)
            self.sent += 1
            return self.sent - 1

    def end(self, error=None):
        """No more tasks; `error` is read in place of the next."""
        with self._count:
            if self.total is None:
                if error is not None:
                    self.put(self.sent, False, error)
                    self.sent += 1
                self.total = self.sent
        self.moved.set()
        if self.room is not None:
            self.room.set()
        self.pool._fed(self)

    def put(self, i, ok, value):
        """The outcome of chunk i. An interrupt may have it come twice."""
        if self.read:
            self.done[i] = ok, value
        self.out.discard(i)

    def arrived(self):
        """Whether the reader has something to take."""
        return self.taken in self.done if self.ordered else self.done

    def take(self):
        """What arrived() saw; that makes room for one more."""
        if self.ordered:
            outcome = self.done.pop(self.taken)
        else:
            outcome = self.done.popitem(last=False)[1]
        self.taken += 1
        if self.taken & (self.taken - 1) == 0 and outcome[0]:
            self._weigh(outcome[1])
        if self.room is not None and self.sent - self.taken <= self.low:
            self.room.set()
        return outcome

    def _weigh(self, value):
        """Large results have a smaller window."""
        if self.window == float("inf"):
            return
        if self.size > 1 and type(value[0]) is list:
            value = value[0][0]
        most = WINDOW * self.pool._processes
        least = LEAST * self.pool._processes
        fit = BYTES // (weight(value) * self.size + 1)
        self.window = max(least, min(most, fit))
        self.low = self.window // 2

    def abort(self):
        """The pool is terminated."""
        self.end(
            _fault.WorkerLostError(
                "the pool was terminated before imap's tasks had all been sent"
            )
        )

    def hurry(self):
        """The pool is joined: all that is left is sent, read or not."""
        self._rush()
        if self.thread is not None:
            self.thread.join()

    def _rush(self):
        self.window = self.low = float("inf")
        if self.room is None:
            self.fill()
        else:
            self.room.set()

    def leave(self, begun):
        """Nobody will read. What nobody has begun to read is run for its
        effects."""
        self.read = False
        if begun:
            self.end()
        else:
            self._rush()


class Piece:
    """A chunk, as the crew sees it."""

    __slots__ = ("feed", "i")

    def __init__(self, feed, i):
        self.feed = feed
        self.i = i

    def deliver(self, ok, value):
        self.feed.put(self.i, ok, value if ok else original(value))


class Failed:
    """The exception of a task among results that are ready."""

    __slots__ = ("error",)

    def __init__(self, error):
        self.error = error


class IMapIterator:
    """What Pool.imap() returns: an iterator whose next() takes a timeout. A
    task's exception is raised in its turn; the next call goes on behind it."""

    _begun = False  # also where an interrupt cut __init__ short

    def __init__(self, feed):
        self._ready = deque()  # results of chunks that were taken
        # Of those who take, one at a time; an interrupt may leave it locked.
        self._reader = threading.RLock()
        self._feed = feed

    def __iter__(self):
        return self

    def __next__(self):
        try:
            value = self._ready.popleft()
        except IndexError:
            return self.next()
        if type(value) is Failed:
            raise value.error
        return value

    def next(self, timeout=None):
        """The next result; multiprocessing.TimeoutError after `timeout`
        seconds without."""
        until = None if timeout is None else time.monotonic() + timeout
        if not self._reader.acquire(
            timeout=-1 if timeout is None else max(timeout, 0)
        ):
            raise timed_out()
        try:
            self._begun = True
            value = self._next(until)
        finally:
            self._reader.release()
        if type(value) is Failed:
            raise value.error
        return value

    def _next(self, until):
        feed = self._feed
        while True:
            try:
                return self._ready.popleft()
            except IndexError:
                pass
            if feed.room is None:
                feed.fill()
            if feed.arrived():
                self._open(*feed.take())
            elif feed.taken == feed.total:
                raise StopIteration
            else:
                self._wait(feed, until)

    def _open(self, ok, value):
        if not ok:
            self._ready.append(Failed(value))
        elif self._feed.size == 1:
            self._ready.append(value)
        else:
            results, failed = opened(value)
            for at, error in failed:
                results[at] = Failed(original(error))
            self._ready.extend(results)

    def _wait(self, feed, until):
        """Until something has come, or changed, or it is too late."""
        left = None if until is None else until - time.monotonic()
        if left is not None and left <= 0:
            raise timed_out()
        feed.moved.clear()
        if feed.out:
            if not feed.pool._crew.wait(feed.arrived, left) and left is None:
                raise gone()
        elif not feed.arrived() and feed.total is None:
            feed.moved.wait(left)

    def __del__(self):
        feed = getattr(self, "_feed", None)
        if feed is not None:
            feed.leave(self._begun)
