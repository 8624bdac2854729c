"""What travelling will take is guessed before it is tried."""

import functools

import numpy
import pytest

import tutti
from tutti import _tutti

MB = 1 << 20
HUGE = 20 * MB


def by_name(x, table=[0] * MB):
    return x


def closure(captured):
    return lambda x: captured and x


class Holder:
    def __init__(self, value):
        self.value = value

    def method(self, x):
        return x


HEAVY = {
    "array": numpy.zeros(HUGE // 8),
    "bytes": bytes(HUGE),
    "bytearray": bytearray(HUGE),
    "text": "x" * HUGE,
    "numbers": list(range(MB)),
    "tuple": tuple(range(MB)),
    "texts": ["abc"] * MB,
    "rows": [[1, 2, 3]] * 200000,
    "dict": dict.fromkeys(range(MB)),
    "set": set(range(MB)),
    "objects": [Holder(1)] * 100000,
    "in an object": Holder(list(range(MB))),
    "in a list": [1, 2, numpy.zeros(HUGE // 8)],
}


@pytest.mark.parametrize("name", HEAVY)
def test_heavy(name):
    value = HEAVY[name]
    for what in (value, closure(value), Holder(value), Holder(value).method):
        assert 1e-3 < _tutti.weigh(what) < 1, what


def test_light():
    def plain(x):
        return x * x

    for what in (
        1, "a", None, int, numpy, abs, plain, by_name, closure(5), Holder(3),
        Holder(4).method, [1, 2, 3], (), [], {}, set(), b"", {"a": [1]},
        functools.partial(plain, 3), object(), numpy.zeros(3), memoryview(b""),
    ):
        assert _tutti.weigh(what) < 20e-6, what


def test_of_a_cycle():
    ring = []
    ring.append([ring, {"ring": ring}])
    assert _tutti.weigh(ring) < 1e-3
    holder = Holder(None)
    holder.value = holder
    assert _tutti.weigh(holder) < 1e-3


def test_nothing_of_the_users_runs():
    class Touchy:
        def __getattribute__(self, name):
            raise AssertionError(name)

        def __len__(self):
            raise AssertionError("len")

        def __iter__(self):
            raise AssertionError("iter")

    assert _tutti.weigh(Touchy()) < 1e-3
    assert tutti.map(lambda x, t=Touchy(): x, [1, 2]) == [1, 2]


def test_a_buffer_that_refuses():
    view = memoryview(bytearray(10))
    view.release()
    assert _tutti.weigh(view) < 1e-3
    assert tutti.map(lambda x: 1, [view]) == [1]


def test_auto_does_not_start_what_cannot_pay():
    """5 ms of work are not worth the way of 20 MB objects."""
    items = [list(range(i, i + 200000)) for i in range(5)]
    tutti.map(len, list(range(3)), on="processes", errors="return")
    expected = [len(x) for x in items]
    assert tutti.map(lambda x: len(x), items) == expected
    assert "serial" in tutti.explain()
