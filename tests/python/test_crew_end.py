"""What ends: workers, crews, and the processes that own them."""

import gc
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest
from crews import Task, alive, await_all, close, gone, submit

import tutti
from tutti import _fault, _job
from tutti._crew import Crew


# Losses.


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # it has gone already


def test_killed_worker(crew):
    tasks = [submit(crew, time.sleep, 100) for _ in range(2)]
    assert crew.wait(lambda: all(map(crew.running, tasks)), 30)
    others = [submit(crew, abs, -n) for n in range(20)]
    for pid in crew.pids():
        os.kill(pid, signal.SIGKILL)
    await_all(crew, tasks + others)
    assert [task.value for task in others] == list(range(20))
    for task in tasks:
        assert isinstance(task.error, tutti.WorkerLostError)
        assert "killed" in str(task.error)


def test_workers_killed_at_random():
    crew = Crew(2, retries=100)
    choose = random.Random(5)
    tasks = [submit(crew, pow, n, 2) for n in range(3000)]
    for _ in range(15):
        crew.wait(lambda: False, choose.random() * 0.02)
        for pid in crew.pids():
            if choose.random() < 0.7 and alive(pid):
                kill(pid)
        tasks += [submit(crew, pow, n, 2) for n in range(20)]
    await_all(crew, tasks)
    assert [task.value for task in tasks[:3000]] == [
        n * n for n in range(3000)
    ]
    pids = crew.pids()
    close(crew)
    assert gone(pids)


def test_idle_workers_killed_again_and_again(crew):
    for _ in range(8):
        assert crew.wait(lambda: len(crew.pids()) == 2, 30)
        old = crew.pids()
        for pid in old:
            kill(pid)
        assert crew.wait(
            lambda: len(crew.pids()) == 2 and not set(old) & set(crew.pids()),
            30,
        )
        assert crew.call(abs, (-3,)) == 3


def test_only_what_ran_is_lost(crew):
    """Tasks beside one that ends its worker again and again."""
    first = crew.call(lambda: tutti.task.index) + 1
    tasks = [
        submit(crew, os._exit if n % 50 == 25 else abs, n) for n in range(500)
    ]
    await_all(crew, tasks)
    for n, task in enumerate(tasks):
        if n % 50 == 25:
            assert isinstance(task.error, tutti.WorkerLostError)
            assert str(task.error).endswith(" task %d" % (first + n))
        elif task.outcomes[0][0]:
            assert task.value == n
        else:
            assert isinstance(task.error, tutti.WorkerLostError)
    lost = [task.error for task in tasks if not task.outcomes[0][0]]
    pids = {str(error).partition("pid ")[2].partition(")")[0] for error in lost}
    assert len(lost) <= 10 * 8 and len(pids) == 10


def test_a_loss_names_its_task():
    """Of the few that are sent together; results before it have left."""
    crew = Crew(1)
    before = crew.call(lambda: tutti.task.index)

    def f(n):
        time.sleep(0.001)
        if n % 30 == 20:
            os._exit(1)
        return n

    tasks = [submit(crew, f, n) for n in range(90)]
    await_all(crew, tasks)
    for n, task in enumerate(tasks):
        if n % 30 == 20:
            assert str(task.error).endswith(" task %d" % (before + 1 + n))
        else:
            assert task.value == n
    close(crew)


def test_task_timeout():
    crew = Crew(2, task_timeout=0.3)
    late = submit(crew, time.sleep, 100)
    tasks = [submit(crew, abs, -n) for n in range(20)]
    await_all(crew, [late, *tasks])
    assert isinstance(late.error, tutti.TaskTimeoutError)
    assert [task.value for task in tasks] == list(range(20))
    close(crew)


def test_tasks_per_worker():
    crew = Crew(1, tasks_per_worker=3)
    pids = [crew.call(os.getpid) for _ in range(9)]
    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [3, 3, 3]
    close(crew)


def test_retries(tmp_path):
    crew = Crew(1, retries=2)

    def f(path):
        with open(path, "a") as file:
            file.write("x")
        if os.path.getsize(path) < 3:
            os._exit(1)
        return os.path.getsize(path)

    assert crew.call(f, (str(tmp_path / "runs"),)) == 3
    close(crew)


