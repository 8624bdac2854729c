"""tutti.linalg against NumPy: whole numbers exactly, floats within rounding,
the same bits wherever it runs."""

import itertools
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

import tutti

numpy = pytest.importorskip("numpy")
linalg = pytest.importorskip("tutti.linalg")

TYPES = ["f8", "f4", "i8", "i4"]
PLACES = ["serial", *("threads:%d" % n for n in range(1, 9))]


def random_of(rng, shape, dtype):
    dtype = numpy.dtype(dtype)
    if dtype.kind == "f":
        return rng.standard_normal(shape).astype(dtype)
    most = numpy.iinfo(dtype)
    return rng.integers(most.min, most.max, shape, dtype, endpoint=True)


def strided(rng, shape, dtype):
    """An array somewhere in another: steps, backwards, axes in any order."""
    steps = [int(s) for s in rng.integers(1, 4, len(shape))]
    axes = [int(axis) for axis in rng.permutation(len(shape))]
    if rng.integers(2):
        steps = [1] * len(shape)
    whole = [n * step for n, step in zip(shape, steps)]
    x = random_of(rng, [whole[axis] for axis in axes], dtype)
    x = x.transpose([axes.index(i) for i in range(len(shape))])
    x = x[tuple(slice(None, None, step) for step in steps)]
    return x[tuple(slice(None, None, int(rng.choice([1, 1, -1])))
                   for _ in shape)]


def shape_of(rng, dimensions):
    most = {1: 50000, 2: 300, 3: 40, 4: 12}[dimensions]
    return tuple(int(n) for n in rng.integers(0 if rng.integers(9) == 0 else 1,
                                              most, dimensions))


def close(found, expected, scale):
    """Within rounding of sums of magnitudes `scale`; whole numbers exactly."""
    found, expected = numpy.asarray(found), numpy.asarray(expected)
    assert found.dtype == expected.dtype and found.shape == expected.shape
    if found.dtype.kind == "i":
        return numpy.array_equal(found, expected)
    bound = 200 * numpy.finfo(found.dtype).eps * numpy.asarray(scale)
    return bool(numpy.all(abs(found - expected) <= bound))


def bits(x):
    return numpy.asarray(x).tobytes()


def cases(seed, count):
    for i in range(count):
        yield numpy.random.default_rng([seed, i]), TYPES[i % 4]


def check_sum(rng, dtype, places):
    x = strided(rng, shape_of(rng, int(rng.integers(1, 5))), dtype)
    sums = [linalg.sum(x, on=on) for on in places]
    wide = x.astype("i8") if dtype == "i4" else x
    assert close(sums[0], wide.sum(dtype=wide.dtype), abs(x).astype("f8").sum())
    return sums


def check_dot(rng, dtype, places):
    shape = shape_of(rng, 1)
    a, b = strided(rng, shape, dtype), strided(rng, shape, dtype)
    sums = [linalg.dot(a, b, on=on) for on in places]
    with numpy.errstate(over="ignore"):
        expected = (a * b).sum(dtype=a.dtype)
    assert close(sums[0], expected, abs(a * 1.0 * b).sum())
    return sums


def check_matvec(rng, dtype, places):
    shape = shape_of(rng, 2)
    a, x = strided(rng, shape, dtype), strided(rng, shape[1:], dtype)
    products = [linalg.matvec(a, x, on=on) for on in places]
    assert close(products[0], a @ x, abs(a * 1.0) @ abs(x * 1.0))
    if len(a):
        row = int(rng.integers(len(a)))
        assert bits(products[0][row]) == bits(linalg.dot(a[row], x))
    return products


def check_pair(rng, dtype, places):
    shape = shape_of(rng, int(rng.integers(1, 5)))
    a = strided(rng, shape, dtype)
    less = [n if rng.integers(4) else 1 for n in shape]
    b = strided(rng, less[int(rng.integers(len(less))):], dtype)
    f, g = [(linalg.multiply, numpy.multiply),
            (linalg.add, numpy.add)][int(rng.integers(2))]
    results = [f(a, b, on=on) for on in places]
    with numpy.errstate(over="ignore"):
        expected = g(a, b)
    assert results[0].dtype == expected.dtype
    assert numpy.array_equal(results[0], expected)
    return results


