"""Workers: functions of any origin, faults, interrupts, no orphans."""

import os
import random
import re
import signal
import sys
import threading
import time

import pytest

import tutti
from conftest import alive, family
from tutti import _wire

MAIN = """
import tutti
class Point:
    def __init__(self, x):
        self.x = x
    def __eq__(self, other):
        return type(self) is type(other) and self.x == other.x
def move(p):
    return Point(p.x + K)
K = 3
def show():
    got = tutti.map(move, [Point(i) for i in range(50)], on="processes")
    print(got == [Point(i + 3) for i in range(50)])
show()
"""


@pytest.mark.parametrize("how", ["file", "-c", "stdin"])
def test_functions_of_main(script, how):
    out, err = script(MAIN, how)
    assert (out, err) == ("True\n", "")


def test_runs_elsewhere_in_the_callers_state(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text("def f(x): return x + 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    import mine

    assert tutti.map(mine.f, [1], on="processes") == [2]
    pids = set(tutti.map(lambda x: os.getpid(), range(4), on="processes"))
    assert os.getpid() not in pids
    assert tutti.map(lambda x: os.getcwd(), [1],
                     on="processes") == [str(tmp_path)]


def test_output_arrives(script):
    out, err = script("""
import sys, tutti
def f(x):
    print("out", x)
    print("err", x, file=sys.stderr)
tutti.map(f, range(3), on="processes")
tutti.map(lambda x: sys.stdout.write("no newline"), [1], on="processes")
""")
    assert sorted(out.split("\n")) == ["no newline", "out 0", "out 1", "out 2"]
    assert sorted(err.split("\n")) == ["", "err 0", "err 1", "err 2"]


def test_sleeping_tasks():
    began = time.monotonic()
    tutti.map(time.sleep, [0.2] * 8, on="processes:8")
    assert time.monotonic() - began < 1.5


def lost(index, f, n, **options):
    """Whether the error names the range in which `index` killed its worker."""
    with pytest.raises(tutti.WorkerLostError) as caught:
        tutti.map(f, range(n), on="processes", **options)
    named = re.search(r"tasks? (\d+)(?:\.\.(\d+))?", str(caught.value))
    first, last = int(named[1]), int(named[2] or named[1])
    return first <= index <= last


@pytest.mark.parametrize("workers", [1, 3])
def test_killed_worker(workers):
    def f(x):
        if x == 13:
            os.kill(os.getpid(), 9)
        return x

    assert lost(13, f, 30, workers=workers)
    assert tutti.map(abs, range(30), on="processes") == list(range(30))


def test_worker_that_exits():
    assert lost(2, lambda x: x == 2 and os._exit(3), 3)


def test_retries(tmp_path):
    def f(x):
        marker = tmp_path / str(x)
        if x % 7 == 3 and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), 9)
        return x

    got = tutti.map(f, range(20), on="processes", retries=2)
    assert got == list(range(20))


def test_retries_run_out():
    assert lost(4, lambda x: x == 4 and os.kill(os.getpid(), 9), 6, retries=1)


def test_task_timeout():
    began = time.monotonic()
    with pytest.raises(tutti.TaskTimeoutError, match="task 3"):
        tutti.map(lambda x: time.sleep(30 if x == 3 else 0), range(6),
                  task_timeout=0.5)
    assert time.monotonic() - began < 10
    assert tutti.map(abs, [1, 2], task_timeout=5) == [1, 2]


def test_stopped_workers_without_a_task_are_replaced():
    def where(x):
        time.sleep(0.05)
        return os.getpid()

    for pid in set(tutti.map(where, range(4), on="processes:2")):
        os.kill(pid, signal.SIGSTOP)
    time.sleep(0.3)  # they may get tasks until it is known
    assert tutti.map(abs, range(9), on="processes:2") == list(range(9))


class StopsOnce:
    """Its worker is stopped while it reads the function."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return stop_once, (self.marker,)


def stop_once(marker):
    try:
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
        os.kill(os.getpid(), signal.SIGSTOP)
    except FileExistsError:
        pass


def test_stopped_before_its_first_task(tmp_path):
    stops = StopsOnce(str(tmp_path / "marker"))
    got = tutti.map(lambda x: (stops, x)[1], range(9), on="processes:1")
    assert got == list(range(9))
    assert (tmp_path / "marker").exists()


def test_fork_then_map():
    assert tutti.map(abs, range(9), on="processes") == list(range(9))
    pid = os.fork()
    if pid == 0:
        ok = all(tutti.map(abs, range(9), on=on) == list(range(9))
                 for on in ("serial", "auto", "processes"))
        os._exit(0 if ok else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert tutti.map(abs, range(9), on="processes") == list(range(9))


def test_map_in_a_daemon_thread_at_exit(script):
    script("""
import threading, time, tutti
def f(x):
    time.sleep(0.01)
    return x
