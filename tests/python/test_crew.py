"""Crew: worker processes of one owner, and the tasks that wait for them."""

import functools
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

import tutti
from tutti import _job, _wire
from tutti._crew import Crew


class Task:
    """Keeps what is delivered."""

    def __init__(self):
        self.outcomes = []

    def deliver(self, ok, value):
        self.outcomes.append((ok, value))

    @property
    def done(self):
        return bool(self.outcomes)

    @property
    def value(self):
        ((ok, value),) = self.outcomes
        assert ok, value
        return value

    @property
    def error(self):
        ((ok, value),) = self.outcomes
        assert not ok, value
        return value


def submit(crew, f, *args, **kwargs):
    task = Task()
    crew.submit(task, f, args, kwargs)
    return task


def await_all(crew, tasks):
    assert crew.wait(lambda: all(task.done for task in tasks), 60)


def outcome(crew, f, *args, **kwargs):
    task = submit(crew, f, *args, **kwargs)
    await_all(crew, [task])
    return task


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(pids):
    """Whether all of them end."""
    until = time.monotonic() + 30
    while any(map(alive, pids)):
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def close(crew):
    crew.close()
    assert crew.join(60)


@pytest.fixture(scope="module")
def shared():
    crew = Crew(2)
    yield crew
    close(crew)


@pytest.fixture
def crew():
    made = Crew(2)
    yield made
    made.terminate()
    assert made.join(60)


# Outcomes.


def test_results(shared):
    tasks = [submit(shared, pow, n, 2) for n in range(100)]
    await_all(shared, tasks)
    assert [task.value for task in tasks] == [n * n for n in range(100)]


@pytest.mark.parametrize(
    "value", [None, True, 0, 1 << 80, "", "x" * 100_000, [None], b"\0" * 7]
)
def test_values_come_back(shared, value):
    assert shared.call(lambda x: x, (value,)) == value
    assert outcome(shared, lambda x: x, value).value == value


def test_keywords(shared):
    def f(*args, **kwargs):
        return args, kwargs

    assert shared.call(f) == ((), {})
    assert shared.call(f, [1]) == ((1,), {})
    assert shared.call(f, (1,), {"a": 2}) == ((1,), {"a": 2})
    assert shared.call(functools.partial(f, 3), (1,), {"a": 2}) == (
        (3, 1), {"a": 2},
    )


class Counter:
    def __init__(self, n):
        self.n = n

    def get(self):
        return self.n

    def __call__(self):
        return self.n


def test_what_may_change_is_pickled_again(shared):
    counter = Counter(1)
    assert shared.call(counter.get) == 1 and shared.call(counter) == 1
    counter.n = 2
    assert shared.call(counter.get) == 2 and shared.call(counter) == 2


def test_functions_are_pickled_once(shared, monkeypatch):
    seen = []
    dumps = _wire.dumps

    def counted(value, *rest):
        seen.append(value)
        return dumps(value, *rest)

    monkeypatch.setattr(_wire, "dumps", counted)

    def f(x):
        return x + seven

    seven = 7
    tasks = [submit(shared, f, n) for n in range(50)]
    await_all(shared, tasks)
    assert [task.value for task in tasks] == [n + 7 for n in range(50)]
    assert seen.count(f) == 1


def test_more_functions_than_a_worker_keeps(shared):
    functions = [lambda x, n=n: x * n for n in range(150)]
    for _ in range(3):
        tasks = [submit(shared, f, 2) for f in functions]
        await_all(shared, tasks)
        assert [task.value for task in tasks] == [2 * n for n in range(150)]


def test_functions_at_the_same_address(shared):
    def make(n):
        return lambda: n

    assert [shared.call(make(n)) for n in range(200)] == list(range(200))


def test_task_knows_itself(shared):
    def f():
        return tutti.task.index, tutti.task.worker

    first, second = shared.call(f), shared.call(f)
    assert second[0] == first[0] + 1
    assert first[1] in (1, 2) and second[1] in (1, 2)


# Errors.


def test_exception(shared):
    def f():
        raise KeyError("where")

    error = outcome(shared, f).error
    assert type(error) is KeyError and error.args == ("where",)
    assert "in f" in str(error.__cause__)
    with pytest.raises(KeyError, match="where"):
        shared.call(f)


def test_exit_is_an_exception(shared):
    assert isinstance(outcome(shared, sys.exit, 3).error, SystemExit)


class Stubborn:
    """Does not travel."""

    def __reduce__(self):
        raise OSError("stays here")


class Bomb:
    """Does not arrive."""

    def __reduce__(self):
        return int, ("no number",)


class Leaver:
    """Ends the process that unpickles it."""

    def __reduce__(self):
        return os._exit, (7,)