CHECKS = [check_sum, check_dot, check_matvec, check_pair]


@pytest.mark.parametrize("check", CHECKS)
def test_random(check):
    """With the others, 1,000 cases."""
    for rng, dtype in cases(CHECKS.index(check), 250):
        places = ["auto", "serial", PLACES[int(rng.integers(1, 9))]]
        found = check(rng, dtype, places)
        assert len({bits(x) for x in found}) == 1


@pytest.mark.parametrize("check", CHECKS)
def test_processes(check):
    for rng, dtype in cases(10 + CHECKS.index(check), 12):
        found = check(rng, dtype, ["serial", "processes:2"])
        assert bits(found[0]) == bits(found[1])


def test_all_places():
    rng = numpy.random.default_rng(5)
    a = rng.standard_normal((300, 3000))
    x = rng.standard_normal(3000)
    with tutti.Executor(2) as executor:
        places = [*PLACES, "processes:2", executor]
        for f in (lambda on: linalg.sum(a, on=on),
                  lambda on: linalg.sum(a[:, ::3], on=on),
                  lambda on: linalg.dot(a.ravel(), a.ravel()[::-1], on=on),
                  lambda on: linalg.matvec(a, x, on=on),
                  lambda on: linalg.matvec(a.T, a[:, 0], on=on),
                  lambda on: linalg.multiply(a, x, on=on)):
            assert len({bits(f(on)) for on in places}) == 1


DIGEST = """
import hashlib, numpy, tutti.linalg as linalg
rng = numpy.random.default_rng(3)
digest = hashlib.sha256()
for dtype in "f8", "f4", "i8", "i4":
    a = (1000 * rng.standard_normal((211, 4321))).astype(dtype)
    x = (1000 * rng.standard_normal(4321)).astype(dtype)
    for found in (linalg.sum(a), linalg.sum(a[::-1, ::2]),
                  linalg.dot(a[0], x), linalg.dot(a.ravel(), a.ravel()),
                  linalg.matvec(a, x), linalg.matvec(a.T, a[:, 0]),
                  linalg.matvec(a[:, ::7], x[::7]), linalg.matvec(a[:, :3], x[:3]),
                  linalg.matvec(numpy.asfortranarray(a), x),
                  linalg.multiply(a, x), linalg.add(a.T, 3)):
        digest.update(numpy.ascontiguousarray(found).tobytes())
print(digest.hexdigest())
"""


def test_instruction_sets():
    found = set()
    for isa in "plain", "avx2", "avx512":
        done = subprocess.run(
            [sys.executable, "-c", DIGEST], stdout=subprocess.PIPE, timeout=100,
            env={**os.environ, "TUTTI_ISA": isa}, check=True)
        found.add(done.stdout)
    assert len(found) == 1


def test_layouts_have_the_same_bits():
    rng = numpy.random.default_rng(2)
    a, x = rng.standard_normal((333, 5000)), rng.standard_normal(5000)
    apart = numpy.empty((333, 2, 5000))
    apart[:, 1, :] = a
    wide = numpy.empty((333, 5000, 2))
    wide[:, :, 0] = a
    odd = numpy.empty(a.nbytes + 1, "b")[1:].view("f8").reshape(a.shape)
    odd[...] = a
    layouts = [a, numpy.asfortranarray(a), apart[:, 1, :], wide[:, :, 0], odd,
               a[::-1].copy()[::-1], a[:, ::-1].copy()[:, ::-1]]
    assert len({bits(linalg.matvec(a, x)) for a in layouts}) == 1
    assert len({bits(linalg.dot(a[7], x)) for a in layouts}) == 1
    same = [layouts[i] for i in (0, 2, 3, 4, 5, 6)]
    assert len({bits(linalg.sum(a)) for a in same}) == 1