for on in ("serial", "processes"):
    threading.Thread(target=tutti.map, args=(f, range(10**6)),
                     kwargs={"on": on}, daemon=True).start()
time.sleep(0.5)
""")


def test_exit_with_workers(script):
    out, _ = script("""
import os, tutti
print(*set(tutti.map(lambda x: os.getpid(), range(20), on="processes")))
""")
    time.sleep(0.2)
    assert not [pid for pid in map(int, out.split()) if alive(pid)]


SPIN = """
import sys, time, tutti
def f(x):
    {body}
try:
    sys.stdout.write("ready\\n")
    sys.stdout.flush()
    while True:
        tutti.map(f, range(2000), on="{on}", workers=3)
finally:
    sys.stdout.write("left\\n")
"""

BODIES = {
    "sleep": "time.sleep(0.01)",
    "spin": "sum(range(1000))",
    "long": "[sum(range(1000)) for i in range(3000)]",
}


@pytest.mark.parametrize("body", BODIES)
def test_interrupt(script, on, body):
    rng = random.Random(body)
    for _ in range(5):
        code = SPIN.format(on=on, body=BODIES[body])
        # A group of its own, as a terminal's Ctrl-C reaches the whole of it.
        process = script.start(code, start_new_session=True)
        assert process.stdout.readline() == "ready\n"
        time.sleep(rng.random() * 0.6)
        below = family(process.pid)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=20)
        assert out == "left\n"
        assert process.returncode == -signal.SIGINT
        assert err.count("Traceback (most") == 1, err
        assert err.rstrip().endswith("KeyboardInterrupt"), err
        end = time.monotonic() + 5
        while any(map(alive, below)) and time.monotonic() < end:
            time.sleep(0.02)
        assert not [pid for pid in below if alive(pid)]


@pytest.mark.parametrize("name", ["hurry", "calm"])
def test_interrupt_in_what_may_fail(monkeypatch, name):
    real = getattr(_wire, name)

    def interrupted():
        real()
        raise KeyboardInterrupt

    monkeypatch.setattr(_wire, name, interrupted)
    with pytest.raises(KeyboardInterrupt):
        tutti.map(abs, range(10), on="processes")


@pytest.mark.parametrize("call", [
    "tutti.map(abs, [-1], on='processes')",
    "tutti.Executor(1).submit(abs, -1)",
])
def test_interrupt_before_the_first_zygote(script, call):
    out, err = script("""
import tutti
from tutti import _loops
def interrupted(f, real=_loops.command):
    _loops.command = real
    raise KeyboardInterrupt
_loops.command = interrupted
try:
    %s
except KeyboardInterrupt:
    print("interrupted")
print(tutti.map(abs, [-1], on="processes"))
""" % call)
    assert (out, err) == ("interrupted\n[1]\n", "")


def test_parent_killed(script):
    process = script.start("""
import os, time, tutti
def f(x):
    print(os.getpid(), flush=True)
    time.sleep(60)
tutti.map(f, range(2), on="processes:2")
""")
    pids = [int(process.stdout.readline()) for _ in range(2)]
    pids += family(process.pid)
    process.kill()
    process.wait()
    process.stdout.close()
    process.stderr.close()
    end = time.monotonic() + 5
    while any(map(alive, pids)) and time.monotonic() < end:
        time.sleep(0.02)
    assert not [pid for pid in pids if alive(pid)]


def test_nested_in_workers():
    def outer(x):
        return tutti.map(lambda y: x * y, range(5), on="processes:2")

    got = tutti.map(outer, range(4), on="processes:2")
    assert got == [[x * y for y in range(5)] for x in range(4)]


def test_large_payload():
    numpy = pytest.importorskip("numpy")
    array = numpy.arange(3_000_000.0).reshape(300, -1)
    got = tutti.map(lambda row: row * 2, array, on="processes")
    assert all((a == b * 2).all() for a, b in zip(got, array))


def test_arguments_are_writable():
    numpy = pytest.importorskip("numpy")

    def f(row):
        row += 1
        return row.sum()

    array = numpy.zeros((20, 10))
    assert tutti.map(f, array, on="processes") == [10.0] * 20
    assert not array.any()


def test_spreads_by_itself():
    def where(x):
        sum(range(20000))
        return os.getpid(), tutti.task.worker, tutti.task.index

    got = tutti.map(where, range(3000))
    assert [index for _, _, index in got] == list(range(3000))
    assert {worker for pid, worker, _ in got if pid == os.getpid()} == {0}
    assert {worker for pid, worker, _ in got if pid != os.getpid()} >= {1}
    assert "processes" in tutti.explain()


@pytest.mark.parametrize("executable", ["", "/nowhere/python", "/bin/false"])
def test_without_an_interpreter_to_start(script, executable):
    out, _ = script("""
