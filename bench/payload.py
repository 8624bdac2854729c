"""Loops whose items, results or function carry arrays: tutti.map on auto
against the list comprehension.

    .venv/bin/python bench/payload.py [--quick]

Prints a line a cell: what carries how many bytes, how long a task, how many,
the median seconds of both, and by what part auto is slower once the 20 us that
it may lose are taken off; then how many cells stay within 2 %, and the noise
(the comprehension against itself). A cell that fails is measured again and
counts if it fails three of three. The machine must be idle.
"""
import argparse
import sys
import time

import numpy

import cells
import tutti
from loops import PARK, plain, turn, work

GOAL = 0.02
BYTES = 0, 1 << 10, 64 << 10, 1 << 20, 16 << 20, 64 << 20
TASKS = (1e-6, 1000), (100e-6, 100), (1e-3, 50), (10e-3, 16), (50e-3, 8)
MOST = 1 << 30  # bytes of all items


def from_item(item):
    array, turns = item
    work(turns)
    return array.size


def items(size, turns, n):
    return from_item, [(numpy.zeros(size // 8), turns) for _ in range(n)]


def shared(size, turns, n):
    return from_item, [(numpy.zeros(size // 8), turns)] * n


def captured(size, turns, n):
    array = numpy.zeros(size // 8)
    return lambda turns: (work(turns), array.size)[1], [turns] * n


def results(size, turns, n):
    def f(turns):
        work(turns)
        return numpy.ones(size // 8)

    return f, [turns] * n


def generated(size, turns, n):
    f, xs = items(size, turns, n)
    return f, lambda: iter(xs)


KINDS = items, shared, captured, results, generated


def timed(way, f, xs):
    time.sleep(PARK)
    xs = xs() if callable(xs) else xs
    start = time.perf_counter()
    way(f, xs)
    return time.perf_counter() - start


def runs_of(f, xs, pairs):
    ways = {"plain": plain, "again": plain, "auto": tutti.map}
    runs = {name: [] for name in ways}
    for name in ways:
        timed(ways[name], f, xs)
    for i in range(pairs):
        for name in list(ways)[::-1 if i % 2 else 1]:
            runs[name].append(timed(ways[name], f, xs))
    return runs


def judge(runs):
    return {way: (cells.excess(runs, way), GOAL) for way in ("auto", "again")}


def measure(pairs, sizes):
    one = turn()
    for kind in KINDS:
        for size in sizes:
            for task, n in TASKS:
                n = max(2, min(n, MOST // size if size else n))
                f, xs = kind(size, round(task / one), n)
                cell = cells.measure(
                    lambda: runs_of(f, xs, pairs), judge, beside=("again",)
                )
                yield dict(cell, task=task, n=n, shape="%s of %d bytes"
                           % (kind.__name__, size))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer pairs, "
                        "and sizes")
    options = parser.parse_args()
    done = []
    for cell in measure(5 if options.quick else 15,
                        BYTES[::2] if options.quick else BYTES):
        done.append(cell)
        print("%-30s %8s x %4d  plain %8s  auto %8s  %+6.1f %%" % (
            cell["shape"], cells.seconds(cell["task"]), cell["n"],
            cells.seconds(cell["seconds"]["plain"]),
            cells.seconds(cell["seconds"]["auto"]),
            100 * cell["figures"]["auto"]["value"]), flush=True)
    print("auto:  " + cells.within(done, "auto")[2])
    print("noise: " + cells.within(done, "again", "first")[2])
    return 0


if __name__ == "__main__":
    sys.exit(main())