def test_out():
    a = numpy.arange(12.0).reshape(3, 4)
    out = numpy.empty((4, 3)).T
    assert linalg.multiply(a, a, out=out) is out
    assert numpy.array_equal(out, a * a)
    y = numpy.zeros(6)
    assert linalg.matvec(a, a[0], out=y[::2]).base is y
    assert y.tolist() == [14, 0, 38, 0, 62, 0]
    for x in numpy.arange(10.0), numpy.arange(60.0).reshape(5, 3, 4)[:, ::2, :3]:
        expected = x + x
        assert linalg.add(x, x, out=x) is x
        assert numpy.array_equal(x, expected)


def test_overlaps():
    """As if the result was computed, then stored."""
    x = numpy.arange(50000)
    expected = x[:-1] + x[1:]
    linalg.add(x[:-1], x[1:], out=x[1:])
    assert numpy.array_equal(x[1:], expected)
    x = numpy.arange(3 * 4 * 5 * 2).reshape(3, 4, 5, 2)[..., 0]
    expected = x * x[::-1]
    linalg.multiply(x, x[::-1], out=x)
    assert numpy.array_equal(x, expected)
    a = numpy.arange(9.0).reshape(3, 3)
    expected = a @ a[0]
    linalg.matvec(a, a[0], out=a[:, 1])
    assert numpy.array_equal(a[:, 1], expected)


def test_results():
    assert type(linalg.sum(numpy.ones(3, "i4"))) is numpy.int64
    assert type(linalg.sum(numpy.ones(3, "f4"))) is numpy.float32
    assert type(linalg.dot(numpy.ones(3, "i4"), numpy.ones(3, "i4"))) is numpy.int32
    assert type(linalg.multiply(numpy.float64(2), 3)) is numpy.float64
    assert linalg.sum(7.5) == 7.5
    assert linalg.add(2.0, 3.0, on="processes") == 5
    assert linalg.sum([]) == 0 and linalg.dot([], []) == 0
    assert linalg.matvec(numpy.empty((2, 0)), []).tolist() == [0, 0]
    assert linalg.matvec(numpy.empty((0, 2)), [1.0, 2.0]).shape == (0,)
    assert linalg.add(numpy.empty((0, 2)), 1).shape == (0, 2)
    assert linalg.multiply(numpy.asfortranarray(numpy.ones((3, 2))),
                           2).flags.f_contiguous
    big = numpy.full(3, 2 ** 62)
    assert linalg.sum(big) == numpy.sum(big)
    assert linalg.dot(big, big) == 0
    assert linalg.sum(numpy.full(3, 2 ** 31 - 1, "i4")) == 3 * (2 ** 31 - 1)


def test_other_buffers():
    from array import array

    assert linalg.sum(array("d", [1, 2, 3])) == 6
    assert linalg.dot(memoryview(array("q", range(6)))[::2],
                      [1, 1, 1]) == 6
    frozen = numpy.arange(4.0)
    frozen.flags.writeable = False
    assert linalg.sum(frozen) == 6
    assert linalg.sum(numpy.broadcast_to(2.5, (100, 1000))) == 250000


