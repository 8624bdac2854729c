"""T3: tasks that are too small.

g(x) = x * x over range(100) takes microseconds. A pool has to send each task to
another process, and loses by a factor of hundreds. tutti.map starts in the
caller, sees that the work is done before a worker could be woken, and stays
there. tutti.Pool does what its user ordered, and goes to its workers.

    python t03_tiny.py
"""

import multiprocessing
import time

import tutti


def g(x):
    return x * x


def best(run, times=200):
    """Seconds of the fastest of many runs."""
    found = float("inf")
    for _ in range(times):
        start = time.perf_counter()
        run()
        found = min(found, time.perf_counter() - start)
    return found


if __name__ == "__main__":  # multiprocessing needs this line, tutti does not
    items = range(100)
    with multiprocessing.Pool(2) as theirs, tutti.Pool(2) as ours:
        ways = [
            ("loop", lambda: [g(x) for x in items]),
            ("tutti.map", lambda: tutti.map(g, items)),
            ("tutti.Pool(2).map", lambda: ours.map(g, items)),
            ("multiprocessing.Pool(2).map", lambda: theirs.map(g, items)),
        ]
        loop = best(ways[0][1])
        for name, run in ways:
            assert run() == [x * x for x in items]
            taken = best(run)
            print("%-28s %8.1f us  %7.1f times the loop"
                  % (name, taken * 1e6, taken / loop))
