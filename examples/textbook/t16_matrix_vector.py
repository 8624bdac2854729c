"""T16: workers that are numbered; a matrix times a vector, rows over threads.

The textbook compiles Cython with OpenMP: a parallel region that prints the
numbers of its threads, then the product, timed from n = 400 to 19,600 against
NumPy. Its version drops the rows that do not divide evenly, and loses to NumPy
while n is small.

Here the numbers come from tutti.task.worker, and tutti.linalg.matvec takes any
shape: it begins in the caller and wakes threads when that pays. Its bits are
the same on any number of threads. Matrices that the memory does not hold are
left out. (For tutti from Cython see ../cython.)

    python t16_matrix_vector.py [MOST]        (19600: the largest n)
"""

import math
import sys
import time

import numpy

import tutti
import tutti.linalg

SIDES = 20, 30, 40, 60, 80, 100, 120, 140  # n is the square of it
ROUNDS = 9
WIDTH, HEIGHT = 64, 14


def worker_of(task):
    return tutti.task.worker


def number():
    workers = tutti.map(worker_of, range(8), on="processes:4")
    for task, worker in enumerate(workers):
        print("task %d in worker %d" % (task, worker))


def memory():
    """Bytes that are free for programs."""
    with open("/proc/meminfo") as file:
        for line in file:
            if line.startswith("MemAvailable"):
                return 1024 * int(line.split()[1])
    return 0


def timed(*ways):
    """Milliseconds of each way, the best of some rounds."""
    best = [float("inf")] * len(ways)
    for _ in range(ROUNDS):
        for i, run in enumerate(ways):
            start = time.perf_counter()
            run()
            best[i] = min(best[i], 1e3 * (time.perf_counter() - start))
    return best


def measure(n):
    """Times of NumPy, tutti on one thread, tutti."""
    rng = numpy.random.default_rng(n)
    a, x = rng.random((n, n)), rng.random(n)
    alone = tutti.linalg.matvec(a, x, on="serial")
    assert numpy.array_equal(alone, tutti.linalg.matvec(a, x))
    assert numpy.allclose(alone, a @ x, rtol=1e-12)
    return timed(lambda: a @ x,
                 lambda: tutti.linalg.matvec(a, x, on="serial"),
                 lambda: tutti.linalg.matvec(a, x))


def table(most):
    rows = []
    print("\n%6s %10s %12s %10s %8s" % ("n", "NumPy ms", "1 thread ms",
                                      "tutti ms", "GB/s"))
    for n in (side * side for side in SIDES):
        needed, free = 8.5 * n * n, memory()
        if n > most:
            break
        if needed > 0.8 * free:
            print("%6d left out: it needs %.1f GB, %.1f GB are free"
                  % (n, needed / 1e9, free / 1e9))
            break
        times = measure(n)
        print("%6d %10.3f %12.3f %10.3f %8.1f"
              % (n, *times, 8e-6 * n * n / times[2]))
        rows.append((n, times))
    return rows


def plot(rows):
    """Milliseconds over n, both logarithmic."""
    logs = [[math.log10(t) for t in times] for _, times in rows]
    low, high = min(map(min, logs)), max(map(max, logs))
    first = math.log10(rows[0][0])
    wide = math.log10(rows[-1][0]) - first or 1
    paper = [[" "] * WIDTH for _ in range(HEIGHT)]
    for (n, _), row in zip(rows, logs):
        column = round((math.log10(n) - first) / wide * (WIDTH - 1))
        for mark, t in zip("n1t", row):
            y = round((t - low) / (high - low or 1) * (HEIGHT - 1))
            line = paper[HEIGHT - 1 - y]
            line[column] = mark if line[column] == " " else "+"
    print("\n%8.2g ms" % 10 ** high)
    for line in paper:
        print("           |" + "".join(line).rstrip())
    print("%8.2g ms +%s\n%12s%-*d%d" % (10 ** low, "-" * WIDTH, "", WIDTH - 5,
                                       rows[0][0], rows[-1][0]))
    print("ms over n; n: NumPy, 1: tutti on one thread, t: tutti, +: several")


def main():
    number()
    rows = table(int(sys.argv[1]) if len(sys.argv) > 1 else 19600)
    if rows:
        plot(rows)


if __name__ == "__main__":
    main()
