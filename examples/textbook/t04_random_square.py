"""T4: the random square, and where parallel begins to pay.

For each seed: seed NumPy's generator, draw an integer below 10, square it.
Timed for n = 10, 31, 100, ... seeds: the plain loop, tutti.map with the same
Python function, and with a C function that gives the same numbers, bit for bit
(../random_square.c; compiled before). Then a log-log plot.

The textbook's pool loses up to some 10,000 seeds. tutti.map begins in the
caller: there is no size at which it loses.

    python t04_random_square.py [MOST]        (1000000: the largest n)
"""

import math
import pathlib
import sys
import time

import numpy

import tutti

SOURCE = pathlib.Path(__file__).resolve().parent.parent / "random_square.c"
WIDTH, HEIGHT = 64, 16
ROUNDS, SMALL = 5, 100_000  # the best of so many, up to so many seeds


def random_square(seed):
    numpy.random.seed(seed)
    return numpy.random.randint(0, 10) ** 2


def timed(n, *ways):
    """Seconds and result of each way, the best of some rounds."""
    found = [(float("inf"), None)] * len(ways)
    for _ in range(ROUNDS if n <= SMALL else 1):
        for i, run in enumerate(ways):
            start = time.perf_counter()
            result = run()
            taken = time.perf_counter() - start
            found[i] = min(found[i][0], taken), result
    return found


def measure(most):
    """Rows of (n, seconds of the loop, of tutti.map, of C)."""
    rows = []
    kernel = tutti.kernel("%s:random_square" % SOURCE)
    print("%10s %12s %12s %8s %12s" % ("seeds", "loop s", "tutti.map s",
                                       "ratio", "C s"))
    for k in range(2, 1 + int(2 * math.log10(most) + 1e-9)):
        n = int(10 ** (k / 2))
        (loop, expected), (mapped, results), (c, squares) = timed(
            n, lambda: [random_square(seed) for seed in range(n)],
            lambda: tutti.map(random_square, range(n)),
            lambda: tutti.map(kernel, range(n)))
        assert results == expected and (squares == expected).all()
        print("%10d %12.6f %12.6f %8.2f %12.6f"
              % (n, loop, mapped, loop / mapped, c))
        rows.append((n, loop, mapped, c))
    return rows


def plot(rows):
    """Seconds over seeds, both logarithmic: l loop, t tutti.map, c C, + where
    several meet."""
    times = [t for row in rows for t in row[1:]]
    low, high = math.log10(min(times)), math.log10(max(times))
    paper = [[" "] * WIDTH for _ in range(HEIGHT)]
    for i, row in enumerate(rows):
        x = i * (WIDTH - 1) // max(len(rows) - 1, 1)
        for mark, t in zip("ltc", row[1:]):
            y = round((math.log10(t) - low) / (high - low) * (HEIGHT - 1))
            line = paper[HEIGHT - 1 - y]
            line[x] = mark if line[x] == " " else "+"
    print("\n%8.1g s" % max(times))
    for line in paper:
        print("          |" + "".join(line).rstrip())
    print("%8.1g s +%s\n%11s%-*s%s" % (min(times), "-" * WIDTH, "", WIDTH - 7,
                                       rows[0][0], rows[-1][0]))
    print("seconds over seeds; l: loop, t: tutti.map, c: C, +: several")


if __name__ == "__main__":
    plot(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))
