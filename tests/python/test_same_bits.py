"""The promise of the same bits: random cases in serial, on 1 to 8 threads, in
OpenMP and in processes."""

import os
import random

import pytest

import tutti

numpy = pytest.importorskip("numpy")
linalg = pytest.importorskip("tutti.linalg")

CASES = 1000
PLACES = ["threads:%d" % n for n in range(1, 9)] + ["openmp:3", "processes:2"]

WAVE = "double f(double x) { return x * 1.1 + 1 / (x * x + 0.3); }"
NORM = """double norm(const double *x, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += x[i] * x[i] / 3;
    return sum;
}"""


def size(rng, most):
    """Any size, small ones and odd ones often."""
    return int(most ** rng.random()) - 1 + rng.randrange(2)


def values(rng, *shape):
    made = numpy.random.default_rng(rng.randrange(1 << 32))
    dtype = rng.choice(["float64", "float64", "float32", "int64", "int32"])
    if dtype.startswith("int"):
        limits = numpy.iinfo(dtype)
        return made.integers(limits.min, limits.max, shape, dtype)
    return (made.standard_normal(shape) * 1e3).astype(dtype)


def strided(rng, x):
    """The same values, in another place."""
    step = rng.choice([1, 1, 1, 2, -1])
    wide = numpy.zeros(x.shape[:-1] + (2 * x.shape[-1] + 1,), x.dtype)
    room = wide[..., ::step][..., :x.shape[-1]]
    room[...] = x
    return room


def of_map(rng):
    k = tutti.kernel(WAVE)
    x = values(rng, size(rng, 100000)).astype(float)
    return lambda on: tutti.map(k, x, on=on)


def of_rows(rng):
    k = tutti.kernel(NORM)
    x = values(rng, size(rng, 5000), rng.randrange(1, 9)).astype(float)
    return lambda on: tutti.map(k, x, on=on)


def of_reduce(rng):
    k = tutti.kernel(WAVE)
    x = values(rng, size(rng, 200000) + 1).astype(float) / 1e3
    op = rng.choice(["sum", "prod", "min", "max"])
    return lambda on: tutti.reduce(k, x, op, on=on)


def of_sum(rng):
    x = strided(rng, values(rng, size(rng, 300000)))
    return lambda on: linalg.sum(x, on=on)


def of_dot(rng):
    a = strided(rng, values(rng, size(rng, 200000)))
    b = strided(rng, a[::-1])
    return lambda on: linalg.dot(a, b, on=on)


def of_matvec(rng):
    a = strided(rng, values(rng, size(rng, 500), size(rng, 500)))
    a = numpy.asfortranarray(a) if rng.random() < 0.3 else a
    x = numpy.arange(a.shape[1]).astype(a.dtype)
    return lambda on: linalg.matvec(a, x, on=on)


def of_multiply(rng):
    a = strided(rng, values(rng, size(rng, 300), size(rng, 300)))
    return lambda on: linalg.multiply(a, a[::-1], on=on)


def of_matmul(rng):
    a = strided(rng, values(rng, size(rng, 100), size(rng, 100)))
    b = numpy.arange(a.shape[1] * 17).reshape(a.shape[1], 17).astype(a.dtype)
    return lambda on: linalg.matmul(a, b, on=on)


def of_expect(rng):
    n, seed = rng.randrange(1, 6), rng.randrange(1 << 40)
    samples = size(rng, 100000) + 1
    bits = rng.choice([32, 53])
    return lambda on: numpy.array([getattr(tutti.expect(
        NORM, [(-1, 1.5)] * n, samples=samples, seed=seed, bits=bits, on=on,
    ), name) for name in ("value", "f_variance")])


KINDS = [of_map, of_rows, of_reduce, of_sum, of_dot, of_matvec, of_multiply,
         of_matmul, of_expect]


def same(a, b):
    a, b = numpy.asarray(a), numpy.asarray(b)
    return a.dtype == b.dtype and a.shape == b.shape and \
        a.tobytes() == b.tobytes()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_same_bits(kind):
    seed = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 30)))
    for case in range(-(-CASES // len(KINDS))):
        rng = random.Random("%s %d %d" % (kind.__name__, seed, case))
        run = kind(rng)
        want = run("serial")
        for on in PLACES:
            assert same(run(on), want), "SEED=%d, case %d, %s" % (seed, case, on)
