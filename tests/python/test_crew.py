"""Crew: worker processes of one owner, and the tasks that wait for them."""

import functools
import os
import signal
import sys
import threading
import time

import pytest
from crews import Task, await_all, close, outcome, submit

import tutti
from tutti import _setup
from tutti._crew import Crew


@pytest.fixture(scope="module")
def shared():
    crew = Crew(2)
    yield crew
    close(crew)


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


@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_large_bytes(shared, kind):
    value = kind(os.urandom(1 << 20))
    got = shared.call(lambda x, y: (type(x), x == y, y), (value, value))
    assert got == (kind, True, value)
    got = shared.call(lambda x: x[1:], (value,))
    assert type(got) is kind and got == value[1:]


def test_arrays(shared):
    numpy = pytest.importorskip("numpy")
    array = numpy.arange(100_000.0)

    def f(x, k):
        x += k  # in place, in the worker only
        return x

    tasks = [submit(shared, f, array, k) for k in range(4)]
    await_all(shared, tasks)
    for k, task in enumerate(tasks):
        assert (task.value == numpy.arange(100_000.0) + k).all()
        task.value[0] = 7  # and its own
    assert (array == numpy.arange(100_000.0)).all()


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
    dump = _setup.dump_function

    def counted(value, setup):
        seen.append(value)
        return dump(value, setup)

    monkeypatch.setattr(_setup, "dump_function", counted)

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
    task = submit(crew, abs, -1)
    await_all(crew, [task])
    cancelled = [submit(crew, time.sleep, 0.01) for _ in range(20)]
    for one in cancelled:
        crew.cancel(one)
    del one
    await_all(crew, [submit(crew, abs, -1)])
    assert crew.wait(lambda: sys.getrefcount(task) == 2, 10)
    assert crew.wait(
        lambda: all(sys.getrefcount(one) <= 3 for one in cancelled), 10
    )


def test_prints_come_while_the_task_runs(crew, capsys, tmp_path):
    """Also when nobody waits for it."""
    go = tmp_path / "go"

    def work():
        print("begun")
        while not go.exists():
            time.sleep(0.01)

    task = submit(crew, work)
    text, until = "", time.monotonic() + 30
    while not text and time.monotonic() < until:
        time.sleep(0.01)
        text = capsys.readouterr().out
    go.touch()
    await_all(crew, [task])
    assert text == "begun\n"


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


def test_wait_settles_what_another_thread_has_told_of(crew):
    """A result came to a thread that now waits for the interpreter's lock,
    which this one has: to sleep until more comes would be too late."""

    class Here(Task):
        def deliver(self, ok, value):
            super().deliver(ok, value)
            self.thread = threading.get_ident()

    other = threading.Thread(target=crew.call, args=(time.sleep, (2,)))
    other.start()
    interval = sys.getswitchinterval()
    here = []
    while other.is_alive() and not any(here):
        time.sleep(0.01)
        task = Here()
        sys.setswitchinterval(60)
        try:
            crew.submit(task, abs, (-1,))
            until = time.monotonic() + 0.05
            while time.monotonic() < until:
                pass
            crew.wait(lambda: task.done)
        finally:
            sys.setswitchinterval(interval)
        here.append(task.thread == threading.get_ident())
    other.join()
    assert any(here)


def test_wait_ends_with_the_crew(crew):
    close(crew)
    assert not crew.wait(lambda: False)


def test_crews_in_workers(shared):
    def inner(n):
        crew = Crew(2)
        got = crew.call(pow, (n, 2)), crew.map(abs, [range(-n, 0)])
        crew.close()
        return got, crew.join(60)

    assert shared.call(inner, (2,)) == ((4, [2, 1]), True)
    assert shared.map(inner, [[3] * 3]) == [((9, [3, 2, 1]), True)] * 3


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