import sys, time
sys.executable = %r
import tutti
print(tutti.map(lambda x: time.sleep(0.001), range(300)) == [None] * 300)
try:
    tutti.map(abs, [1], on="processes")
except OSError as error:
    print(error)
""" % executable)
    assert out.startswith("True\n")
    assert "worker" in out and executable in out


def test_stays_when_sending_costs_more_than_the_task():
    items = [tuple(str(i + k) for k in range(12)) for i in range(100_000)]
    for on in ("processes", "serial"):  # what bytes cost, what a task costs
        tutti.map(len, items, on=on)
    for _ in range(3):
        assert tutti.map(len, items) == [12] * 100_000
        assert "on serial" in tutti.explain()


class Slow:
    """Takes long to pickle, which is counted."""

    pickled = 0

    def __reduce__(self):
        Slow.pickled += 1
        time.sleep(1.5)
        return Slow, ()


def test_a_slow_job_is_known_without_a_range():
    slow = Slow()

    def f(lock):
        end = time.monotonic() + 0.001
        while time.monotonic() < end:
            slow
        return 1

    locks = [threading.Lock() for _ in range(100)]  # no range can travel
    for _ in range(5):  # on a busy machine tasks seem to pay for it
        before = Slow.pickled
        assert tutti.map(f, locks) == [1] * 100
        if before == Slow.pickled > 0:
            return
    pytest.fail("it was pickled each time")


TOP = """
import tutti
def f(x):
    return x + 1
class Item:
    def __init__(self, x):
        self.x = x
if BY_ITEMS:
    assert tutti.map(vars, [Item(3)], %s) == [{"x": 3}]
got = tutti.map(f, range(20), %s)
items = tutti.map(Item, range(3), %s)
assert tutti.map(vars, items, %s) == [{"x": i} for i in range(3)]
"""


@pytest.mark.parametrize("options", [
    "on='processes:2'",
    "on='processes:2', retries=1, task_timeout=60, seed=3",
    "on='processes:2', errors='return'",
    "",  # TUTTI_ON
])
@pytest.mark.parametrize("by_items", [False, True])
def test_module_that_maps_when_imported(script, by_items, options):
    (script.folder / "mine.py").write_text(
        TOP.replace("BY_ITEMS", str(by_items)) % ((options,) * 4))
    env = dict(os.environ)
    if "on" not in options:
        env["TUTTI_ON"] = "processes:2"
    with script.start("""
import mine, tutti
from operator import attrgetter
print(mine.got == list(range(1, 21)), [i.x for i in mine.items])
print(tutti.map(attrgetter("x"), mine.items, on="processes:2"))
""", env=env, start_new_session=True) as process:
        most = 0
        end = time.monotonic() + 20
        while process.poll() is None and time.monotonic() < end and most < 20:
            most = max(most, len(family(process.pid)))
            time.sleep(0.02)
        process.kill()  # the others leave with it
        out, err = process.communicate(timeout=60)
    assert (out, err) == ("True [0, 1, 2]\n[0, 1, 2]\n", "")
    assert most <= 6  # a zygote, two workers


def test_signal_handlers_interrupt_the_wait():
    class Alarm(Exception):
        pass

    def ring(*unused):
        raise Alarm

    old = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        began = time.monotonic()
        with pytest.raises(Alarm):
            tutti.map(time.sleep, [60] * 3, on="processes")
        assert time.monotonic() - began < 20
    finally:
        signal.signal(signal.SIGALRM, old)


def never_arrives():
    time.sleep(60)


class Late:
    def __call__(self, x):
        return x

    def __reduce__(self):
        return never_arrives, ()


def test_who_prepares_for_what_was_given_up_makes_room():
    def stop(*unused):
        raise KeyboardInterrupt

    old = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    try:
        with pytest.raises(KeyboardInterrupt):
            tutti.map(Late(), [1, 2], on="processes:1")
    finally:
        signal.signal(signal.SIGALRM, old)
    began = time.monotonic()
    assert tutti.map(abs, [-1, 2], on="processes:1") == [1, 2]
    assert time.monotonic() - began < 40


def test_standard_input_is_not_the_workers():
    def read(x):
        return os.read(0, 10)

    assert tutti.map(read, range(2), on="processes") == [b"", b""]


def test_the_interpreter_s_lock_is_as_before():
    before = sys.getswitchinterval()
    assert tutti.map(abs, [-1, 2], on="processes") == [1, 2]
    assert sys.getswitchinterval() == before
    seen = []

    def decoded():
        seen.append(sys.getswitchinterval())
        return 0

    class Result:
        def __reduce__(self):
            return decoded, ()

    tutti.map(lambda n: Result(), [1], on="processes")
    with pytest.raises(ZeroDivisionError):
        tutti.map(lambda n: n / 0, [1], on="processes")
    assert sys.getswitchinterval() == before
