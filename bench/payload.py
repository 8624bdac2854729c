"""Loops whose items, results or function carry arrays: tutti.map on auto
against the list comprehension.

    .venv/bin/python bench/payload.py [--quick]

Prints a line a cell: what carries how many bytes, how long a task, how many,
the median seconds of both, and by what part auto is slower once the 20 us that
it may lose are taken off; then how many cells stay within 2 % (8 % where a task
takes less than 100 ns), and the noise (the comprehension against itself). A
cell that fails is measured again and counts if it fails three of three. The
machine must be idle. bench/run.py makes it a row of its table.

With "serve" as its argument it reads cells from standard input, a line each,

    KIND BYTES TASK_SECONDS N PAIRS

and answers each with a line of JSON, as loops.py does.
"""
import argparse
import json
import math
import sys
import time

import cells
from cells import seconds

NOTHING = 50e-9  # seconds of a task that only looks at its array
TASKS = NOTHING, 1e-6, 20e-6, 300e-6, 3e-3, 30e-3
COUNTS = 2, 16, 128, 1000, 10 ** 5
BYTES = 0, 1 << 10, 64 << 10, 1 << 20, 16 << 20, 64 << 20
QUICK = 0, 64 << 10, 4 << 20, 64 << 20
MOST = 1 << 28  # bytes of all items
LONG = 1.0, 0.1  # seconds of a loop, and when it has to be quick
GROW = 0.3e-9  # seconds that a fresh byte of a result takes, about


def size_of(array):
    return array.size


def sized(item):
    from loops import work

    array, turns = item
    work(turns)
    return array.size


def arrays(size, n):
    """As many as fit, each again and again."""
    import numpy

    some = min(n, max(1, MOST // size if size else n))
    some = [numpy.zeros(size // 8) for _ in range(some)]
    return [some[i % len(some)] for i in range(n)]


def items(size, turns, n):
    if not turns:
        return size_of, arrays(size, n)
    return sized, [(array, turns) for array in arrays(size, n)]


def shared(size, turns, n):
    f, xs = items(size, turns, 1)
    return f, xs * n


def generated(size, turns, n):
    f, xs = items(size, turns, n)
    return f, lambda: iter(xs)


def captured(size, turns, n):
    import numpy

    from loops import work

    array = numpy.zeros(size // 8)
    if not turns:
        return lambda i: array.size + i, range(n)
    return lambda turns: (work(turns), array.size)[1], [turns] * n


def results(size, turns, n):
    import numpy

    from loops import work

    def f(turns):
        work(turns)
        return numpy.ones(size // 8)

    return f, [turns] * n


KINDS = {kind.__name__: kind
         for kind in (items, shared, generated, captured, results)}


def grid(quick):
    """(kind, bytes, seconds of a task, tasks), the shortest loops first."""
    found = [
        (kind, size, task, n)
        for kind in KINDS
        for size in (QUICK if quick else BYTES)
        for task in (TASKS[::2] + TASKS[-1:] if quick else TASKS)
        for n in (COUNTS[::2] if quick else COUNTS)
        if length(kind, size, task, n) <= LONG[quick]
        and (kind != "results" or size * n <= MOST)
    ]
    return sorted(found, key=lambda cell: length(*cell))


def length(kind, size, task, n):
    made = GROW * size if kind == "results" else 0
    return (task + made) * n


def timed(way, f, xs, warm):
    from loops import PARK

    time.sleep(PARK)
    if warm:
        way(f, xs() if callable(xs) else xs)
    some = xs() if callable(xs) else xs
    start = time.perf_counter()
    way(f, some)
    return time.perf_counter() - start


def runs_of(kind, size, task, n, pairs):
    import tutti
    from loops import WARM, plain, turn

    turns = 0 if task <= NOTHING else max(1, round(task / turn()))
    f, xs = KINDS[kind](size, turns, n)
    ways = {"plain": plain, "again": plain, "auto": tutti.map}
    runs = {name: [] for name in ways}
    for i in range(pairs):
        for name in list(ways)[::-1 if i % 2 else 1]:
            runs[name].append(timed(ways[name], f, xs, task * n < WARM))
    return runs


def serve():
    for line in sys.stdin:
        kind, size, task, n, pairs = line.split()
        print(json.dumps(runs_of(kind, int(size), float(task), int(n),
                                 int(pairs))), flush=True)


def judge(goal):
    return lambda runs: {way: (cells.excess(runs, way), goal)
                         for way in ("auto", "again")}


def measure_all(quick, pairs, until, tell):
    """(cells measured, how many were left out for time)."""
    wanted = grid(quick)
    done = []
    with cells.Program(sys.executable, __file__, "serve") as program:
        for kind, size, task, n in wanted:
            if time.monotonic() > until:
                break
            try:
                cell = cells.measure(
                    lambda: program.ask(kind, size, task, n, pairs),
                    judge(0.08 if task <= NOTHING else 0.02),
                    until, beside=("again",))
            except RuntimeError as error:
                sys.stderr.write("\n%s\n" % error)
                break
            done.append(dict({"task": task, "n": n, "shape":
                              "%s of %s" % (kind, human(size))}, **cell))
            tell(done[-1])
    return done, len(wanted) - len(done)


def human(size):
    if not size:
        return "0 B"
    k = int(math.log2(size)) // 10
    return "%d %s" % (size >> 10 * k, ("B", "KiB", "MiB")[k])


def line(cell):
    t, auto = cell["seconds"], cell["figures"]["auto"]
    return "%-20s %8s x %6d  plain %8s  auto %8s  %+6.1f %%%s" % (
        cell["shape"], seconds(cell["task"]), cell["n"], seconds(t["plain"]),
        seconds(t["auto"]), 100 * auto["value"],
        "" if auto["value"] <= auto["goal"] else "  !")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true",
                        help="fewer cells and pairs: some 3 minutes")
    options = parser.parse_args()
    limit = 180 if options.quick else 1800
    done, left = measure_all(
        options.quick, 5 if options.quick else 15, time.monotonic() + limit,
        lambda cell: print(line(cell), flush=True))
    print("auto:  " + cells.within(done, "auto")[2])
    print("noise: " + cells.within(done, "again", "first")[2])
    if left:
        print("%d cells left out: no time" % left)


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        serve()
    else:
        main()
