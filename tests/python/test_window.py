"""Iterators: never listed, and no slower than the loop."""

import itertools
import os
import time
import weakref

import pytest

import tutti


def square(x):
    return x * x


def slow(x):
    time.sleep(0.001)
    return -x


def index(x):
    return tutti.task.index


def generate(n):
    for i in range(n):
        yield i


@pytest.mark.parametrize("n", [0, 1, 2, 31, 32, 33, 1000, 30000])
def test_equals_the_loop(on, n):
    assert tutti.map(square, generate(n), on=on) == [x * x for x in range(n)]


@pytest.mark.parametrize("n", [0, 1, 20, 400])
def test_slow_tasks(on, n):
    assert tutti.map(slow, generate(n), on=on) == [-x for x in range(n)]


def test_tasks_that_get_slower(on):
    def f(x):
        if x > 20000:
            time.sleep(0.0005)
        return x + 1

    assert tutti.map(f, generate(20200), on=on) == list(range(1, 20201))


def test_several_iterables(on):
    back = tutti.map(pow, generate(500), itertools.repeat(2), on=on)
    assert back == [x * x for x in range(500)]
    back = tutti.map(max, range(9), generate(500), [3] * 7, on=on)
    assert back == [3, 3, 3, 3, 4, 5, 6]


@pytest.mark.parametrize("f", [index, lambda x: slow(x) and 0 or index(x)])
def test_the_index_counts_from_the_first(on, f):
    assert tutti.map(f, generate(500), on=on) == list(range(500))


class Sequence:
    """Items that are made when asked for."""

    def __len__(self):
        return 100

    def __getitem__(self, i):
        if i >= 100:
            raise IndexError(i)
        return i * 2


@pytest.mark.parametrize(
    "make",
    [
        lambda: iter(range(100)),
        lambda: map(abs, range(100)),
        lambda: (x for x in range(100)),
        lambda: {x: 1 for x in range(100)},
        lambda: {x: 1 for x in range(100)}.keys(),
        lambda: dict(enumerate(range(100))).values(),
        lambda: {x: 1 for x in range(100)}.items(),
        lambda: set(range(100)),
        lambda: "some text" * 10,
        lambda: b"some bytes" * 10,
        lambda: itertools.chain([1], [2]),
        Sequence,
    ],
)
def test_all_kinds(on, make):
    assert tutti.map(repr, make(), on=on) == [repr(x) for x in make()]


class Item:
    pass


def test_items_are_let_go(on):
    """In memory are the items of a window, not all."""
    alive, most = weakref.WeakSet(), 0

    def items():
        nonlocal most
        for i in range(6000):
            item = Item()
            item.i = i
            alive.add(item)
            most = max(most, len(alive))
            yield item

    def f(item):
        time.sleep(0.0002)
        return item.i

    assert tutti.map(f, items(), on=on) == list(range(6000))
    assert most < 5500


def test_windows_are_bounded_in_bytes():
    alive, most = weakref.WeakSet(), 0

    class Big(bytearray):
        __hash__ = object.__hash__
        __eq__ = object.__eq__

    def items():
        nonlocal most
        for i in range(60):
            item = Big(10 << 20)
            item[:4] = i.to_bytes(4, "little")
            alive.add(item)
            most = max(most, len(alive))
            yield item
            del item

    def f(item):
        time.sleep(0.001)
        return int.from_bytes(item[:4], "little")

    for on in ("auto", "processes"):
        assert tutti.map(f, items(), on=on) == list(range(60))
    assert most <= 10


def test_windows_spread():
    pids = tutti.map(
        lambda x: (slow(x), os.getpid())[1], generate(3000), workers=3
    )
    if tutti.cpu_count() > 1:
        assert len(set(pids)) > 1
    assert pids[0] == os.getpid()


