"""Making the bytes of a map on auto is cut off when it takes too long."""

import gc
import threading
import time
import warnings
import weakref

import pytest

import tutti
from tutti import _job, _tutti, _wire


def spin(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


class Slow:
    """Pickling takes a millisecond that nothing tells beforehand."""

    calls = 0

    def __init__(self, wait=spin):
        self.wait = wait

    def __getstate__(self):
        Slow.calls += 1
        self.wait(0.001)
        return {"wait": self.wait}


@pytest.fixture(autouse=True)
def none_called():
    Slow.calls = 0


def crowd(count, wait=spin):
    return [Slow(wait) for _ in range(count)]


def dump_range(column, seconds):
    trial = _tutti.Trial(seconds)
    return _wire.dump_range(
        (column,), 0, len(column), 0, 0, _wire.Memo(), trial
    )


@pytest.mark.parametrize("wait", [spin, time.sleep])
def test_items_are_given_up(wait):
    assert dump_range(crowd(500, wait), 0.01) is None
    assert 0 < Slow.calls <= 11


def dump_job(f, seconds):
    return _job.dump_job(f, *[False] * 4, _tutti.Trial(seconds))


def test_what_is_given_up_is_let_go():
    """At once: a map over an iterator would hold two windows of items."""
    items = [Slow() for _ in range(100)]
    alive = weakref.WeakSet(items)
    gc.disable()
    try:
        assert dump_range(items, 0.005) is None
        del items
        assert not alive
    finally:
        gc.enable()


def test_a_function_is_given_up():
    some = crowd(500)
    assert dump_job(lambda: some, 0.01) is None
    assert 0 < Slow.calls <= 11


def test_so_is_the_search_for_what_cannot_travel():
    few, lock = crowd(8), threading.Lock()
    assert dump_job(lambda: (few, lock), 0.01) is None
    assert 8 < Slow.calls <= 11


def test_by_cloudpickle():
    class Local:
        some = crowd(500)

    assert dump_job(Local, 0.01) is None
    assert 0 < Slow.calls <= 11


def test_large_pickles_without_objects():
    many = [list(range(1000)) for _ in range(5000)]
    assert dump_range(many, 0.001) is None


def test_bytes_are_those_without_a_trial():
    items = crowd(3) + [b"x" * 200000, "y" * 200000, 4, [5]]
    *parts, blocks = dump_range(items, 100)
    *others, _ = _wire.dump_range((items,), 0, 7, 0, 0, _wire.Memo())
    assert not blocks or len(parts) == len(others)
    (loaded,) = _wire.load_range(memoryview(b"".join(parts)), blocks)
    assert loaded[4:] == items[4:] and bytes(loaded[3]) == items[3]


def busy(seen, some=None):
    def f(x):
        seen.append(x)
        spin(0.001)
        return x, some and len(some)

    return f


def quiet_maps(f, items, tried):
    """Maps until `tried`: on a busy machine workers are not always wanted."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(20):
            got = tutti.map(f, items)
            if tried():
                return got
    pytest.skip("this machine never wanted workers")


class Clears:
    """Pickling it empties a bytearray that was pickled before."""

    def __init__(self, data):
        self.data = data

    def __reduce__(self):
        self.data.clear()
        return int, ()


def test_what_was_written_stays():
    data = bytearray(1 << 17)
    made = _wire.dumps((data, Clears(data)), None, _tutti.Trial(60))
    assert _wire.load(made) == (bytes(1 << 17), 0) and not data


def test_a_map_goes_on_in_the_caller():
    seen, some = [], crowd(5000)
    n = 300
    got = quiet_maps(busy(seen, some), range(n), lambda: Slow.calls)
    assert got == [(x, 5000) for x in range(n)]
    assert seen[-n:] == list(range(n))  # each once, and here
    assert Slow.calls < 500  # of 5 s, far less than half a second


def test_a_map_keeps_its_items():
    seen = []
    f = busy(seen)
    items = [crowd(50) for _ in range(100)]  # longer than a task, by far
    got = quiet_maps(lambda one: f(len(one)), items, lambda: Slow.calls)
    assert got == [(50, None)] * 100
    assert Slow.calls < 500


def interrupt(_):
    raise KeyboardInterrupt


def test_an_interrupt_in_it_is_the_users():
    some = crowd(3, interrupt)

    def until_interrupted():
        for _ in range(20):
            tutti.map(busy([], some), range(300))

    with pytest.raises(KeyboardInterrupt):
        until_interrupted()
    assert tutti.map(abs, [-1] * 3) == [1] * 3
