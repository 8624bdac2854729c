"""T5: the calls of a pool.

apply and map wait for their results; apply_async and map_async return at once,
and give them when asked. The rest of multiprocessing.Pool is there too, and
multiprocessing's Process, Queue, Lock and Manager work beside it.

    python t05_calls.py
"""

import multiprocessing

import tutti


def cube(x):
    return x ** 3


def power(x, y):
    return x ** y


def begin(lock, total):
    """Runs once in each worker: what is to be shared goes into globals."""
    global LOCK, TOTAL
    LOCK, TOTAL = lock, total


def add(x):
    with LOCK:
        TOTAL.value += x


def report(name, value):
    print("%-24s %s" % (name, value))


if __name__ == "__main__":
    report("CPUs to use", tutti.cpu_count())
    with tutti.Pool(4) as pool:
        report("apply", [pool.apply(cube, (x,)) for x in range(1, 7)])
        report("map", pool.map(cube, range(1, 7)))
        waiting = [pool.apply_async(cube, (x,)) for x in range(1, 7)]
        report("apply_async", [one.get() for one in waiting])
        report("map_async", pool.map_async(cube, range(1, 7)).get())
        report("starmap", pool.starmap(power, [(2, 3), (3, 2)]))
        report("imap", list(pool.imap(cube, range(1, 7))))
        report("imap_unordered", sorted(pool.imap_unordered(cube, range(7))))
        pool.apply_async(cube, (3,), callback=lambda value: report(
            "callback", value)).wait()

    lock, total = multiprocessing.Lock(), multiprocessing.Value("i", 0)
    with tutti.Pool(4, begin, (lock, total)) as pool:
        pool.map(add, range(101))
    report("a shared total", total.value)
