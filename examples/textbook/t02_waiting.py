"""T2: tasks that wait.

f(x) sleeps a second and returns x * x. A loop over 10 takes 10 s. tutti.map
sees that its tasks wait, and takes more workers than there are cores: about a
second, on any machine. A Pool has the number of workers that it was told, or
one a core: on 2 cores it takes 5 s, as it must.

    python t02_waiting.py [SECONDS]        (1: the time that a task sleeps)
"""

import sys
import time

import tutti

SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0


def f(x):
    time.sleep(SECONDS)
    return x * x


def timed(name, run):
    start = time.perf_counter()
    result = run()
    print("%-24s %6.2f s" % (name, time.perf_counter() - start))
    return result


if __name__ == "__main__":
    for n in 4, 10:
        print("%d tasks of %g s" % (n, SECONDS))
        loop = timed("  loop", lambda: [f(x) for x in range(n)])
        mapped = timed("  tutti.map", lambda: tutti.map(f, range(n)))
        decided = tutti.explain()
        with tutti.Pool() as pool:
            pooled = timed("  tutti.Pool of %d" % tutti.cpu_count(),
                           lambda: pool.map(f, range(n)))
        assert loop == mapped == pooled
    print(decided)
