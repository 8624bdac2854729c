"""tutti's pools beside those that people use; a table, ratios of one run.

    .venv/bin/python bench/peers.py --install        # once: a venv with peers
    .venv/bin/python bench/peers.py [--quick] [--only PEER,...] [--cases C,...]
                                    [--out FILE]

Each peer is measured in turn with tutti, call by call, with its own pool of 2
open beside tutti's: medians, and how many times as fast tutti is. What is not
installed is a line. The machine must be idle.
"""
import argparse
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BARE = ROOT / ".venv/bin/python"
VENV = ROOT / "build/peers"
PACKAGES = ["joblib", "loky", "mpire", "pebble", "vegas", "ray", "dask[distributed]"]
WORKERS = 2
SIZE = 8_000_000  # of float64: 64 MB


class Missing(Exception):
    """Why something cannot be measured."""


# Tasks -----------------------------------------------------------------------

def same(x):
    return x


def first(array):
    return float(array[0])


def ones(n):
    import numpy

    return numpy.ones(n)


_kept = None


def kept_ones(n):
    """The worker has it already: what is left is its way."""
    global _kept
    if _kept is None or len(_kept) != n:
        _kept = ones(n)
    return _kept


def born_ones(n):
    """Made by the task, where it need not be copied."""
    import tutti.array

    array = tutti.array.empty(n)
    array[:] = 1
    return array


# Peers: open() gives what has some of apply, map, submit (a function that
# waits), close. ----------------------------------------------------------------

class Peer:
    apply = map = submit = None

    def close(self):
        pass


class Tutti(Peer):
    def __init__(self):
        import tutti

        if not hasattr(tutti, "Pool"):
            raise Missing("tutti.Pool is not there")
        self.pool = tutti.Pool(WORKERS)
        self.map = self.pool.map
        self.executor = None

    def apply(self, f, x):
        return self.pool.apply(f, (x,))

    def submit(self, f, x):
        if not self.executor:
            import tutti

            self.executor = tutti.Executor(WORKERS)
        return self.executor.submit(f, x).result

    def close(self):
        self.pool.terminate()
        self.pool.join()
        if self.executor:
            self.executor.shutdown()


class Multiprocessing(Peer):
    how = "fork"

    def __init__(self):
        import multiprocessing

        self.pool = multiprocessing.get_context(self.how).Pool(WORKERS)
        self.map = self.pool.map

    def apply(self, f, x):
        return self.pool.apply(f, (x,))

    def submit(self, f, x):
        return self.pool.apply_async(f, (x,)).get

    def close(self):
        self.pool.terminate()
        self.pool.join()


class Spawn(Multiprocessing):
    how = "spawn"


