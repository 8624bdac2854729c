"""tutti.imap, imap_unordered and starmap."""

import doctest
import gc
import itertools
import os
import random
import threading
import time

import pytest

import tutti
from conftest import family
from tutti import _lazy

both = pytest.mark.parametrize("imap", [tutti.imap, tutti.imap_unordered])


def long(x):
    """Long enough for workers to be called."""
    time.sleep(0.005)
    return os.getpid(), tutti.task.index, x


def until(true, seconds=30):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_doctests():
    result = doctest.testmod(_lazy, extraglobs={"tutti": tutti})
    assert result.attempted >= 4 and not result.failed


def test_order(on):
    assert list(tutti.imap(abs, range(-50, 0), on=on)) == list(
        range(50, 0, -1))
    assert list(tutti.imap(pow, [2, 3, 4], [5, 2], on=on)) == [32, 9]
    assert list(tutti.imap(abs, [], on=on)) == []


def test_without_order(on):
    got = list(tutti.imap_unordered(abs, range(-50, 0), on=on))
    assert sorted(got) == list(range(1, 51))


@both
def test_tiny_tasks_stay_in_the_caller(imap):
    got = imap(lambda x: (os.getpid(), tutti.task.worker), range(1000))
    assert set(got) == {(os.getpid(), 0)}


@both
def test_long_tasks_go_to_workers(imap):
    got = list(imap(long, range(100, 200)))
    assert len({pid for pid, _, _ in got} - {os.getpid()}) >= 2
    assert sorted(index for _, index, _ in got) == list(range(100))
    assert all(x == 100 + index for _, index, x in got)


def test_first_come_first_served():
    got = tutti.imap_unordered(
        lambda s: time.sleep(s) or s, [1.5, 0, 0.1], on="processes:3")
    assert list(got)[-1] == 1.5


@both
def test_items_are_drawn_with_the_results(imap, on):
    drawn = []

    def items():
        for n in itertools.count():
            drawn.append(n)
            yield n

    got = imap(abs, items(), on=on, workers=2)
    for _ in range(20):
        next(got)
    assert len(drawn) <= 20 + 2 * 2
    got.close()


def test_endless_input_of_long_tasks():
    got = tutti.imap(long, itertools.count())
    assert [next(got)[2] for _ in range(60)] == list(range(60))
    got.close()


@both
@pytest.mark.parametrize("end", ["close", "del"])
def test_an_early_end_leaves_nobody_at_work(imap, end):
    before = family(os.getpid())
    got = imap(lambda s: time.sleep(s), [0] + [60] * 20, on="processes:2")
    next(got)
    if end == "close":
        got.close()
    del got
    gc.collect()

    def idle():
        for pid in family(os.getpid()) - before:
            try:
                with open("/proc/%d/wchan" % pid) as f:
                    if "nanosleep" in f.read():
                        return False
            except OSError:
                pass
        return True

    until(idle)


@both
def test_nothing_comes_after_close(imap):
    got = imap(abs, range(10))
    next(got)
    got.close()
    assert list(got) == []


def test_close_while_another_thread_waits(tmp_path):
    """Which gets its result, then the end: it does not go on alone."""
    go = tmp_path / "go"

    def wait(x):
        if x > 3:
            until(go.exists)
        time.sleep(0.03)
        return x

    got = tutti.imap(wait, itertools.count(), workers=2)
    results = []
    thread = threading.Thread(target=lambda: results.extend(got))
    thread.start()
    until(lambda: len(results) == 4)
    time.sleep(0.1)
    try:
        got.close()
    except ValueError as error:  # as of a generator
        assert "executing" in str(error)
    go.touch()
    thread.join(30)
    assert not thread.is_alive()
    assert results == list(range(len(results)))


def fail_at_three(x):
    if x == 3:
        raise ValueError("three")
    return x