def test_a_setup_that_fails():
    def fail():
        raise ValueError("of the initializer")

    crew = Crew(2, setup=_job.dump_setup((fail, (), None)))
    tasks = [submit(crew, abs, -n) for n in range(5)]
    await_all(crew, tasks)
    for task in tasks:
        assert isinstance(task.error, _fault.InitializerError)
        assert "of the initializer" in str(task.error)
    close(crew)


# The end.


def test_more_tasks_while_failures_are_told():
    """The only worker could not be had: what is submitted where that is told
    has it tried again, and is not left over."""
    crew = Crew(1, setup=(os._exit, (3,), {}))
    over = threading.Event()
    errors = []

    class Again:
        def deliver(self, ok, value):
            errors.append(value)
            if len(errors) < 4:
                crew.submit(Again(), abs, (-1,))
            else:
                over.set()

    crew.submit(Again(), abs, (-1,))
    assert over.wait(60)
    assert all(isinstance(error, tutti.WorkerLostError) for error in errors)
    close(crew)


def test_workers_come_at_once():
    crew = Crew(3)
    assert crew.wait(lambda: len(crew.pids()) == 3, 30)
    pids = crew.pids()
    assert all(map(alive, pids)) and os.getpid() not in pids
    close(crew)
    assert gone(pids) and crew.pids() == []


def test_close(crew):
    tasks = [submit(crew, time.sleep, 0.05) for _ in range(6)]
    with pytest.raises(ValueError, match="still in use"):
        crew.join()
    crew.close()
    crew.close()
    with pytest.raises(RuntimeError, match="closed"):
        submit(crew, abs, -1)
    with pytest.raises(RuntimeError, match="closed"):
        crew.call(abs, (-1,))
    assert not crew.join(0)
    assert crew.join(60) and crew.join()
    assert [task.value for task in tasks] == [None] * 6


def test_terminate(crew):
    tasks = [submit(crew, time.sleep, 100) for _ in range(50)]
    assert crew.wait(lambda: crew.running(tasks[0]), 30)
    pids = crew.pids()
    crew.terminate()
    assert crew.join(30) and gone(pids)
    for task in tasks:
        assert isinstance(task.error, tutti.WorkerLostError)
        assert "terminated" in str(task.error)


def test_terminate_while_somebody_calls(crew):
    errors = []

    def call():
        try:
            crew.call(time.sleep, (100,))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    crew.terminate()
    for thread in threads:
        thread.join(30)
    assert [type(error) for error in errors] == [tutti.WorkerLostError] * 4


def test_dropped_crew():
    crew = Crew(2)
    tasks = [submit(crew, time.sleep, 0.02) for _ in range(20)]
    pids = crew.pids()
    del crew
    gc.collect()
    until = time.monotonic() + 60
    while not all(task.done for task in tasks):
        assert time.monotonic() < until
        time.sleep(0.01)
    assert [task.value for task in tasks] == [None] * 20
    assert gone(pids)


def test_descriptors_and_threads_are_given_back():
    def count():
        return len(os.listdir("/proc/self/fd")), threading.active_count()

    def use():
        crew = Crew(2)
        crew.call(abs, (-1,))
        close(crew)

    use()
    before = count()
    for _ in range(5):
        use()
    assert count() == before


def test_fork(crew):
    assert crew.call(abs, (-1,)) == 1
    waiting = submit(crew, time.sleep, 0.2)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            with pytest.raises(RuntimeError, match="forked"):
                crew.submit(Task(), abs, (-1,))
            with pytest.raises(RuntimeError, match="forked"):
                crew.call(abs, (-1,))
            with pytest.raises(RuntimeError, match="forked"):
                crew.wait(lambda: False)
            with pytest.raises(RuntimeError, match="forked"):
                crew.map(abs, [[1]])
            crew.close()
            crew.terminate()
            assert crew.join(5)
            own = Crew(1)
            assert own.call(abs, (-4,)) == 4
            close(own)
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    await_all(crew, [waiting])
    assert waiting.value is None and crew.call(abs, (-2,)) == 2


def script(text):
    # From Python 3.12 on, a fork beside threads is warned of.
    quiet = "ignore:This process:DeprecationWarning"
    return [sys.executable, "-W", quiet, "-c", textwrap.dedent(text)]


def run(text):
    return subprocess.run(
        script(text), capture_output=True, text=True, timeout=60
    )


