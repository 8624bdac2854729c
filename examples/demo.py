"""The main job: the same loops, plain and in parallel, timed side by side.

Run by `make demo`. Part 1 maps a Python function, part 2 a C function.
"""
import multiprocessing
import pathlib
import statistics
import subprocess
import sys
import time

import joblib
import numpy
import tutti

ROOT = pathlib.Path(__file__).resolve().parent.parent


def square(x):
    return x * x


def collatz(n):
    """Steps down to 1 from n and 899 more: some milliseconds of pure Python."""
    steps = 0
    for start in range(n, n + 900):
        while start != 1:
            start = 3 * start + 1 if start % 2 else start // 2
            steps += 1
    return steps


def median(run, times=5):
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        result = run()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken), result


def compare(title, f, items):
    print("\n%s" % title)
    with multiprocessing.Pool() as pool:
        with joblib.Parallel(n_jobs=-1) as parallel:
            ways = [
                ("plain loop", lambda: [f(x) for x in items]),
                ("tutti.map", lambda: tutti.map(f, items)),
                ("multiprocessing.Pool", lambda: pool.map(f, items)),
                ("joblib", lambda: parallel(map(joblib.delayed(f), items))),
            ]
            loop = expected = None
            for name, run in ways:
                taken, result = median(run)
                loop = loop or taken
                expected = expected or result
                assert result == expected, name
                print("  %-22s %10.3f ms  %6.2fx the loop's speed"
                      % (name, taken * 1e3, loop / taken))
    tutti.map(f, items)
    indented(tutti.explain())
    indented(tutti.timeline())


def indented(text):
    for line in text.rstrip().splitlines():
        print("    " + line)


def random_squares():
    print("\nRandom square, 10,000,000 seeds, a C function:")
    print("  seed NumPy's generator, draw below 10, square")
    out = ROOT / "squares.npy"
    for on in "serial", "threads", "auto":
        start = time.perf_counter()
        done = subprocess.run(
            [ROOT / "build/tutti", "map",
             ROOT / "examples/random_square.c:random_square",
             "--range", "10000000", "-o", out, "--on", on, "--explain"],
            stderr=subprocess.PIPE, text=True, check=True)
        print("  on=%-8s %8.3f s, the whole command"
              % (on, time.perf_counter() - start))
    indented(done.stderr)
    check(numpy.load(out, mmap_mode="r"))


def check(squares):
    seeds = numpy.random.default_rng(1).integers(0, len(squares), 10_000)
    start = time.perf_counter()
    for seed in seeds:
        numpy.random.seed(seed)
        expected = numpy.random.randint(0, 10) ** 2
        if squares[seed] != expected:
            sys.exit("seed %d: %d, NumPy says %d"
                     % (seed, squares[seed], expected))
    taken = time.perf_counter() - start
    print("  10,000 seeds checked against NumPy: equal. NumPy's loop would "
          "take %.0f s for all." % (taken * 1000))


def main():
    print("tutti %s, %d CPUs to use" % (tutti.__version__, tutti.cpu_count()))
    compare("1,000 tiny tasks (x * x):", square, range(1000))
    compare("100 tasks of some milliseconds (pure Python):", collatz,
            range(1, 90_001, 900))
    random_squares()


if __name__ == "__main__":
    main()