def test_an_exception_comes_in_its_turn(on):
    got = tutti.imap(fail_at_three, range(6), on=on)
    assert [next(got) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three") as caught:
        next(got)
    assert caught.value.tutti.index == 3
    assert "argument 3" in repr(caught.value.tutti)
    assert list(got) == []


@both
def test_an_exception_of_a_worker_ends_all(imap):
    def f(x):
        time.sleep(0.005)
        return 1 / (x - 30)

    got = imap(f, range(1000))
    with pytest.raises(ZeroDivisionError):
        list(got)
    assert list(got) == []


@both
def test_exceptions_as_results(imap, on):
    got = list(imap(fail_at_three, range(6), on=on, errors="return"))
    bad = [value for value in got if isinstance(value, ValueError)]
    assert len(bad) == 1 and bad[0].tutti.index == 3
    assert sorted(x for x in got if x is not bad[0]) == [0, 1, 2, 4, 5]


def test_input_that_fails(on):
    def items():
        yield 1
        yield 2
        raise KeyError("input")

    got = tutti.imap(abs, items(), on=on)
    assert [next(got), next(got)] == [1, 2]
    with pytest.raises(KeyError):
        next(got)
    assert list(got) == []


def test_seed():
    def draw(x):
        time.sleep(x)
        return random.random(), tutti.task.index

    items = [0.005] * 40
    want = tutti.map(draw, items, seed=7, on="serial")
    state = random.getstate()
    for on in ("serial", "auto", "processes:3"):
        assert list(tutti.imap(draw, items, seed=7, on=on)) == want
    assert sorted(tutti.imap_unordered(draw, items, seed=7)) == sorted(want)
    assert random.getstate() == state


def test_what_cannot_travel_stays_with_one_warning():
    lock = threading.Lock()

    def f(x):
        time.sleep(0.005)
        return os.getpid(), lock.locked()

    with pytest.warns(RuntimeWarning, match="cannot") as warned:
        got = set(tutti.imap(f, range(20)))
    assert got == {(os.getpid(), False)} and len(warned) == 1


def test_an_item_that_cannot_travel():
    def f(x):
        time.sleep(0.01)
        return type(x).__name__, tutti.task.index

    items = [1] * 30 + [threading.Lock()] + [1] * 120
    with pytest.warns(RuntimeWarning, match="cannot") as warned:
        got = list(tutti.imap(f, items))
    assert [name for name, _ in got] == (
        ["int"] * 30 + ["lock"] + ["int"] * 120)
    assert [index for _, index in got] == list(range(151))
    assert len(warned) == 1
    with pytest.raises(tutti.UnpicklableError):
        list(tutti.imap(f, items, on="processes"))


def test_a_worker_that_dies(on):
    if on != "processes":
        pytest.skip("the caller would")
    got = tutti.imap(lambda x: os._exit(1) if x == 2 else x, range(5), on=on)
    assert [next(got), next(got)] == [0, 1]
    with pytest.raises(tutti.WorkerLostError):
        next(got)


def test_retries(tmp_path):
    mark = str(tmp_path / "mark")

    def f(x):
        if x == 2 and not os.path.exists(mark):
            open(mark, "w").close()
            os._exit(1)
        return x

    assert list(tutti.imap(f, range(5), retries=1)) == list(range(5))


def test_task_timeout():
    got = tutti.imap(time.sleep, [0, 60, 0], task_timeout=0.3,
                     errors="return", workers=2)
    first, late, last = got
    assert first is last is None
    assert isinstance(late, tutti.TaskTimeoutError)


@both
@pytest.mark.parametrize("bad, error, words", [
    ((abs(-1),), TypeError, "misplaced parenthesis"),
    ((abs,), TypeError, "items after the function"),
    ((abs, 3), TypeError, "not iterable"),
    ((abs, [], {"on": "threads"}), ValueError, "on must be"),
    ((abs, [], {"on": "processes:0"}), ValueError, "on must be"),
    ((abs, [], {"workers": 0}), ValueError, "workers"),
    ((abs, [], {"workers": 1.5}), TypeError, "workers"),
    ((abs, [], {"retries": -1}), ValueError, "retries"),
    ((abs, [], {"task_timeout": 0}), ValueError, "task_timeout"),
    ((abs, [], {"task_timeout": 1, "on": "serial"}), ValueError, "be stopped"),
    ((abs, [], {"errors": "no"}), ValueError, "errors"),
    ((abs, [], {"seed": "a"}), TypeError, "seed"),
])
def test_bad_arguments(imap, bad, error, words):
    options = bad[-1] if isinstance(bad[-1], dict) else {}
    bad = [part for part in bad if part is not options]
    with pytest.raises(error, match=words):
        imap(*bad, **options)


def test_place_from_the_environment(script):
    out, err = script("""
import os, tutti
print({pid == os.getpid() for pid in
       tutti.imap(lambda x: os.getpid(), range(4))})
""", env={**os.environ, "TUTTI_ON": "processes:2"})
    assert (out, err) == ("{False}\n", "")


def test_starmap(on):
    assert tutti.starmap(pow, [(2, 5), (3, 2), (2, 5, 7)], on=on) == [32, 9, 4]
    assert tutti.starmap(pow, ([2, n] for n in range(40)), on=on) == [
        2**n for n in range(40)]
    assert tutti.starmap(pow, [], on=on) == []
    with pytest.raises(ZeroDivisionError) as caught:
        tutti.starmap(divmod, [(1, 1), (1, 0)], on=on)
    assert caught.value.tutti.index == 1
    assert "arguments 1, 0" in repr(caught.value.tutti)
    got = tutti.starmap(divmod, [(1, 1), (1, 0)], on=on, errors="return")
    assert got[0] == (1, 0) and isinstance(got[1], ZeroDivisionError)
    with pytest.raises(TypeError):
        tutti.starmap(abs, [1, 2], on=on)


def test_starmap_with_seed():
    def draw(x, y):
        return x + y + random.random()

    items = [(n, 2 * n) for n in range(30)]
    assert tutti.starmap(draw, items, seed=3) == tutti.map(
        draw, range(30), range(0, 60, 2), seed=3, on="processes")
