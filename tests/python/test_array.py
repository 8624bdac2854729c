"""Arrays and other large buffers: right values, flags and owners."""

import mmap
import os
import pickle

import numpy
import pytest

import tutti
import tutti.array

LARGE = 100_000  # bytes that travel beside the pickle


def same(x):
    return x


def describe(a):
    """What a task sees of an array."""
    flags = a.flags
    return (
        a.dtype,
        a.shape,
        flags.writeable,
        flags.c_contiguous,
        flags.f_contiguous,
        type(a),
    )


def big(dtype=float):
    return numpy.arange(LARGE, dtype=dtype)


class Sub(numpy.ndarray):
    pass


def read_only(a):
    a.flags.writeable = False
    return a


def mapped(tmp_path):
    path = tmp_path / "data"
    big().tofile(path)
    return numpy.memmap(path, float, "r+")


ARRAYS = {
    "small": lambda _: numpy.arange(10.0),
    "large": lambda _: big(),
    "complex": lambda _: big(complex),
    "big endian": lambda _: big(">i4"),
    "rows": lambda _: big().reshape(100, -1),
    "fortran": lambda _: numpy.asfortranarray(big().reshape(100, -1)),
    "every other": lambda _: big()[::2],
    "backwards": lambda _: big()[::-1],
    "transposed": lambda _: big().reshape(10, 100, -1).transpose(1, 0, 2),
    "block of rows": lambda _: big().reshape(100, -1)[10:90],
    "block of columns": lambda _: big().reshape(100, -1)[:, 10:90],
    "broadcast": lambda _: numpy.broadcast_to(1.5, (300, 300)),
    "read only": lambda _: read_only(big()),
    "small read only": lambda _: read_only(numpy.arange(10)),
    "objects": lambda _: numpy.array([1, "a", None, [2]] * 30000, object),
    "records": lambda _: numpy.zeros(30000, [("x", "f8"), ("y", "i4")]),
    "texts": lambda _: numpy.array(["abc", "defg"] * 20000),
    "times": lambda _: numpy.arange(LARGE).astype("M8[s]"),
    "empty": lambda _: numpy.empty((0, 5)),
    "no dimension": lambda _: numpy.array(3.5),
    "subclass": lambda _: big().view(Sub),
    "masked": lambda _: numpy.ma.masked_less(big(), 50),
    "memmap": mapped,
    "born": lambda _: tutti.array.zeros((100, 1000)),
    "slice of born": lambda _: tutti.array.zeros((100, 1000))[20:90],
}


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("how", ["argument", "captured", "nested"])
def test_as_pickle_gives_it(name, how, tmp_path):
    array = ARRAYS[name](tmp_path)
    copy = pickle.loads(pickle.dumps(array, 5))
    if how == "argument":
        back = tutti.map(lambda x: (describe(x), x), [array], on="processes:1")
    elif how == "captured":
        back = tutti.map(
            lambda i: (describe(array), array), [0], on="processes:1"
        )
    else:
        back = tutti.map(
            lambda x: (describe(x["a"][0]), x["a"][0]),
            [{"a": [array]}],
            on="processes:1",
        )
    (seen, result), = back
    assert seen == describe(copy)
    assert describe(result) == describe(pickle.loads(pickle.dumps(copy, 5)))
    numpy.testing.assert_array_equal(result, array)


@pytest.mark.parametrize("count", [10, 1000, 10**4, 10**5, 10**6])
@pytest.mark.parametrize("how", ["argument", "captured"])
@pytest.mark.parametrize("make", [numpy.zeros, tutti.array.zeros])
def test_writing_in_place(count, how, make):
    """Works at any size, and the caller's own is untouched."""
    array = make(count)

    def bump(x):
        if x is None:
            x = array
        x += 1
        return x.sum()

    items = [array if how == "argument" else None]
    assert set(tutti.map(bump, items, on="processes")) == {float(count)}
    assert not array.any()


@pytest.mark.parametrize("count", [10, 10**5])
def test_results_are_writable(count):
    for result in tutti.map(numpy.zeros, [count] * 5, on="processes"):
        result += 1
        assert result.sum() == count


def test_results_outlive_the_worker():
    back = tutti.map(
        lambda n: (os.getpid(), numpy.full(n, 7.0)), [LARGE] * 4,
        on="processes:2",
    )
    for pid in {pid for pid, _ in back}:
        os.kill(pid, 9)
    again = tutti.map(numpy.zeros, [LARGE] * 4, on="processes:2")
    assert all((result == 7).all() for _, result in back)
    assert not any(result.any() for result in again)


