"""tutti.imap and tutti.imap_unordered: items are drawn as results are."""

import os
import time
from collections import deque

from . import _check as check
from . import _fault, _tutti
from ._tutti import task

PATIENCE = 0.02  # seconds of long tasks in the caller before workers come
WAITERS = 32  # workers for tasks that wait
AHEAD = 2  # items drawn ahead, a worker
SHARE = 0.25  # of a task's time, for its way to a worker
DEAR = 3  # such tasks in a row that take more end it
NEVER = float("inf")


def imap(f, *iterables, on="auto", workers=None, retries=0, task_timeout=None,
         seed=None, errors="raise"):
    """The results of f(x) for x in iterable, in order, one by one.

    An item is drawn when a result is asked for, so that the iterable may be
    endless, and need not fit in memory. Under "auto" tasks run in the caller
    until they turn out to take a millisecond or more; then workers get them,
    two items a worker are drawn ahead, and the caller waits for results. The
    iterator that is returned has a method close(), which stops what runs, as
    its deletion does.

    f, on, workers, retries, task_timeout, seed, errors: as of tutti.map; on
    may be "auto", "serial", "processes", "processes:4", or an open Pool or
    Executor, whose own retries and task_timeout hold. With errors="raise",
    the exception of a task comes in its turn, and ends all.

    >>> import itertools
    >>> squares = tutti.imap(lambda n: n * n, itertools.count())
    >>> next(squares), next(squares), next(squares)
    (0, 1, 4)
    >>> squares.close()
    """
    return _Stream("imap", False, f, iterables, on, workers, retries,
                   task_timeout, seed, errors).results()


def imap_unordered(f, *iterables, on="auto", workers=None, retries=0,
                   task_timeout=None, seed=None, errors="raise"):
    """As tutti.imap, but each result comes as soon as it is there.

    >>> sorted(tutti.imap_unordered(abs, range(-3, 3)))
    [0, 1, 1, 2, 2, 3]
    """
    return _Stream("imap_unordered", True, f, iterables, on, workers, retries,
                   task_timeout, seed, errors).results()


def _place(call, on):
    """Name, number of workers, and whose they are if somebody's."""
    if not isinstance(on, str):
        from ._crew import crew_of

        crew = crew_of(on)
        return "processes", crew.workers, crew
    on = os.environ.get("TUTTI_ON") or on
    name, colon, count = str(on).partition(":")
    if name == "processes" and (not colon or count.isdigit() and int(count)):
        return name, int(count or 0), None
    if on not in ("auto", "serial"):
        raise ValueError(
            "on must be 'auto', 'serial', 'processes' or 'processes:N' for "
            "tutti.%s, got %r" % (call, on)
        )
    return on, 0, None


class _Kept:
    """f whose exceptions are results."""

    def __init__(self, f):
        self.f = f

    def __call__(self, *args):
        try:
            return self.f(*args)
        except Exception as error:
            return _fault.keep(error, args)


class _Step:
    """f in a worker, as a task of a stream."""

    def __init__(self, f, seed):
        self.f = f
        self.seed = seed

    def __call__(self, index, args):
        if self.seed is not None:
            from ._seed import prepare

            prepare()
        walk = _tutti.Walk(self, self.f, [args], True, NEVER, self.seed, True)
        walk.index = index
        walk.worker = getattr(task, "worker", 0)
        return next(walk)

    def note(self, *unused):
        pass  # the caller's does


class _Item:
    """An item that a worker has."""

    done = taken = False

    def __init__(self, index, args, ready):
        self.index = index
        self.args = args
        self.ready = ready  # gets those that are done

    def deliver(self, ok, value):
        """The crew's: this is the outcome. It may say so twice, if a signal
        came the first time."""
        self.ok, self.value = ok, value
        self.ready.append(self)
        self.done = True


