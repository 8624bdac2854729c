"""Exceptions of tasks, and bad arguments."""

import os
import random
import signal
import sys
import threading
import time

import pytest

import tutti


class Custom(Exception):
    def __init__(self, a, b):
        super().__init__("%s %s" % (a, b))
        self.a = a


class Good(Exception):
    pass


def spin(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def fail_at(bad):
    def f(x):
        if x in bad:
            raise Good("at %d" % x)
        return x

    return f


def test_lowest_index_wins(on):
    rng = random.Random(1)
    for _ in range(30):
        bad = set(rng.sample(range(300), rng.randint(1, 6)))
        with pytest.raises(Good) as caught:
            tutti.map(fail_at(bad), range(300), on=on)
        assert str(caught.value) == "at %d" % min(bad)
        assert caught.value.tutti.index == min(bad)


def test_lowest_index_wins_when_spread():
    rng = random.Random(2)

    def f(x, bad):
        spin(0.001)
        if x in bad:
            raise Good("at %d" % x)

    for _ in range(5):
        bad = set(rng.sample(range(300), 3))
        with pytest.raises(Good) as caught:
            tutti.map(f, range(300), [bad] * 300)
        assert str(caught.value) == "at %d" % min(bad)
        assert caught.value.tutti.index == min(bad)


@pytest.mark.parametrize("on", ["auto", "processes:3"])
def test_failure_does_not_wait_for_tasks_above(on):
    def f(x):
        time.sleep(0.5 if x == 0 else 60)
        raise Good("mine")

    began = time.monotonic()
    with pytest.raises(Good, match="mine"):
        tutti.map(f, range(6), on=on)
    assert time.monotonic() - began < 20


def test_tasks_below_have_run(on, tmp_path):
    def f(x):
        (tmp_path / str(x)).touch()
        if x >= 40:
            raise Good

    with pytest.raises(Good):
        tutti.map(f, range(80), on=on)
    ran = {int(path.name) for path in tmp_path.iterdir()}
    assert ran >= set(range(41))


def test_note_names_task_and_argument(on):
    with pytest.raises(ZeroDivisionError) as caught:
        tutti.map(lambda x: 1 // x, [3, 2, 1, 0], on=on)
    assert repr(caught.value.tutti) == "task 3, argument 0"
    if sys.version_info >= (3, 11):
        assert caught.value.__notes__ == ["tutti: task 3, argument 0"]


def test_note_is_cut(on):
    with pytest.raises(TypeError) as caught:
        tutti.map(abs, ["y" * 10000], on=on)
    assert len(repr(caught.value.tutti)) < 120
    for first in ([1, "a"], iter([1, "a"])):
        with pytest.raises(TypeError) as caught:
            tutti.map(pow, first, [2, 3], on=on)
        assert repr(caught.value.tutti) == "task 1, arguments 'a', 3"


def test_remote_traceback_is_the_cause():
    def deep(x):
        return 1 // x

    with pytest.raises(ZeroDivisionError) as caught:
        tutti.map(deep, [0], on="processes")
    assert "in deep" in str(caught.value.__cause__)


def test_errors_return(on):
    got = tutti.map(fail_at({2, 70}), range(100), on=on, errors="return")
    assert [i for i, x in enumerate(got) if isinstance(x, Good)] == [2, 70]
    assert got[70].tutti.index == 70
    assert [x for x in got if not isinstance(x, Good)] == [
        x for x in range(100) if x not in (2, 70)]
    got = tutti.map(divmod, [1, 2], [0, 1], on=on, errors="return")
    assert isinstance(got[0], ZeroDivisionError) and got[1] == (2, 0)


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_exits_are_reported(on, kind):
    def leave(x):
        if x == 5:
            raise kind("mine")

    for errors in ("raise", "return"):
        with pytest.raises(kind, match="mine"):
            tutti.map(leave, range(10), on=on, errors=errors)


def test_stop_iteration(on):
    def stop(x):
        raise StopIteration("mine")

    with pytest.raises(StopIteration, match="mine"):
        tutti.map(stop, range(10), on=on)


def test_exception_that_does_not_come_back():
    def f(x):
        raise Custom(1, 2)

    with pytest.raises(tutti.UnpicklableError, match="task 0 raised Custom"):
        tutti.map(f, [1], on="processes")


def test_unpicklable_function():
    lock = threading.Lock()

    def f(x):
        return lock

    with pytest.raises(tutti.UnpicklableError, match="function .*lock"):
        tutti.map(f, range(3), on="processes")


def test_unpicklable_argument():
    items = [1, 2, threading.Lock(), 4]
    with pytest.raises(tutti.UnpicklableError, match="task 2 .*lock"):
        tutti.map(repr, items, on="processes")


def test_unpicklable_result():
    def f(x):
        return sys._getframe() if x == 7 else x

    with pytest.raises(tutti.UnpicklableError, match="task 7 .*frame"):
        tutti.map(f, range(20), on="processes")


class Bomb:
    """Fails while it is unpickled."""

    def __reduce__(self):
        return explode, ()


def explode():
    raise Good("unpickled")


def test_argument_that_fails_to_unpickle():
    with pytest.raises(tutti.UnpicklableError, match="unpickled"):
        tutti.map(repr, [Bomb()], on="processes")


def test_result_that_fails_to_unpickle():
    with pytest.raises(tutti.UnpicklableError, match="unpickled"):
        tutti.map(lambda x: Bomb(), [1], on="processes")


def test_auto_runs_functions_that_cannot_travel():
    lock = threading.Lock()

    def f(x):
        with lock:
            spin(0.001)
            return x

    assert tutti.map(f, range(400)) == list(range(400))


def test_auto_runs_items_that_cannot_travel():
    def f(x):
        spin(0.001)
        return getattr(x, "locked", None) is not None

    items = [threading.Lock() if i % 90 == 50 else i for i in range(400)]
    assert tutti.map(f, items) == [i % 90 == 50 for i in range(400)]


class Stays:
    """Refuses to travel, and leaves word that it did."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        self.path.touch()
        raise TypeError("stays here")


def test_lost_worker_is_not_blamed_on_an_item_that_cannot_travel(tmp_path):
    refused, caller = tmp_path / "refused", os.getpid()

    def f(x):
        if os.getpid() != caller and refused.exists():
            os.kill(os.getpid(), signal.SIGKILL)
        spin(0.001)

    items = [Stays(refused) if i % 90 == 50 else i for i in range(2000)]
    for _ in range(5):  # until the workers are there in time
        try:
            tutti.map(f, items)
        except tutti.WorkerLostError:
            return
    pytest.fail("no worker was lost")


class Interrupter:
    """Stands for a Ctrl-C that comes while the caller pickles."""

    def __reduce__(self):
        raise KeyboardInterrupt("mine")

    def wait(self):
        spin(0.001)


@pytest.mark.parametrize("on", ["auto", "processes"])
def test_interrupt_while_pickling(on):
    with pytest.raises(KeyboardInterrupt, match="mine"):
        tutti.map(Interrupter.wait, [Interrupter()] * 500, on=on)


BAD = {
    "tutti.map(abs, [1], on='nowhere')": (ValueError, "unknown place"),
    "tutti.map(abs, [1], on='processes:0')": (ValueError, "from 1"),
    "tutti.map(abs, [1], on='processes:x')": (ValueError, "behind the colon"),
    "tutti.map(abs, [1], on=None)": (TypeError, "text of a place"),
    "tutti.map(abs, [1], on='threads')": (tutti.Error, "cannot run this"),
    "tutti.map(abs, [1], workers=0)": (ValueError, "workers must be 1"),
    "tutti.map(abs, [1], workers=10**30)": (ValueError, "workers must be 1"),
    "tutti.map(abs, [1], workers='2')": (TypeError, "whole number, got str"),
    "tutti.map(abs, [1], retries=-1)": (ValueError, "retries must be 0"),
    "tutti.map(abs, [1], task_timeout=0)": (ValueError, "above 0"),
    "tutti.map(abs, [1], task_timeout='1')": (TypeError, "seconds, got str"),
    "tutti.map(abs, [1], on='serial', task_timeout=1)":
        (ValueError, "another process"),
    "tutti.map(abs, [1], seed=1.5)": (TypeError, "whole number, got float"),
    "tutti.map(abs, [1], seed=-1)": (ValueError, "0 to"),
    "tutti.map(abs, [1], errors='ignore')": (ValueError, "or 'return'"),
    "tutti.map([1], abs)": (TypeError, "function first: got list"),
    "tutti.map(abs(x) for x in [1])": (TypeError, "not tutti.map(f(x) for x"),
    "tutti.map(abs(1))": (TypeError, "misplaced parenthesis"),
    "tutti.map(abs)": (TypeError, "expects items"),
    "tutti.map(abs, 3)": (TypeError, "not iterable"),
    "tutti.map(abs, [1], chunk=3)": (TypeError, "chunk"),
    "tutti.timeline(3)": (ValueError, "40 to 500, got 3"),
    "tutti.trace('/nowhere/x.json')": (OSError, "/nowhere/x.json"),
    "tutti.trace(3)": (TypeError, "int"),
    "tutti.nothing": (AttributeError, "no attribute 'nothing'"),
}


@pytest.mark.parametrize("text", BAD)
def test_bad_arguments(text):
    kind, sentence = BAD[text]
    with pytest.raises(kind) as caught:
        eval(text)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_classes():
    from concurrent.futures.process import BrokenProcessPool
    from pickle import PicklingError

    assert issubclass(tutti.WorkerLostError, (tutti.Error))
    assert issubclass(tutti.WorkerLostError, BrokenProcessPool)
    assert issubclass(tutti.TaskTimeoutError, (TimeoutError))
    assert issubclass(tutti.UnpicklableError, PicklingError)
    assert tutti.WorkerLostError.__module__ == "tutti"