class Futures(Peer):
    """What has submit() and map() of concurrent.futures."""

    def __init__(self):
        self.executor = self.make()

    def apply(self, f, x):
        return self.executor.submit(f, x).result()

    def submit(self, f, x):
        return self.executor.submit(f, x).result

    def map(self, f, items):
        chunk = max(1, len(items) // (4 * WORKERS))  # as Pool chooses
        return list(self.executor.map(f, items, chunksize=chunk))

    def close(self):
        self.executor.shutdown()


class Executor(Futures):
    def make(self):
        from concurrent.futures import ProcessPoolExecutor

        return ProcessPoolExecutor(WORKERS)


class Loky(Futures):
    def make(self):
        import loky

        return loky.ProcessPoolExecutor(WORKERS)


class Joblib(Peer):
    def __init__(self):
        import joblib

        self.delayed = joblib.delayed
        self.parallel = joblib.Parallel(n_jobs=WORKERS)
        self.parallel.__enter__()

    def apply(self, f, x):
        return self.map(f, [x])[0]

    def map(self, f, items):
        return self.parallel(self.delayed(f)(x) for x in items)

    def close(self):
        self.parallel.__exit__(None, None, None)


class Mpire(Peer):
    def __init__(self):
        import mpire

        self.pool = mpire.WorkerPool(WORKERS, keep_alive=True)
        self.mapper = mpire.WorkerPool(WORKERS, keep_alive=True)
        self.map = self.mapper.map  # fails in a pool that apply() was used in

    def apply(self, f, x):
        return self.pool.apply(f, (x,))

    def submit(self, f, x):
        return self.pool.apply_async(f, (x,)).get

    def close(self):
        self.pool.terminate()
        self.mapper.terminate()


class Pebble(Peer):
    def __init__(self):
        import pebble

        self.pool = pebble.ProcessPool(WORKERS)

    def apply(self, f, x):
        return self.submit(f, x)()

    def submit(self, f, x):
        return self.pool.schedule(f, args=(x,)).result

    def map(self, f, items):
        chunk = max(1, len(items) // (4 * WORKERS))
        return list(self.pool.map(f, items, chunksize=chunk).result())

    def close(self):
        self.pool.stop()
        self.pool.join()


class Ray(Peer):
    def __init__(self):
        import ray

        self.ray = ray
        ray.init(num_cpus=WORKERS, include_dashboard=False, log_to_driver=False,
                 logging_level="ERROR")
        self.functions = {}

    def remote(self, f):
        if f not in self.functions:
            self.functions[f] = self.ray.remote(f)
        return self.functions[f]

    def apply(self, f, x):
        return self.submit(f, x)()

    def submit(self, f, x):
        reference = self.remote(f).remote(x)
        return lambda: self.ray.get(reference)

    def map(self, f, items):
        if len(items) > 10_000:
            raise Missing("a task each: %d take minutes" % len(items))
        remote = self.remote(f)
        return self.ray.get([remote.remote(x) for x in items])

    def close(self):
        self.ray.shutdown()


class Dask(Peer):
    def __init__(self):
        import dask.distributed as distributed

        self.client = distributed.Client(
            n_workers=WORKERS, threads_per_worker=1, dashboard_address=None,
            silence_logs=50)

    def apply(self, f, x):
        return self.submit(f, x)()

    def submit(self, f, x):
        return self.client.submit(f, x, pure=False).result

    def map(self, f, items):
        if len(items) > 10_000:
            raise Missing("a task each: %d take minutes" % len(items))
        return self.client.gather(self.client.map(f, items, pure=False))

    def close(self):
        self.client.close()
        self.client.cluster.close()


PEERS = {"multiprocessing": Multiprocessing, "spawn": Spawn,
         "ProcessPoolExecutor": Executor, "loky": Loky, "joblib": Joblib,
         "mpire": Mpire, "pebble": Pebble, "ray": Ray, "dask": Dask}
STANDARD = ["multiprocessing", "spawn", "ProcessPoolExecutor"]
LIKE_TUTTI = {"spawn": "a pool like multiprocessing's, but for its start"}


# Cases: seconds of one unit, by a pool ------------------------------------------

class Apply:
    """Round trip, back to back."""

    needs, wanted = "apply", "<= 10 us"
    repeats = 100

    def __init__(self, quick):
        pass

    def __call__(self, pool):
        begin = time.perf_counter()
        for _ in range(self.repeats):
            pool.apply(same, 3)
        return (time.perf_counter() - begin) / self.repeats


class ApplyIdle(Apply):
    """Round trip, after 10 ms of idling."""

    wanted = "<= 0.6 x multiprocessing's"
    repeats = 10

    def __call__(self, pool):
        taken = 0
        for _ in range(self.repeats):
            time.sleep(0.01)
            begin = time.perf_counter()
            pool.apply(same, 3)
            taken += time.perf_counter() - begin
        return taken / self.repeats


class Map100:
    """Map of 100 tasks that do nothing, back to back."""

    needs, wanted, n = "map", ">= 5 x multiprocessing", 100
    repeats = 50

    def __init__(self, quick):
        self.items = range(self.n)

    def __call__(self, pool):
        begin = time.perf_counter()
        for _ in range(self.repeats):
            got = pool.map(same, self.items)
        taken = time.perf_counter() - begin
        if len(got) != len(self.items) or got[-1] != self.items[-1]:
            raise Missing("wrong results")
        return taken / self.repeats


class Map100Once(Map100):
    """One such map, after another pool's."""

    repeats = 1


class MapMillion(Map100Once):
    """Map of 10^6 tasks that do nothing."""

    wanted, n = ">= 2.5 x multiprocessing", 10 ** 6


class Submit:
    """submit() of 1,000 tasks, a task."""

    needs, wanted, n = "submit", ">= 10 x ProcessPoolExecutor", 1000

    def __init__(self, quick):
        pass

    def __call__(self, pool):
        begin = time.perf_counter()
        gets = [pool.submit(same, i) for i in range(self.n)]
        got = [get() for get in gets]
        taken = time.perf_counter() - begin
        if got != list(range(self.n)):
            raise Missing("wrong results")
        return taken / self.n


class Argument:
    """64 MB of float64 as argument, warm."""

    needs, wanted = "apply", ">= 10 x multiprocessing"

    def __init__(self, quick):
        self.array = ones(SIZE)

    def __call__(self, pool):
        begin = time.perf_counter()
        if pool.apply(first, self.array) != 1:
            raise Missing("wrong results")
        return time.perf_counter() - begin


class Result:
    """64 MB of float64 as result, warm."""

    needs, wanted, f = "apply", ">= 20 x multiprocessing", kept_ones

    def __init__(self, quick):
        pass

    def __call__(self, pool):
        begin = time.perf_counter()
        got = pool.apply(type(self).f, SIZE)
        taken = time.perf_counter() - begin
        if got[-1] != 1 or len(got) != SIZE:
            raise Missing("wrong results")
        return taken


class ResultMade(Result):
    """The same, made by the task: numpy.ones()."""

    wanted, f = "(its time included)", ones


class ResultBorn(Result):
    """The same, made in tutti.array.empty()."""

    wanted, f = "(its time included)", born_ones


CASES = {"apply": Apply, "apply-idle": ApplyIdle, "map-100": Map100,
         "map-100-once": Map100Once,
         "map-million": MapMillion, "submit": Submit, "argument": Argument,
         "result": Result, "result-made": ResultMade,
         "result-born": ResultBorn}


# Cases that need a process of their own -------------------------------------------

COLD = """
import sys, time
{numpy}

def same(x):
    return x

def first(array):
    return float(array[0])

def main():
    sys.path.insert(0, %(here)r)
    import peers
    peers.WORKERS = 4
    make = peers.PEERS.get({peer!r}, peers.Tutti)
    item = {item}
    {warm}
    begin = time.perf_counter()
    pool = make()
    pool.apply({task}, item)
    print(time.perf_counter() - begin, flush=True)
    pool.close()

if __name__ == "__main__":
    main()
""" % {"here": str(ROOT / "bench")}

MEMORY = """
import sys, time
sys.path.insert(0, %(here)r)
import numpy, peers
make = peers.PEERS.get({peer!r}, peers.Tutti)
if __name__ == "__main__":
    pool = make()
    small = numpy.ones(8)
    pool.apply({task}, {small})
    {item}
    before = peers.proportional()
    peak = [0]
    import threading
    done = threading.Event()
    def watch():
        while not done.is_set():
            peak[0] = max(peak[0], peers.proportional())
            time.sleep(0.005)
    thread = threading.Thread(target=watch)
    thread.start()
    for _ in range(3):
        got = None
        got = pool.apply({task}, {given})
    done.set()
    thread.join()
    print((peak[0] - before) / (8 * peers.SIZE), flush=True)
    pool.close()
""" % {"here": str(ROOT / "bench")}

STARTS = {
    "bare": ("", "same", "1", "pass", "<= 30 ms"),
    "NumPy": ("import numpy", "first", "numpy.ones(3)", "pass", "<= 110 ms"),
    "again": ("", "same", "1",
              "pool = make(); pool.apply(same, 1); pool.close()",
              "<= 5 ms"),
}


def held_first(array):
    time.sleep(0.1)
    return float(array[0])


def held_ones(n):
    array = ones(n if isinstance(n, int) else len(n))
    time.sleep(0.1)
    return array


def proportional():
    """Bytes of memory that this process and those below it have."""
    total, found = 0, [os.getpid()]
    for pid in found:
        try:
            for task in os.listdir("/proc/%d/task" % pid):
                with open("/proc/%d/task/%s/children" % (pid, task)) as f:
                    found += map(int, f.read().split())
            with open("/proc/%d/smaps_rollup" % pid) as f:
                total += sum(1024 * int(line.split()[1]) for line in f
                             if line.startswith("Pss:"))
        except OSError:
            pass
    return total


def own_process(text, python=sys.executable, **values):
    """The number that a program prints."""
    path = ROOT / "build/peers_case.py"
    path.write_text(text.format(**values))
    env = dict(os.environ, PYTHONPATH=str(ROOT / "bench"))
    done = subprocess.run([str(python), str(path)], timeout=120, env=env,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          universal_newlines=True)
    try:
        return float(done.stdout.split()[0])
    except (IndexError, ValueError):
        lines = done.stderr.strip().splitlines() or ["it printed no number"]
        raise Missing(lines[-1][:80])


def cold(peer, start, python):
    numpy, task, item, warm, _ = STARTS[start]
    return own_process(COLD, python, peer=peer, numpy=numpy, task=task, item=item,
                       warm=warm)


def memory(peer, way):
    if way == "argument":
        return own_process(MEMORY, peer=peer, task="peers.held_first",
                           small="small", item="array = numpy.ones(peers.SIZE)",
                           given="array")
    return own_process(MEMORY, peer=peer, task="peers.held_ones", small="8",
                       item="", given="peers.SIZE")


# The table -----------------------------------------------------------------------

def text_of(value):
    for unit, size in ("s", 1), ("ms", 1e-3), ("us", 1e-6):
        if value >= size:
            return "%.3g %s" % (value / size, unit)
    return "%.3g ns" % (value * 1e9)


class Table:
    FORM = "%-42s  %-20s  %10s  %10s  %7s  %s"

    def __init__(self):
        self.lines = []
        self.line(self.FORM % ("what", "peer", "tutti", "peer", "times",
                               "goal"))

    def line(self, text):
        self.lines.append(text.rstrip())
        print(self.lines[-1], flush=True)

    def row(self, what, peer, ours, theirs, wanted):
        show = text_of if "memory" not in what else "{:.2f} x".format
        self.line(self.FORM % (
            what, peer, show(ours), show(theirs),
            "%.3g" % (theirs / ours) if ours > 0 else "-", wanted))

    def missing(self, what, peer, why):
        self.line("%-42s  %-20s  %s" % (what, peer, why))


def interleaved(one, other, rounds):
    """Medians of two functions' values, in turn."""
    one(), other()  # warm
    values = [], []
    for i in range(rounds):
        for k in (0, 1) if i % 2 else (1, 0):
            values[k].append((one, other)[k]())
    return [statistics.median(v) for v in values]


def name_of(case):
    return case.__doc__.strip().rstrip(".")


def measure_open(table, options, peer):
    """The cases of an open pool, beside tutti's."""
    theirs = PEERS[peer]()
    try:
        ours = Tutti()
        try:
            for name in options.cases:
                if name in CASES:
                    measure_case(table, options, peer, CASES[name], ours,
                                 theirs)
        finally:
            ours.close()
    finally:
        theirs.close()


def measure_case(table, options, peer, case, ours, theirs):
    what = name_of(case)
    if getattr(theirs, case.needs) is None:
        return table.missing(what, peer, "it has no %s" % case.needs)
    try:
        timed = case(options.quick)
        values = interleaved(lambda: timed(ours), lambda: timed(theirs),
                             options.rounds)
        table.row(what, peer, *values, case.wanted)
    except Missing as why:
        table.missing(what, peer, str(why))
    except Exception as error:  # of any type, from a peer or from tutti
        table.missing(what, peer, "failed: %r" % error)


def measure_own(table, options, peer, what, wanted, measure, rounds):
    try:
        values = interleaved(lambda: measure("tutti"), lambda: measure(peer),
                             rounds)
        table.row(what, peer, *values, wanted)
    except (Missing, subprocess.TimeoutExpired) as why:
        table.missing(what, peer, str(why))


def measure(table, options, peer):
    if peer not in LIKE_TUTTI:
        try:
            measure_open(table, options, peer)
        except ImportError as error:
            return table.missing("all", peer, "not installed (%s)" % error)
        except Missing as why:
            return table.missing("all", peer, str(why))
    if "start" in options.cases:
        # An interpreter starts slower where more is installed beside it.
        python = BARE if peer in STANDARD else sys.executable
        for start in STARTS:
            measure_own(table, options, peer,
                        "Pool of 4, first answer, %s" % start,
                        STARTS[start][-1], lambda p: cold(p, start, python),
                        options.rounds // 2)
    if "memory" in options.cases and peer not in LIKE_TUTTI:
        for way, wanted in ("argument", "<= 1.1 x"), ("result", "<= 2.1 x"):
            measure_own(table, options, peer, "memory, 64 MB as " + way, wanted,
                        lambda p: memory(p, way), 2)


def echo(table):
    """The round trip of a C function through a worker process."""
    program = ROOT / "build/bench/bench_echo"
    if not program.exists():
        return table.missing("C, echo", "a futex", "%s is not built" % program)
    done = subprocess.run([str(program)], stdout=subprocess.PIPE, text=True)
    for line in done.stdout.splitlines():
        what, ours, theirs, wanted = line.split("\t")
        table.row(what, "two futexes", float(ours), float(theirs), wanted)


def install():
    """A venv with the peers, beside what .venv has."""
    import tutti

    subprocess.run([sys.executable, "-m", "venv", "--system-site-packages",
                    str(VENV)], check=True)
    python = str(VENV / "bin/python")
    pip = [python, "-m", "pip", "-q", "--disable-pip-version-check", "install"]
    ours = pathlib.Path(tutti.__file__).resolve().parents[1]
    theirs = next((VENV / "lib").glob("python3*/site-packages"))
    (theirs / "tutti.pth").write_text("%s\n" % ours)
    for package in PACKAGES:
        if subprocess.run(pip + [package]).returncode:
            print(package, "cannot be installed")


def facts():
    return "%s, %d CPUs, Linux %s, Python %s, load %.1f" % (
        platform.machine(), len(os.sched_getaffinity(0)), platform.release(),
        platform.python_version(), os.getloadavg()[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--install", action="store_true")
    parser.add_argument("--quick", action="store_true", help="5 rounds, not 15")
    parser.add_argument("--only", default=",".join(PEERS))
    parser.add_argument("--cases", default=",".join(
        [*CASES, "start", "memory", "echo"]))
    parser.add_argument("--out", metavar="FILE", help="keep the table there")
    options = parser.parse_args()
    options.cases = options.cases.split(",")
    options.rounds = 5 if options.quick else 15
    if options.install:
        return install()
    python = VENV / "bin/python"
    if python.exists() and pathlib.Path(sys.prefix) != VENV:
        os.execv(python, [str(python), *sys.argv])
    print(facts())
    table = Table()
    for peer in options.only.split(","):
        measure(table, options, peer)
    if "echo" in options.cases:
        echo(table)
    if options.out:
        pathlib.Path(options.out).write_text(
            "\n".join([facts()] + table.lines) + "\n")


if __name__ == "__main__":
    import peers  # its tasks travel by name

    peers.main()
