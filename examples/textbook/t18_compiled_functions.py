"""T18: the moment of a Monte Carlo sample, with functions that are compiled.

The mean of f(x) / g(x) over points x drawn with density g in a box: here the
squared norm, and the uniform density, so the exact value is V n / 3 for the box
[0, 1]^n. The text compiles f and g with Numba and gains nothing: its parts were
NumPy calls already. tutti takes f and g as C text, compiled once and cached,
and Numba's functions as they are (where Numba is installed): both run on all
cores without the interpreter.

    python t18_compiled_functions.py [POINTS] [DIMENSIONS]      (100000 2)
"""

import sys
import time

import numpy

import tutti

TEXT = """
static double f(const double *x, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += x[i] * x[i];
    return sum;
}

static double g(const double *x, int n)
{
    for (int i = 0; i < n; i++)
        if (x[i] < 0 || x[i] > 1)
            return 0;
    return 1;
}

double weight(const double *x, int n)
{
    return f(x, n) / g(x, n);
}
"""


def f(x):
    return numpy.sum(x * x, axis=-1)


def g(x):
    return numpy.all((x >= 0) & (x <= 1), axis=-1).astype(float)


def by_loop(points):
    return sum(f(x) / g(x) for x in points) / len(points)


def by_numpy(points):
    return numpy.mean(f(points) / g(points))


def by_kernel(points):
    return tutti.reduce(tutti.kernel(TEXT), points) / len(points)


def numba_function():
    """f and g for Numba, one by one: None where it is not installed."""
    try:
        import numba
    except ImportError:
        return None

    @numba.njit
    def norm(x):
        total = 0.0
        for value in x:
            total += value * value
        return total

    @numba.njit
    def density(x):
        for value in x:
            if value < 0 or value > 1:
                return 0.0
        return 1.0

    @numba.njit
    def weight(x):
        return norm(x) / density(x)

    return weight


def timed(name, compute, rounds=5):
    best = float("inf")
    for _ in range(rounds):
        began = time.perf_counter()
        value = compute()
        best = min(best, time.perf_counter() - began)
    print("%-28s %10.3f ms   %.6f" % (name, 1e3 * best, value))
    return value


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100000
    n = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    points = numpy.random.default_rng(18).random((count, n))
    print("exact %.6f; the mean of %d points" % (n / 3, count))
    values = [
        timed("loop over NumPy", lambda: by_loop(points[:2000]), 1),
        timed("NumPy, vectorised", lambda: by_numpy(points)),
        timed("C text, first", lambda: by_kernel(points), 1),
        timed("C text", lambda: by_kernel(points)),
    ][1:]
    weight = numba_function()
    if weight is None:
        print("Numba is not installed: its functions are left out")
    else:
        def by_numba():
            return tutti.reduce(weight, points) / count

        values.append(timed("Numba's function, first", by_numba, 1))
        values.append(timed("Numba's function", by_numba))
    print("equal to 12 digits:", numpy.allclose(values, values[0], 1e-12, 0))
    plain = points[:, 0].copy()
    timed("a plain sum: sum()", lambda: sum(plain), 1)
    timed("a plain sum: NumPy", lambda: float(numpy.sum(plain)))
    timed("a plain sum: tutti.reduce", lambda: tutti.reduce(None, plain))


if __name__ == "__main__":
    main()