class _Stream:
    def __init__(self, call, mixed, f, iterables, on, workers, retries, task_timeout,
                 seed, errors):
        if not callable(f) or not iterables:
            _fault.refuse_call("tutti." + call, f)
        if errors not in ("raise", "return"):
            raise ValueError(
                "errors must be 'raise' or 'return', got %r" % (errors,)
            )
        self.there = self.unordered if mixed else self.ordered
        self.place, count, self.crew = _place(call, on)
        self.most = count
        if workers is not None:
            self.most = min(count or NEVER, check.count("workers", workers))
        if self.crew and (retries or task_timeout is not None):
            raise ValueError(
                "retries and task_timeout are the pool's own: give them to it"
            )
        self.options = {"retries": check.count("retries", retries, 0)}
        if task_timeout is not None:
            self.limit(task_timeout)
        if self.place == "auto" and (retries or task_timeout is not None):
            self.place = "processes"
        self.keep = errors == "return"
        self.f = f
        self.seed = seed
        self.star = len(iterables) > 1
        self.items = zip(*iterables) if self.star else iter(iterables[0])
        self.index = 0
        self.ended = False
        self.stays = False  # in the caller: its items do not travel well
        self.dear = NEVER

    def limit(self, task_timeout):
        if self.place == "serial":
            raise ValueError(
                "a task in the caller cannot be stopped: task_timeout needs "
                "on='processes'"
            )
        self.options["task_timeout"] = check.seconds(
            "task_timeout", task_timeout
        )

    def results(self):
        """The iterator."""
        patience = PATIENCE if self.place == "auto" else NEVER
        walk = self.walk(self.items, patience)
        if self.place == "processes":
            return self.there(self.most or _tutti.cpu_count())
        return walk

    def walk(self, items, patience=NEVER):
        f = _Kept(self.f) if self.keep else self.f
        return _tutti.Walk(
            self, f, items, self.star, patience, self.seed, False
        )

    # Of what runs in the caller.

    def note(self, error, item, index):
        """Says in an exception which task raised it."""
        arguments = item if self.star else (item,)
        _fault.annotate(error, index, _fault.describe(arguments))

    def rest(self, walk, seconds, waits):
        """A task takes so many seconds: an iterator over what workers do with
        the rest, or None if that does not pay."""
        if waits:
            workers = self.most or WAITERS
        else:
            workers = min(self.most or NEVER, _tutti.cpu_count())
        if workers > 1 and self.travels():
            self.index = walk.index
            self.dear = SHARE * seconds
            return self.there(workers, walk)

    def travels(self):
        """Whether the function can go to a worker; else there is a warning."""
        from ._job import refuse_function, stays
        from ._wire import dump, survive_here

        try:
            dump(self.f)
            return True
        except BaseException as error:
            survive_here(error)
            stays(self.f, refuse_function(self.f, error))
            return False

    # In workers.

    def ordered(self, workers, walk=None):
        window = deque()
        with _Window(self, workers, deque(maxlen=0)) as flow:
            while flow.fill(window.append):
                item = window.popleft()
                flow.crew.wait(lambda: item.done)
                flow.out -= 1
                yield self.result(item)
        self.leave(walk)

    def unordered(self, workers, walk=None):
        ready = deque()
        with _Window(self, workers, ready) as flow:
            while flow.fill():
                flow.crew.wait(lambda: ready)
                item = ready.popleft()
                if not item.taken:
                    item.taken = True
                    flow.out -= 1
                    yield self.result(item)
        self.leave(walk)

    def result(self, item):
        if item.ok:
            return item.value
        error = item.value
        if self.place == "auto" and isinstance(error, _fault.UnpicklableError):
            if not self.stays:
                from ._job import stays

                stays(self.f, error)
                self.stays = True
            walk = self.walk([item.args if self.star else item.args[0]])
            walk.index = item.index
            return next(walk)
        _fault.annotate(error, item.index, _fault.describe(item.args))
        if self.keep:
            return error
        raise error

    def leave(self, walk):
        if walk is not None:
            walk.index = self.index
        if self.input_error is not None:
            raise self.input_error

    input_error = None

    def draw(self):
        """Arguments of the next task; None: there is none."""
        try:
            item = next(self.items)
        except StopIteration:
            self.ended = True
        except BaseException as error:  # comes after the results before it
            if isinstance(error, KeyboardInterrupt) or _fault.struck(error):
                raise
            self.ended = True
            self.input_error = error
        else:
            return item if self.star else (item,)


class _Window:
    """Items ahead of the results."""

    def __init__(self, stream, workers, ready):
        self.stream = stream
        self.room = AHEAD * workers
        self.workers = workers
        self.step = _Step(stream.f, stream.seed)
        self.ready = ready
        self.out = 0  # items without a result
        self.slow = 0  # ways in a row that were dear
        self.sent = deque()  # to somebody's workers, in order

    def __enter__(self):
        from ._crew import Crew

        self.crew = self.stream.crew
        if self.crew is None:
            self.crew = Crew(self.workers, **self.stream.options)
        return self

    def fill(self, keep=None):
        """Gives workers items; whether results are to come."""
        stream = self.stream
        while self.out < self.room and not stream.ended:
            args = None if stream.stays else stream.draw()
            if args is None:
                break
            item = _Item(stream.index, args, self.ready)
            stream.index += 1
            self.out += 1
            self.send(item)
            if keep is not None:
                keep(item)
        return self.out > 0

    def send(self, item):
        if self.stream.crew:
            while self.sent and self.sent[0].done:
                self.sent.popleft()
            self.sent.append(item)
        begin = time.thread_time()
        self.crew.submit(item, self.step, (item.index, item.args))
        spent = time.thread_time() - begin
        self.slow = self.slow + 1 if spent > self.stream.dear else 0
        if self.slow == DEAR:
            self.stream.stays = True

    def __exit__(self, kind, error, trace):
        if self.stream.crew:
            for item in self.sent:
                self.crew.cancel(item)
        elif kind is None:
            self.crew.close()
        else:
            self.crew.terminate()