@pytest.mark.parametrize(
    "f, args, text",
    [
        (Stubborn().__reduce__, (), "function"),
        (lambda x: x, (Stubborn(),), "argument"),
        (lambda x: x, (Bomb(),), "argument"),
        (lambda make: make(), (Stubborn,), "result"),
        (lambda make: make(), (Bomb,), "result"),
    ],
)
def test_unpicklable(shared, f, args, text):
    error = outcome(shared, f, *args).error
    assert isinstance(error, tutti.UnpicklableError)
    assert text in str(error) or text == "function"
    assert shared.call(abs, (-3,)) == 3


def test_unpicklable_exception(shared):
    def f():
        error = ValueError("so")
        error.extra = threading.Lock()
        raise error

    error = outcome(shared, f).error
    assert isinstance(error, tutti.UnpicklableError)
    assert "so" in str(error)


def test_unpicklable_function(shared):
    lock = threading.Lock()

    def f():
        return lock

    error = outcome(shared, f).error
    assert isinstance(error, tutti.UnpicklableError)
    with pytest.raises(tutti.UnpicklableError, match="function"):
        shared.call(f)


def test_one_bad_outcome_spoils_no_other(crew):
    tasks = [
        submit(crew, lambda n: Bomb() if n % 3 == 0 else n, n)
        for n in range(60)
    ]
    await_all(crew, tasks)
    for n, task in enumerate(tasks):
        if n % 3:
            assert task.value == n
        else:
            assert isinstance(task.error, tutti.UnpicklableError)


def test_argument_that_ends_the_worker(crew):
    assert isinstance(
        outcome(crew, abs, Leaver()).error, tutti.WorkerLostError
    )
    assert crew.call(abs, (-3,)) == 3


def test_wrong_calls(shared):
    with pytest.raises(TypeError):
        shared.submit(Task())
    with pytest.raises(TypeError, match="kwargs must be a dict, got int"):
        shared.submit(Task(), abs, (1,), 5)
    with pytest.raises(TypeError):
        shared.submit(Task(), abs, 5)


# Deliveries.


def test_what_deliver_raises(crew, monkeypatch):
    seen = []
    monkeypatch.setattr(sys, "unraisablehook", seen.append)

    class Bad(Task):
        def deliver(self, ok, value):
            super().deliver(ok, value)
            raise LookupError("of deliver")

    bad = [Bad() for _ in range(5)]
    for task in bad:
        crew.submit(task, abs, (-1,))
    good = submit(crew, abs, -2)
    await_all(crew, [*bad, good])
    assert good.value == 2
    assert crew.wait(lambda: len(seen) == 5, 10)
    assert all(isinstance(one.exc_value, LookupError) for one in seen)


def test_deliver_may_use_the_crew(crew):
    class Chain(Task):
        def deliver(self, ok, value):
            if value:
                crew.submit(self, lambda n: n - 1, (value,))
            else:
                super().deliver(ok, crew.call(abs, (-9,)))

    tasks = [Chain() for _ in range(4)]
    for task in tasks:
        crew.submit(task, abs, (-20,))
    await_all(crew, tasks)
    assert [task.value for task in tasks] == [9] * 4


def test_deliveries_without_anyone_who_waits(crew):
    tasks = [submit(crew, abs, -n) for n in range(50)]
    until = time.monotonic() + 60
    while not all(task.done for task in tasks):
        assert time.monotonic() < until
        time.sleep(0.005)
    assert [task.value for task in tasks] == list(range(50))


def test_join_in_a_delivery(crew):
    class Joins(Task):
        def deliver(self, ok, value):
            crew.close()
            try:
                crew.join()
            except RuntimeError as error:
                value = str(error)
            super().deliver(ok, value)

    task = Joins()
    crew.submit(task, abs, (-1,))
    await_all(crew, [task])
    assert "would wait for itself" in task.value


def test_many_threads(crew):
    bad = []

    def work(k):
        for n in range(100):
            if crew.call(pow, (k, n)) != k ** n:
                bad.append((k, n))
        tasks = [submit(crew, pow, k, n) for n in range(100)]
        await_all(crew, tasks)
        bad.extend(n for n, t in enumerate(tasks) if t.value != k ** n)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not bad


def test_many_tasks(crew):
    count = 100_000
    left = [count]
    total = []

    class Sum:
        def deliver(self, ok, value):
            total.append(value)
            left[0] -= 1

    for n in range(count):
        crew.submit(Sum(), abs, (-n,))
    assert crew.wait(lambda: not left[0], 100)
    assert len(total) == count and sum(total) == count * (count - 1) // 2


def test_a_long_task_among_many(crew):
    """Whose number stays while those of others go."""
    long = submit(crew, time.sleep, 1)
    for _ in range(20):
        tasks = [submit(crew, abs, -n) for n in range(300)]
        await_all(crew, tasks)
    await_all(crew, [long])
    assert long.value is None


