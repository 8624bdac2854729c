"""T1: which process runs which task?

A task prints its process and its argument, and returns both: first called as
an ordinary function, then by a pool of 4. Each worker gets a task before one
gets a second, so there are 4 ids, every time.

    python t01_pool.py
"""

import os

from tutti import Pool  # the textbook: from multiprocessing import Pool


def task(x):
    print("task", x, "in process", os.getpid())
    return os.getpid(), x


if __name__ == "__main__":
    print("called:", task(0))
    with Pool(4) as pool:
        results = pool.map(task, [1, 2, 3, 4, 5, 6, 7, 8])
    print("mapped:", results)
    ids = {pid for pid, x in results}
    print(len(ids), "processes; the caller's own among them:",
          os.getpid() in ids)
