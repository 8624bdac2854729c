"""T19: the estimate of T17 by several processes.

The text writes a class: each process draws its share of the M points, a queue
collects sums, and M must divide by the workers. Here any M and any workers give
the same number, to the last bit: the points are a function of the seed and
their index, and sums have a fixed order.

    python t19_monte_carlo_processes.py [M]
"""

import sys
import time

import tutti


def f(x):
    return x[0] * x[0] + x[1] * x[1]


def main():
    m = int(sys.argv[1]) if len(sys.argv) > 1 else 10007
    box = [(0, 1), (0, 1)]
    found = set()
    for on, workers in [("serial", None), ("processes", 1), ("processes", 2),
                        ("processes", 3), ("auto", None)]:
        tutti.expect(f, box, 10, on=on, workers=workers)  # starts them
        began = time.perf_counter()
        e = tutti.expect(f, box, m, on=on, workers=workers)
        print("%-9s %-7s %8.2f ms   %.16f +- %.1g" % (
            on, workers or "", 1e3 * (time.perf_counter() - began), e.value,
            e.stderr))
        found.add(e.value)
    print("the same bits:", len(found) == 1)


if __name__ == "__main__":
    main()