def test_arguments_outlive_their_task():
    """What a task keeps is not overwritten by the next."""
    kept = []

    def keep(x):
        kept.append(x)
        return [float(old[0]) for old in kept], os.getpid()

    back = tutti.map(
        keep, [numpy.full(LARGE, float(i)) for i in range(20)], on="processes:1"
    )
    assert back[-1][0] == [float(i) for i in range(20)]


@pytest.mark.parametrize("size", [0, 10, 65535, 65536, 10**6])
@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_bytes(size, kind):
    data = kind(os.urandom(size))
    for items in ([data] * 3, [data, b"", data], [(data, 1)], [[data]]):
        back = tutti.map(same, items, on="processes:1")
        assert back == items
        assert type(back[0]) is type(items[0])


def test_pickle_buffers():
    def total(x):
        return sum(bytes(x))

    data = bytearray(range(250)) * 1000
    back = tutti.map(total, [pickle.PickleBuffer(data)], on="processes:1")
    assert back == [sum(data)]


def test_an_anonymous_map():
    with mmap.mmap(-1, 1 << 20) as area:
        area[:5] = b"hello"
        array = numpy.frombuffer(area, "u1")
        back, = tutti.map(same, [array], on="processes:1")
        assert bytes(back[:5]) == b"hello"
        del array


def test_the_same_array_in_every_task():
    array = big()
    other = big(int)
    for items in ([array] * 50, [(array, i) for i in range(50)]):
        back = tutti.map(
            lambda x: float((x[0] if type(x) is tuple else x)[-1]),
            items, on="processes:2",
        )
        assert back == [LARGE - 1.0] * 50
    back = tutti.map(
        lambda x, y: x[3] + y[4], [array] * 50, [other] * 50, on="processes:2"
    )
    assert back == [7.0] * 50


def test_one_array_is_copied_once():
    from tutti._wire import Memo

    memo, array = Memo(), big()
    views = [pickle.PickleBuffer(array).raw() for _ in range(3)]
    blocks = [memo.take(view) for view in views]
    assert blocks[0] is blocks[1] is blocks[2]
    assert bytes(blocks[0]) == array.tobytes()
    assert memo.take(memoryview(array[10:]).cast("B")) is not blocks[0]


def test_a_memo_keeps_little():
    from tutti._wire import Memo

    class Small(Memo):
        SPARE = 3 * big().nbytes

    memo = Small()
    arrays = [big() for _ in range(10)]
    twice = memo.take(memoryview(arrays[0]).cast("B"))
    assert memo.take(memoryview(arrays[0]).cast("B")) is twice
    for array in arrays[1:]:
        memo.take(memoryview(array).cast("B"))
    assert len(memo.known) == 4
    assert memo.take(memoryview(arrays[0]).cast("B")) is twice


@pytest.mark.parametrize("shape", [5, (3, 4), (), 0, (0, 3), (2, 3, 4)])
@pytest.mark.parametrize("dtype", [float, "i2", "U3", [("x", "f8")], bool])
@pytest.mark.parametrize("order", ["C", "F"])
def test_empty_and_zeros(shape, dtype, order):
    model = numpy.zeros(shape, dtype, order)
    made = tutti.array.zeros(shape, dtype, order)
    assert describe(made) == describe(model)
    assert (made == model).all()
    assert describe(tutti.array.empty(shape, dtype, order)) == describe(model)


def test_born_arrays_are_not_copied():
    from tutti import _tutti

    array = tutti.array.zeros(LARGE)
    block = _tutti.share(memoryview(array).cast("B"))
    assert _tutti.address(block) == _tutti.address(array)
    half = _tutti.share(memoryview(array[LARGE // 2:]).cast("B"))
    assert _tutti.address(half) == _tutti.address(array[LARGE // 2:])
    other = big()
    assert _tutti.address(_tutti.share(other)) != _tutti.address(other)


def test_what_empty_refuses():
    with pytest.raises(TypeError, match="Python objects"):
        tutti.array.empty(3, object)
    with pytest.raises(ValueError):
        tutti.array.empty(-1)
    with pytest.raises(MemoryError):
        tutti.array.empty(1 << 56)


def test_without_numpy(script):
    code = (
        "import sys; sys.modules['numpy'] = None\n"
        "import tutti\n"
        "assert tutti.map(abs, [-1], on='processes') == [1]\n"
        "try:\n    import tutti.array\n"
        "except ImportError as error:\n    print(error)\n"
    )
    out, err = script(code)
    assert "tutti.array needs NumPy" in out, err