@pytest.mark.parametrize("n", [0, 1, 10, 5000])
def test_an_iterator_that_raises(on, n):
    def items():
        yield from range(n)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine") as caught:
        tutti.map(square, items(), on=on)
    assert caught.value.tutti.index is None
    assert caught.value.tutti.results == [x * x for x in range(n)]


@pytest.mark.parametrize("k", [0, 1, 10, 3000, 30000])
def test_an_endless_iterator_whose_task_fails(on, k):
    def f(x):
        if x == k:
            raise ValueError("at %d" % x)
        return -x

    with pytest.raises(ValueError, match="at %d" % k) as caught:
        tutti.map(f, itertools.count(), on=on)
    told = caught.value.tutti
    assert told.index == k
    assert told.arguments == "argument %d" % k
    assert told.results[:k] == [-x for x in range(k)]
    assert all(
        x is tutti.MISSING or x == -i
        for i, x in enumerate(told.results[k:], k)
    )


def test_an_endless_iterator_with_a_stop_iteration(on):
    """A task's StopIteration is not the iterator's."""

    def f(x):
        if x == 40:
            raise StopIteration("mine")

    with pytest.raises(StopIteration, match="mine"):
        tutti.map(f, itertools.count(), on=on)


def test_errors_are_returned(on):
    back = tutti.map(
        lambda x: 1 // (x - 50), generate(100), on=on, errors="return"
    )
    assert isinstance(back[50], ZeroDivisionError)
    assert back[50].tutti.index == 50
    assert back[51] == 1 and len(back) == 100


def test_a_lost_worker_is_named_by_its_index():
    def f(x):
        if x == 700:
            os._exit(1)
        return x

    with pytest.raises(tutti.WorkerLostError) as caught:
        tutti.map(f, generate(5000), on="processes")
    assert caught.value.tutti.index == 700
    assert caught.value.tutti.arguments == "argument 700"
    assert "task 700" in str(caught.value)


def test_iterators_are_pulled_in_the_caller(on):
    pid = os.getpid()

    def items():
        for i in range(100):
            assert os.getpid() == pid
            yield i

    assert tutti.map(square, items(), on=on) == [x * x for x in range(100)]


def test_a_slow_iterator(on):
    """What is there is mapped; nobody waits for a window to be full."""

    def items():
        for i in range(8):
            time.sleep(0.05)
            yield i

    assert tutti.map(square, items(), on=on) == [x * x for x in range(8)]


def test_an_iterator_that_maps(on):
    def items():
        for i in range(40):
            yield sum(tutti.map(square, range(i), on=on))

    assert tutti.map(abs, items(), on=on) == [
        sum(x * x for x in range(i)) for i in range(40)
    ]


def test_a_bad_place_is_an_error_also_without_items():
    for items in (iter(()), iter([1])):
        with pytest.raises(ValueError):
            tutti.map(abs, items, on="nonsense")
        with pytest.raises(ValueError):
            tutti.map(abs, items, on="serial", task_timeout=1)


def test_seeds_do_not_depend_on_windows(on):
    import random

    def f(x):
        return random.random()

    expected = [tutti.map(f, range(300), seed=3, on="serial")]
    assert tutti.map(f, generate(300), seed=3, on=on) == expected[0]


def test_progress_without_a_length(script):
    code = (
        "import sys, tutti\n"
        "sys.stderr.isatty = lambda: True\n"
        "back = tutti.map(abs, iter(range(100)), progress=True)\n"
        "assert back == list(range(100))\n"
    )
    out, err = script(code)
    assert "100/100" in err and err.endswith("\n")


def test_an_iterator_with_a_next_of_its_own(on):
    class Count:
        def __init__(self, n):
            self.i, self.n = 0, n

        def __iter__(self):
            return self

        def __next__(self):
            if self.i == self.n:
                raise StopIteration
            self.i += 1
            return self.i

    for n in (0, 1, 10, 3000):
        assert tutti.map(abs, Count(n), on=on) == list(range(1, n + 1))