def test_order():
    crew = Crew(1)
    order = []

    class Noted(Task):
        def deliver(self, ok, value):
            order.append(value)

    for n in range(500):
        crew.submit(Noted(), abs, (-n,))
    assert crew.wait(lambda: len(order) == 500, 60)
    assert order == list(range(500))
    close(crew)


def test_tasks_are_let_go(crew):
    class Argument:
        pass

    task = submit(crew, abs, -1)
    await_all(crew, [task])
    cancelled = [submit(crew, time.sleep, 0.01) for _ in range(20)]
    for one in cancelled:
        crew.cancel(one)
    await_all(crew, [submit(crew, abs, -1)])
    assert crew.wait(lambda: sys.getrefcount(task) == 2, 10)
    assert crew.wait(
        lambda: all(sys.getrefcount(one) <= 3 for one in cancelled), 10
    )


def test_prints_come_before_the_outcome(crew, capsys):
    def f():
        print("from a task")
        return 1

    class Looks(Task):
        def deliver(self, ok, value):
            super().deliver(ok, capsys.readouterr().out)

    task = Looks()
    crew.submit(task, f)
    await_all(crew, [task])
    assert task.value == "from a task\n"


# Cancelling, waiting.


def test_cancel(crew):
    long = [submit(crew, time.sleep, 0.3) for _ in range(2)]
    assert crew.wait(lambda: all(map(crew.running, long)), 30)
    waiting = [submit(crew, abs, -n) for n in range(600)]
    assert not crew.running(waiting[-1])
    assert all(crew.cancel(task) for task in waiting[100:])
    assert not crew.cancel(waiting[200])
    assert not crew.cancel(long[0])
    await_all(crew, long + waiting[:100])
    assert crew.call(abs, (-5,)) == 5
    assert [task.value for task in waiting[:100]] == list(range(100))
    assert not any(task.done for task in waiting[100:])
    assert not crew.running(long[0]) and not crew.cancel(long[0])
    assert not crew.cancel(Task()) and not crew.running(Task())


def test_wait(crew):
    assert crew.wait(lambda: True)
    assert not crew.wait(lambda: False, 0)
    begin = time.monotonic()
    assert not crew.wait(lambda: False, 0.05)
    assert time.monotonic() - begin >= 0.05
    with pytest.raises(ZeroDivisionError):
        crew.wait(lambda: 1 / 0)
    with pytest.raises(TypeError):
        crew.wait(lambda: True, "soon")


def test_wait_ends_with_the_crew(crew):
    close(crew)
    assert not crew.wait(lambda: False)


# Losses.


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
            if choose.random() < 0.7:
                os.kill(pid, signal.SIGKILL)
        tasks += [submit(crew, pow, n, 2) for n in range(20)]
    await_all(crew, tasks)
    assert [task.value for task in tasks[:3000]] == [
        n * n for n in range(3000)
    ]
    pids = crew.pids()
    close(crew)
    assert gone(pids)


def test_only_what_ran_is_lost(crew):
    """Tasks beside one that ends its worker again and again."""
    tasks = [
        submit(crew, os._exit if n % 50 == 25 else abs, n) for n in range(500)
    ]
    await_all(crew, tasks)
    for n, task in enumerate(tasks):
        if n % 50 == 25:
            assert isinstance(task.error, tutti.WorkerLostError)
        elif task.outcomes[0][0]:
            assert task.value == n
        else:
            assert isinstance(task.error, tutti.WorkerLostError)
    lost = sum(not task.outcomes[0][0] for task in tasks)
    assert lost <= 10 * 8


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
        assert isinstance(task.error, tutti.WorkerLostError)
        assert "of the initializer" in str(task.error)
    close(crew)


# Maps.


def test_map(crew):
    pids = set(crew.map(lambda _: os.getpid(), [range(200)]))
    assert pids <= set(crew.pids()) and os.getpid() not in pids
    assert crew.map(pow, [[2, 3], [5, 2]]) == [32, 9]
    assert crew.map(abs, [[]]) == []
    assert crew.call(abs, (-1,)) == 1
    with pytest.raises(ZeroDivisionError):
        crew.map(lambda n: 1 // n, [[1, 0]])


def test_map_beside_tasks(crew):
    tasks = [submit(crew, abs, -n) for n in range(200)]
    assert crew.map(abs, [range(-1000, 0)]) == list(range(1000, 0, -1))
    await_all(crew, tasks)
    assert [task.value for task in tasks] == list(range(200))


def test_map_of_a_terminated_crew(crew):
    def terminate():
        assert crew.wait(lambda: False, 0.3) is False
        crew.terminate()

    thread = threading.Thread(target=terminate)
    thread.start()
    with pytest.raises(tutti.WorkerLostError, match="terminated"):
        crew.map(time.sleep, [[100] * 4])
    thread.join()
    with pytest.raises(RuntimeError, match="closed"):
        crew.map(abs, [[1]])


# The end.


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
    return [sys.executable, "-c", textwrap.dedent(text)]


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
