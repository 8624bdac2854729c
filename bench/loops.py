"""Loops in Python: the list comprehension, tutti.map on auto, and the pools.

As a program: reads cells from standard input, a line each,

    TASK_SECONDS N SHAPE PAIRS PEERS

and answers each with a line of JSON: the seconds of every run of every way;
PEERS is 1 to run the pools too. `loops.py turn` prints the seconds of a turn
of work(); `loops.py once WAY TURNS N` runs one map over n tasks of so many
turns in this fresh interpreter and prints its seconds; TURNS 0 is
time.sleep(1).
"""
import json
import sys
import time

SHAPES = "uniform", "front", "back", "heavy tail", "giant"
WARM = 0.02  # seconds: above it a warm-up does not matter
PARK = 0.003  # seconds after which all that waits is asleep


def square(x):
    return x * x


def cubic(x):
    y = x & 63
    return y * y * y + y * y + y


def work(turns):
    x = 1.0
    for _ in range(turns):
        x = x * 1.0000001 + 1e-9
    return x


def sleep(_):
    time.sleep(1)


def best(run, times=15):
    """The least of some seconds."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return min(taken)


def hashed(i):
    """A number in (0, 1] that depends on i alone."""
    mask = (1 << 64) - 1
    z = (i + 1) * 0x9E3779B97F4A7C15 & mask
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & mask
    z = (z ^ z >> 27) * 0x94D049BB133111EB & mask
    return ((z ^ z >> 31) + 1) / 2.0 ** 64


def weights(shape, n):
    """As in cell.c; their mean is brought to 1."""
    if shape == 1:
        w = [10.0 if i < 0.1 * n else 0.5 for i in range(n)]
    elif shape == 2:
        w = [0.5 if i < 0.9 * n else 10.0 for i in range(n)]
    elif shape == 3:
        w = [hashed(i) ** (-1 / 1.5) for i in range(n)]
    elif shape == 4:
        w = [float(n) if i == n // 3 else 1.0 for i in range(n)]
    else:
        return [1.0] * n
    scale = n / sum(w)
    return [scale * x for x in w]


def turn():
    return best(lambda: work(100000)) / 100000


def cell(seconds, n, shape):
    """A function, its n items, the seconds of a task. The two smallest are one
    expression, whose time no item changes."""
    if seconds < 150e-9:
        f, some = square if seconds < 75e-9 else cubic, range(1000)
        return f, list(range(n)), best(lambda: [f(x) for x in some]) / 1000
    one = turn()
    call = best(lambda: [work(1) for _ in range(1000)]) / 1000
    return work, [max(0, round((seconds * w - call) / one))
                  for w in weights(shape, n)], seconds


def pools():
    """The peers, warm: a map function by its name."""
    import concurrent.futures
    import multiprocessing

    pool = multiprocessing.Pool()
    executor = concurrent.futures.ProcessPoolExecutor()
    ways = {"Pool": pool.map,
            "Executor": lambda f, xs: list(executor.map(f, xs))}
    try:
        import joblib
    except ImportError:
        return ways
    parallel = joblib.Parallel(n_jobs=-1)
    ways["joblib"] = lambda f, xs: parallel(map(joblib.delayed(f), xs))
    return ways


def plain(f, xs):
    return [f(x) for x in xs]


def timed(way, f, xs, warm):
    time.sleep(PARK)
    if warm:
        way(f, xs)
    start = time.perf_counter()
    way(f, xs)
    return time.perf_counter() - start


def measure(ways, seconds, n, shape, pairs):
    f, xs, task = cell(seconds, n, shape)
    runs = {name: [] for name in ways}
    for i in range(pairs):
        for name in list(ways)[::-1 if i % 2 else 1]:
            runs[name].append(timed(ways[name], f, xs, seconds * n < WARM))
    return dict(runs, task=task)


def serve():
    import tutti

    ways = {"plain": plain, "again": plain, "auto": tutti.map}
    peers = None
    for line in sys.stdin:
        seconds, n, shape, pairs, wanted = line.split()
        if int(wanted):
            peers = peers or pools()
        print(json.dumps(measure(
            dict(ways, **peers) if int(wanted) else ways,
            float(seconds), int(n), int(shape), int(pairs))), flush=True)


def once(way, turns, n):
    run = plain
    if way != "plain":
        import tutti
        run = tutti.map
    f = work if int(turns) else sleep
    xs = [int(turns)] * int(n)
    start = time.perf_counter()
    run(f, xs)
    print(time.perf_counter() - start)


if __name__ == "__main__":
    if sys.argv[1:2] == ["once"]:
        once(*sys.argv[2:])
    elif sys.argv[1:] == ["turn"]:
        print(turn())
    else:
        serve()
