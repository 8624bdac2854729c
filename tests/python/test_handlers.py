"""What the handler of a signal raises while something is pickled or read is
the caller's, as in a plain loop; the same from a value's own methods is not."""

import functools
import itertools
import os
import pickle
import signal
import sys
import time
import warnings

import numpy
import pytest

import tutti
from tutti._fault import struck

KINDS = [TimeoutError, SystemExit, RuntimeError, AttributeError, TypeError,
         pickle.PicklingError, GeneratorExit]


class Handler:
    def __init__(self, kind):
        self.kind = kind

    def plain(self):
        def handle(number, frame):
            raise self.kind("by a handler")

        return handle

    def method(self):
        return self._handle

    def _handle(self, *unused):
        self._deeper()

    def _deeper(self):
        raise self.kind("by a handler")

    def partial(self):
        return functools.partial(lambda more, *unused: self._deeper(), 1)


@pytest.fixture
def handled():
    """Sets the handler."""
    before = signal.getsignal(signal.SIGUSR1)
    yield lambda handler: signal.signal(signal.SIGUSR1, handler)
    signal.signal(signal.SIGUSR1, before)


def strike(value=0):
    if "tutti._zygote" not in sys.modules:
        os.kill(os.getpid(), signal.SIGUSR1)
    return value


class Struck:
    """A signal comes while it is pickled; or read, in the caller."""

    def __init__(self, late=False):
        self.late = late

    def __reduce__(self):
        return strike if self.late else strike(int), ()


class Raises:
    def __init__(self, kind):
        self.kind = kind

    def __reduce__(self):
        raise self.kind("by a value")


def give(late):
    return Struck(late)


def capture(value):
    return lambda x: value and x


def slow(value):
    """A map that goes on until something wants to travel."""
    f = capture(value)
    for _ in range(50):
        tutti.map(lambda x: [f(x) for _ in range(3000)], range(200))


