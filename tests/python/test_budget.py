"""One budget: what tasks start runs on CPUs that are idle."""

import pytest

CODE = """
import os, sys, threading, time
import tutti

def leaf(x):
    begin, cpu = time.monotonic(), time.thread_time()
    while time.thread_time() - cpu < 0.02:
        pass
    return begin, time.monotonic(), os.getpid()

def pool(n):
    with tutti.Pool(4) as pool:
        return pool.map(leaf, range(n), chunksize=1)

def executor(n):
    with tutti.Executor(4) as executor:
        return list(executor.map(leaf, range(n)))

def submit(n):
    return [future.result() for future in
            [tutti.submit(leaf, x) for x in range(n)]]

def imap(n):
    return list(tutti.imap(leaf, range(n)))

def auto(n):
    return spread(n, lambda: tutti.map(leaf, range(n)))

def named(n):
    return tutti.map(leaf, range(n), on="processes:4")

def spread(n, run):
    found = run()
    for _ in range(100):  # workers come in their time, the caller goes on
        if n < 12 or len({pid for _, _, pid in found}) > 1:
            break
        found += run()
    return found

def joblib(n, **backend):
    from joblib import Parallel, delayed
    return spread(n, lambda: Parallel(4, **backend)(
        delayed(leaf)(x) for x in range(n)))

def joblib_tutti(n):
    import tutti.joblib
    return joblib(n, backend="tutti")

def most(spans):
    \"\"\"How many ran at a time.\"\"\"
    events = [(begin, 1) for begin, end, pid in spans]
    events += [(end, -1) for begin, end, pid in spans]
    running = highest = 0
    for time, step in sorted(events):
        running += step
        highest = max(highest, running)
    return highest

inner = globals()[sys.argv[1]]
for tasks in [12], [6] * 4:
    with tutti.Pool(4) as workers:
        lists = workers.map(inner, tasks, chunksize=1)
    spans = [span for spans in lists for span in spans]
    print(most(spans), len({pid for _, _, pid in spans}))
"""

WAYS = ["pool", "executor", "submit", "imap", "auto", "named", "joblib",
        "joblib_tutti"]


@pytest.mark.parametrize("inner", WAYS)
def test_tasks_share_the_budget(script, monkeypatch, inner):
    if "joblib" in inner:
        pytest.importorskip("joblib")
    monkeypatch.setenv("TUTTI_WORKERS", "3")
    code = CODE.replace("sys.argv[1]", repr(inner))
    out, _ = script(code)
    (alone, pids), (together, _) = [
        map(int, line.split()) for line in out.splitlines()
    ]
    assert alone <= 3  # the budget,
    assert pids > 1  # of which the inner level has what the outer leaves
    assert together <= 4  # the outer tasks were named


DEEP = """
import os, sys, threading, time
import tutti
from conftest import family

def pool(depth):
    with tutti.Pool(4) as pool:
        return sum(pool.map(run, [depth - 1] * 2, chunksize=1))

def submit(depth):
    futures = [tutti.submit(run, depth - 1) for _ in range(2)]
    return sum(future.result() for future in futures)

def named(depth):
    return sum(tutti.map(run, [depth - 1] * 2, on="processes:4"))

def run(depth):
    return inner(depth) if depth else 1

def watch():
    global highest
    while True:
        highest = max(highest, len(family(os.getpid())))
        time.sleep(0.02)

highest = 0
inner = %s
threading.Thread(target=watch, daemon=True).start()
print(run(5))
print(highest)
"""


@pytest.mark.parametrize("inner", ["pool", "submit", "named"])
def test_depth_is_no_fork_bomb(script, monkeypatch, inner, request):
    monkeypatch.setenv("TUTTI_WORKERS", "2")
    monkeypatch.setenv("PYTHONPATH", str(request.path.parent))
    out, _ = script(DEEP % inner)
    answer, highest = map(int, out.split())
    assert answer == 32
    # A level of width 2 has two workers and their zygotes; trees of 4 would
    # have a thousand leaves.
    assert highest < 60


STILL = """
import multiprocessing
import tutti

def meet(x):
    return barrier.wait(30) >= 0

def set_barrier(made):
    global barrier
    barrier = made

def outer(x):
    made = multiprocessing.get_context("fork").Barrier(3)
    with tutti.Pool(3, set_barrier, (made,)) as pool:
        return pool.map(meet, range(3), chunksize=1)

with tutti.Pool(1) as pool:
    print(pool.apply(outer, (0,)))
"""


def test_nested_tasks_that_wait_for_each_other(script, monkeypatch):
    """They get workers although no CPU is idle, since none computes."""
    monkeypatch.setenv("TUTTI_WORKERS", "1")
    out, _ = script(STILL)
    assert out == "[True, True, True]\n"
