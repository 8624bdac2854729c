"""T17: E[f(x)] for points x that are uniform in a box, f the squared norm.

The text draws M points of N coordinates, by a loop or as an array of NumPy's,
and wants the mean and the variance of the estimate; exact is N/3. Any box, any
density, functions of Python or C: tutti.expect draws the points itself.

    python t17_monte_carlo.py [M [N]]
"""

import sys
import time

import numpy

import tutti


def f(x):
    return sum(t * t for t in x)


def by_loop(m, n):
    values = [f(numpy.random.random(n)) for _ in range(m)]
    mean = sum(values) / m
    square = sum(v * v for v in values) / m
    return mean, (square - mean**2) / m


def by_numpy(m, n):
    x = numpy.random.random((m, n))
    values = (x**2).sum(axis=1)
    return values.mean(), values.var() / m


def by_tutti(f, m, n, **more):
    e = tutti.expect(f, [(0, 1)] * n, m, **more)
    return e.value, e.stderr**2


def main():
    m = int(sys.argv[1]) if len(sys.argv) > 1 else 10000
    n = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    text = " + ".join("x%d * x%d" % (d, d) for d in range(n))
    ways = {
        "loop": lambda: by_loop(m, n),
        "tutti.expect, Python": lambda: by_tutti(f, m, n),
        "NumPy": lambda: by_numpy(m, n),
        "tutti.expect, NumPy": lambda: by_tutti(
            lambda x: (x**2).sum(axis=1), m, n, vectorized=True),
        "tutti.expect, C": lambda: by_tutti(text, m, n),
        "the same, a lattice": lambda: by_tutti(text, m, n, method="lattice"),
    }
    print("exact %.6f; M = %d, N = %d" % (n / 3, m, n))
    for name, way in ways.items():
        way()
        seconds = []
        for _ in range(5):
            began = time.perf_counter()
            mean, variance = way()
            seconds.append(time.perf_counter() - began)
        print("%-22s %9.3f ms   %.6f   variance of that %.2g"
              % (name, 1e3 * min(seconds), mean, variance))


if __name__ == "__main__":
    main()