CALLS = {
    "item": lambda pool, value: tutti.map(abs, [1, value], on="processes"),
    "function": lambda pool, value: tutti.map(
        capture(value), [1], on="processes"),
    "auto": lambda pool, value: slow(value),
    "imap": lambda pool, value: list(tutti.imap(
        capture(value), [1, 2], on="processes")),
    "submit": lambda pool, value: tutti.submit(abs, value).result(),
    "apply": lambda pool, value: pool.apply(abs, (value,)),
    "apply_async": lambda pool, value: pool.apply_async(abs, (value,)).get(60),
    "pool.map": lambda pool, value: pool.map(capture(value), [1, 2]),
    "pool.imap": lambda pool, value: list(pool.imap(abs, [1, value])),
    "initargs": lambda pool, value: tutti.Pool(1, id, (value,)),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_handler(pool, handled, call, kind):
    handled(Handler(kind).plain())
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        with pytest.raises(kind, match="by a handler") as caught:
            CALLS[call](pool, Struck())
    assert type(caught.value) is kind


@pytest.mark.parametrize("way", ["plain", "method", "partial"])
def test_kinds_of_handlers(pool, handled, way):
    handled(getattr(Handler(TimeoutError), way)())
    for call in "item", "function", "submit", "apply":
        with pytest.raises(TimeoutError, match="by a handler"):
            CALLS[call](pool, Struck())


@pytest.mark.parametrize("kind", KINDS)
def test_a_handler_while_results_are_read(pool, handled, kind):
    handled(Handler(kind).plain())
    with pytest.raises(kind, match="by a handler"):
        tutti.map(give, [True], on="processes")
    with pytest.raises(kind, match="by a handler"):
        pool.apply(give, (True,))


def test_a_handler_does_not_cost_the_result(pool, handled):
    """It may come while this thread reads it, or, when another does, at any
    moment."""
    left = []

    def once(number, frame):
        if left:
            raise left.pop()

    handled(once)
    cut = 0
    for _ in range(200):
        left[:] = [TimeoutError("by a handler")]
        result = None
        try:
            result = pool.apply_async(give, (True,))
            result.wait(60)
            assert result.get(60) == 0
        except TimeoutError:
            if result is not None:
                cut += 1
                assert result.get(60) == 0
    assert cut


# tutti.map under auto goes on by itself, and imap draws a result from the
# caller: see test_stays.py.
@pytest.mark.parametrize("call", set(CALLS) - {"auto"})
@pytest.mark.parametrize("kind", [TimeoutError, SystemExit])
def test_a_value_that_raises_the_same(pool, call, kind):
    with pytest.raises(tutti.UnpicklableError, match="by a value") as caught:
        CALLS[call](pool, Raises(kind))
    if caught.value.__cause__ is not None:
        assert type(caught.value.__cause__) is kind


@pytest.mark.parametrize("kind", [TimeoutError, KeyboardInterrupt])
def test_a_handler_while_items_are_drawn(handled, kind):
    """It does not wait for the results before."""
    handled(Handler(kind).plain())

    def items():
        yield 1
        strike()

    with pytest.raises(kind, match="by a handler"):
        next(tutti.imap(abs, items(), on="processes"))


class StruckThere:
    """A signal comes while it is pickled in a worker, whose task left it a
    handler."""

    def __reduce__(self):
        os.kill(os.getpid(), signal.SIGUSR1)
        return int, ()


def leave_a_handler(kind, x):
    signal.signal(signal.SIGUSR1, Handler(kind).plain())
    return StruckThere()


@pytest.mark.parametrize("kind", [TimeoutError, TypeError])
def test_a_handler_in_a_worker(kind):
    """What a task leaves is the task's."""
    f = functools.partial(leave_a_handler, kind)
    errors = tutti.map(f, [1, 2], on="processes", errors="return")
    assert [type(error) for error in errors] == [tutti.UnpicklableError] * 2
    with tutti.Pool(1) as pool:
        for call in (lambda: tutti.map(f, [1, 2], on="processes"),
                     lambda: pool.map(f, [1, 2]), lambda: pool.apply(f, (1,))):
            with pytest.raises(tutti.UnpicklableError, match="by a handler"):
                call()


def test_who_is_a_handler():
    def raised(f, *args):
        try:
            f(*args)
        except ValueError as error:
            return error

    def fail(*unused):
        raise ValueError

    def with_names(number, frame):
        raise ValueError

    def later(*unused, key=1):
        fail()

    here = sys._getframe()
    for f in fail, with_names, later:
        assert not struck(raised(f, 1, None))
        assert not struck(raised(lambda: f(1, here)))  # of another caller
        assert not struck(raised(f, here, here))
    for f in fail, with_names, later:
        try:
            f(14, here)
        except ValueError as error:
            assert struck(error)
    assert not struck(ValueError())


@pytest.mark.parametrize("value", [7, numpy.zeros(3), itertools.repeat(0)],
                         ids=["int", "array", "endless"])
def test_no_handler_has_other_arguments(value):
    """What a function makes of its own is only looked at."""

    def fail(*rest):
        rest = value
        raise TypeError(rest is value)

    try:
        fail(1, 2)
    except TypeError as error:
        assert not struck(error)


class Hit(Exception):
    pass


def strike_first(number, caller):
    os.kill(caller, signal.SIGUSR1)
    return number


def test_no_outcome_is_lost_to_a_handler(handled):
    """It may come upon the outcomes that a map of the same workers, in the
    thread that takes signals, comes upon."""
    def handle(number, frame):
        raise Hit

    with tutti.Pool(2) as pool:
        results = []
        for i in range(300):
            try:
                handled(handle)
                results.append(
                    pool.apply_async(strike_first, (i, os.getpid())))
                pool.map(time.sleep, [0.001] * 2)
                time.sleep(10)
            except Hit:
                handled(signal.SIG_IGN)
        for result in results:
            result.get(60)


def test_an_imap_that_is_cut_short_keeps_no_pool_open(monkeypatch):
    def cut(*unused, **named):
        monkeypatch.undo()
        raise Hit

    pool = tutti.Pool(1)
    monkeypatch.setattr(pool, "_fed", cut)
    with pytest.raises(Hit):
        list(pool.imap(abs, [1, 2, 3]))
    monkeypatch.setattr("threading.Thread", cut)
    with pytest.raises(Hit):
        pool.imap(abs, iter([1, 2, 3]))
    pool.close()
    pool.join()