BAD = [
    (lambda x: linalg.sum(x.astype(complex)), TypeError,
     "tutti.linalg.sum: x must be an array of float64, float32, int64 or "
     "int32, got elements of complex128 (16 bytes)"),
    (lambda x: linalg.sum(x > 0), TypeError, "got elements of bool"),
    (lambda x: linalg.sum([None]), TypeError, "got elements of object"),
    (lambda x: linalg.sum(x.astype(">f8")), TypeError,
     'byte order of another machine: copy it by .astype("float64")'),
    (lambda x: linalg.add(x, x.astype("f4")), TypeError,
     "tutti.linalg.add: b has float32, another array has float64"),
    (lambda x: linalg.multiply([1, 2], 0.5), TypeError,
     "a float and an array of int64 given"),
    (lambda x: linalg.multiply(x, x[:, :2]), ValueError,
     "a has shape (3, 4), b has shape (3, 2): they cannot be broadcast"),
    (lambda x: linalg.multiply(x, x, out=x[:2]), ValueError,
     "a has shape (3, 4), out has shape (2, 4): it cannot be broadcast to that"),
    (lambda x: linalg.multiply(x, x, out=numpy.broadcast_to(1.0, (3, 4))),
     ValueError, "out is read-only"),
    (lambda x: linalg.dot(x, x), ValueError,
     "tutti.linalg.dot: a has shape (3, 4), 1 dimension expected"),
    (lambda x: linalg.dot(x[0], x[0, :3]), ValueError,
     "a has shape (4,), b has shape (3,)"),
    (lambda x: linalg.matvec(x, x[:, 0]), ValueError,
     "a has shape (3, 4), x has shape (3,): x must have an element for each "
     "column of a"),
    (lambda x: linalg.matvec(x, x[0], out=x[0]), ValueError,
     "a has shape (3, 4), out has shape (4,)"),
    (lambda x: linalg.matvec(x[0], x[0]), ValueError, "2 dimensions expected"),
    (lambda x: linalg.sum(x, on="nowhere"), ValueError,
     'unknown place "nowhere"'),
    (lambda x: linalg.sum(x, workers=0), ValueError,
     "workers must be 1 to 1000000, got 0"),
    (lambda x: linalg.sum(x, on=3), TypeError, "got int"),
    (lambda x: linalg.dot(x[0], x[0, :3], on="processes"), ValueError,
     "a has shape (4,), b has shape (3,)"),
    (lambda x: linalg.matvec(x, x[:, 0], on="processes"), ValueError,
     "x has shape (3,)"),
    (lambda x: linalg.add(x, x, out=x[:2], on="processes"), ValueError,
     "out has shape (2, 4)"),
    (lambda x: linalg.add(x, x, out=x.astype("i8"), on="processes"), TypeError,
     "a has float64, another array has int64"),
    (lambda x: linalg.add(x, x, out=[0], on="processes"), TypeError,
     "out must be an array"),
    (lambda x: linalg.matvec(x, x[0], out=x[0, :3].astype("f4"),
                             on="processes"), TypeError,
     "out has float32, another array has float64"),
    (lambda x: linalg.matmul(x, x.T, out=numpy.zeros((3, 3), "i8"),
                             on="processes"), TypeError,
     "out has int64, another array has float64"),
    (lambda x: linalg.add(x.astype("i4"), 2**31), OverflowError,
     "tutti.linalg.add: 2147483648 does not fit int32"),
    (lambda x: linalg.multiply(-2**63 - 1, x.astype("i8")), OverflowError,
     "tutti.linalg.multiply: -9223372036854775809 does not fit int64"),
]


@pytest.mark.parametrize("f, kind, line", BAD, ids=itertools.count())
def test_bad(f, kind, line):
    x = numpy.ones((3, 4))
    with pytest.raises(kind) as caught:
        f(x)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_interrupt():
    """A sum of what takes minutes ends soon after ctrl-C."""
    x = numpy.broadcast_to(1.0, (1 << 36,))

    def interrupt():
        time.sleep(0.3)
        signal.raise_signal(signal.SIGINT)

    for on in "serial", "threads:2":
        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            linalg.sum(x, on=on)
        thread.join()


def test_lock_is_free():
    """Another thread's Python runs meanwhile."""
    x = numpy.broadcast_to(1.0, (1 << 30,))
    seen = []
    stop = threading.Event()

    def count():
        while not stop.is_set():
            seen.append(0)
            time.sleep(0.001)

    thread = threading.Thread(target=count)
    thread.start()
    linalg.sum(x, on="serial")
    stop.set()
    thread.join()
    assert len(seen) > 10


def test_forced():
    code = ("import numpy, tutti.linalg as l; x = numpy.ones((50, 70)); "
            "print(l.sum(x), l.matvec(x, x[0]).sum(), l.add(x, 1).sum())")
    for on in "serial", "threads", "processes":
        done = subprocess.run(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, timeout=100,
            env={**os.environ, "TUTTI_ON": on}, check=True)
        assert done.stdout == b"3500.0 3500.0 7000.0\n"