TASK = """
import os, sys, time, threading
from tutti._crew import Crew

class Task:
    done = False
    def deliver(self, ok, value):
        self.done = True
        print("told", ok, type(value).__name__, flush=True)
"""


def test_fork_where_an_outcome_is_delivered():
    """By the place's thread, which is the only one that the child has: it must
    end there, and not go on with what is the parent's."""
    done = run(TASK + """
class Forks(Task):
    pid = None

    def deliver(self, ok, value):
        pid = os.fork()
        if pid:
            self.pid = pid

crew = Crew(2)
task = Forks()
crew.submit(task, abs, (-1,))
while not task.pid:
    time.sleep(0.01)
print("child", os.waitpid(task.pid, 0)[1])
print("sum", sum(crew.call(abs, (-n,)) for n in range(300)))
crew.close()
crew.join()
""")
    assert done.stdout.split() == ["child", "0", "sum", "44850"], done.stderr


@pytest.mark.parametrize("ending", ["", "sys.exit(3)", "raise OSError('x')"])
def test_exit_with_an_open_crew(ending):
    done = run(TASK + """
crew = Crew(2)
for _ in range(3):
    crew.submit(Task(), time.sleep, (100,))
print(*crew.pids(), flush=True)
%s
""" % ending)
    pids, *rest = done.stdout.splitlines()
    assert rest == ["told False WorkerLostError"] * 3
    assert gone(map(int, pids.split()))
    assert done.returncode == {"": 0, "sys.exit(3)": 3}.get(ending, 1)
    assert "Traceback" not in done.stderr or ending.startswith("raise")


def test_exit_of_a_forked_child():
    done = run(TASK + """
crew = Crew(2)
crew.call(abs, (-1,))
if os.fork() == 0:
    sys.exit(0)  # runs what is registered for the exit
print(os.wait()[1], crew.call(abs, (-6,)))
""")
    assert done.stdout == "0 6\n" and not done.stderr


def test_crew_that_a_forked_child_drops():
    done = run(TASK + """
crew = Crew(2)
crew.call(abs, (-1,))
child = os.fork()
if child == 0:
    del crew
    time.sleep(0.2)
    os._exit(0)
print(os.waitpid(child, 0)[1], crew.call(abs, (-6,)))
""")
    assert done.stdout == "0 6\n" and not done.stderr


def test_crew_of_a_daemon_thread():
    done = run(TASK + """
def work():
    crew = Crew(2)
    crew.call(abs, (-1,))
    print("called", flush=True)
    crew.wait(lambda: False)

threading.Thread(target=work, daemon=True).start()
time.sleep(1)
""")
    assert done.stdout == "called\n" and done.returncode == 0
    assert "Fatal" not in done.stderr


@pytest.mark.parametrize(
    "wait", ["crew.wait(lambda: False)", "crew.call(time.sleep, (100,))"]
)
def test_interrupt(wait):
    process = subprocess.Popen(
        script(TASK + """
crew = Crew(2)
crew.call(abs, (-1,))
print(*crew.pids(), flush=True)
try:
    %s
except KeyboardInterrupt:
    print("interrupted", time.monotonic(), flush=True)
    print(crew.call(abs, (-7,)), flush=True)
""" % wait),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )
    pids = list(map(int, process.stdout.readline().split()))
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    sent = time.monotonic()
    out, err = process.communicate(timeout=60)
    word, at, seven = out.split()
    assert word == "interrupted" and seven == "7" and not err
    assert float(at) - sent < 5
    assert gone(pids) and process.returncode == 0


def test_interrupted_deliveries(crew):
    """One that is cut short is done again."""

    class Hit(Task):
        tries = 0

        def deliver(self, ok, value):
            self.tries += 1
            if self.tries == 1 and (
                threading.current_thread() is threading.main_thread()
            ):
                signal.raise_signal(signal.SIGINT)
            super().deliver(ok, value)

    hits = 0
    for _ in range(20):
        task = Hit()
        crew.submit(task, time.sleep, (0.005,))
        try:
            assert crew.wait(lambda: task.done, 30)
        except KeyboardInterrupt:
            hits += 1
        assert crew.wait(lambda: task.done, 30)
        assert task.value is None and task.tries in (1, 2)
    assert hits
