"""Items, results and what they are made of come back as they were."""

import math
import os
import struct
import time

import pytest

import tutti
from tutti import _tutti


def same(x):
    return x


def pair(x, y):
    return x, y


def bits(x):
    return struct.pack("d", x)


NAN = struct.unpack("d", struct.pack("Q", 0x7FF8DEADBEEF0001))[0]
LISTS = {
    "ints": [0, -1, 1, 256, 257, 2**30, -(2**31), 2**62, 2**63 - 1, -(2**63)],
    "ints too long": list(range(20)) + [2**63],
    "ints and bools": list(range(20)) + [True],
    "bools": [True, False] * 10,
    "nones": [None] * 20,
    "singles": [None, True, False] * 7,
    "singles and ints": [None, True, False, 0, 1] * 5,
    "floats": [0.0, -0.0, 1.5, math.inf, -math.inf, 5e-324, 1e308, 0.1, 2.0],
    "floats and ints": [0.5, 1] * 10,
    "texts": ["a", "b"] * 10,
}
PACKED = {"ints", "bools", "nones", "singles", "floats"}


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("n", [1, 7, 8, 100])
def test_values_and_types(name, n, on):
    items = (LISTS[name] * 100)[-n:]
    back = tutti.map(same, items, on=on)
    assert back == items
    assert list(map(type, back)) == list(map(type, items))


@pytest.mark.parametrize("name", LISTS)
def test_two_columns(name, on):
    items = LISTS[name] * 3
    for other in (items[::-1], range(len(items)), ["x"] * len(items)):
        back = tutti.map(pair, items, other, on=on)
        assert back == list(zip(items, other))
        assert [type(x) for x, _ in back] == list(map(type, items))


def test_every_bit_of_a_float():
    items = [NAN, -NAN, -0.0, 0.0] * 10
    back = tutti.map(same, items, on="processes")
    assert list(map(bits, back)) == list(map(bits, items))


class Whole(int):
    pass


class Real(float):
    pass


def test_subclasses_stay_what_they_are():
    for items in ([Whole(3)] * 20, [Real(3)] * 20, [1] * 19 + [Whole(1)]):
        back = tutti.map(same, items, on="processes")
        assert list(map(type, back)) == list(map(type, items))


def test_pack_takes_one_kind_only():
    for name, items in LISTS.items():
        packed = _tutti.pack(items, 0, len(items))
        assert (packed is not None) == (name in PACKED)
        if packed is not None:
            assert _tutti.unpack(packed) == items
            assert list(_tutti.Packed(packed)) == items


def test_pack_takes_slices():
    items = list(range(100))
    assert _tutti.unpack(_tutti.pack(items, 10, 20)) == items[10:20]
    assert _tutti.pack(items, 5, 5) is None
    assert _tutti.pack(items, 5, 101) is None
    assert _tutti.pack(items, -1, 5) is None
    with pytest.raises(TypeError):
        _tutti.pack({1}, 0, 1)


@pytest.mark.parametrize("data", [b"", b"i", b"x" * 16, b"i" + bytes(8)])
def test_unpack_refuses_other_bytes(data):
    with pytest.raises(ValueError):
        _tutti.unpack(data)
    with pytest.raises(ValueError):
        _tutti.Packed(data)


def test_identity_within_an_item_is_kept():
    a = ["shared"]
    for one, two in tutti.map(same, [(a, a)] * 20, on="processes"):
        assert one is two


@pytest.mark.parametrize("size", [10, 2**20 - 50, 2**20, 3 * 2**20])
def test_large_pickles(size, on):
    """Bytes without buffers, copied once."""
    for make in (lambda: "x" * size, lambda: ["ab"] * (size // 4)):
        value = make()
        back = tutti.map(pair, [value, 1], [2, value], on=on)
        assert back == [(value, 2), (1, value)]


def test_large_packed_items_as_block_or_not():
    from tutti._wire import Memo, dump_range, load_range

    for n in (10, 2**17 - 2, 2**17, 2**18):
        *parts, buffers = dump_range((list(range(n)),), 0, n, 7, 0, Memo())
        assert len(buffers) == (n >= 2**17 - 1)
        column, = load_range(memoryview(b"".join(parts)), tuple(buffers))
        assert list(column) == list(range(n))


def test_large_pickles_with_buffers():
    numpy = pytest.importorskip("numpy")
    value = ["text %d" % i for i in range(200000)], numpy.arange(50000.0)
    (texts, array), = tutti.map(same, [value], on="processes:1")
    assert texts == value[0]
    array += 1
    assert (array == value[1] + 1).all()


def test_one_task_after_the_other_goes_to_one_worker():
    """Whose memory is warm; the other would need as much again."""
    with tutti.Pool(2) as pool:
        pids = [pool.apply(os.getpid) for _ in range(30)]
        pids += [pool.apply(slow_pid, (0.002,)) for _ in range(30)]
    # The other may have its first task when it comes, late.
    assert sum(a != b for a, b in zip(pids, pids[1:])) <= 1


def slow_pid(seconds):
    time.sleep(seconds)
    return os.getpid()
