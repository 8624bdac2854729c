"""Locks of tutti's own that their thread may come to a second time: in the
handler of a signal, or in a finalizer."""

import _imp
import _thread
import os
import signal
import sys
import threading
import time

import pytest

import tutti
from tutti import _executor
from tutti._crew import _End
from tutti._future import Future
from tutti._signal import Condition, Event


class Board:
    tasks = {}
    broken = None


@pytest.mark.parametrize("ok", [True, False])
def test_a_future_that_is_met_before_and_after_its_outcome(ok):
    future, told = Future(), []
    future.ledger = Board
    future._waiters  # somebody may be about to come
    future.add_done_callback(lambda f: told.append(f.done()))
    future.deliver(ok, ValueError())
    future.deliver(not ok, ValueError())
    future.add_done_callback(lambda f: told.append(f.done()))
    assert told == [True, True] and (future.exception() is None) == ok


def test_no_callback_is_lost_to_a_signal():
    """One is added by the handler of a signal, at any instant of the
    outcome."""
    told, added = [], []
    future = None

    def handle(*unused):
        if future is not None:
            added.append(future)
            future.add_done_callback(told.append)

    before = signal.signal(signal.SIGALRM, handle)
    try:
        for i in range(3000):
            future = Future()
            future.ledger = Board
            signal.setitimer(signal.ITIMER_REAL, 5e-6 + i % 30 * 1e-6)
            while not future.done():
                future.deliver(True, i)
        signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert len(told) == len(added)


def test_calls_in_the_handler_of_a_signal(script):
    out, err = script("""
import signal
import tutti

def handle(*unused):
    global left
    left -= 1
    assert tutti.map(abs, [-1], on="processes") == [1]
    assert tutti.submit(abs, -2).result() == 2

left = 30
tutti.submit(abs, tutti.map(abs, [-1], on="processes")[0]).result()
signal.signal(signal.SIGALRM, handle)
while left:
    signal.setitimer(signal.ITIMER_REAL, 1e-6 * (100 + 37 * left))
    assert tutti.map(abs, [-1], on="processes") == [1]
    assert tutti.submit(abs, -2).result() == 2
signal.setitimer(signal.ITIMER_REAL, 0)
print("done")
""")
    assert (out, err) == ("done\n", "")


class Queue:
    dead = False
    ends = 0

    def end(self):
        self.ends += 1


def test_a_crew_that_is_ended_while_it_is_ended():
    queue = Queue()
    end = _End(queue)

    def trace(frame, event, arg):
        if frame.f_code is _End.first.__code__:
            end.begin()  # as a signal's handler would, between any two lines
        return trace

    def run():
        sys.settrace(trace)
        end.begin()
        sys.settrace(None)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(20)
    assert not thread.is_alive() and end.join(20) and queue.ends == 1


def test_a_map_that_begins_while_one_begins():
    results = []
    with tutti.Pool(1) as pool:

        def run():
            with pool._maps._guard:  # as a signal's handler would
                results.append(pool.map_async(abs, [-1]))

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(20)
        assert results and results[0].get(60) == [1]


class Maps:
    """What maps while it is pickled."""

    def __init__(self, on):
        self.on = on

    def __reduce__(self):
        return abs, (sum(tutti.map(abs, iter([-1, -2]), on=self.on)),)


def test_a_map_while_an_item_is_pickled(on):
    assert tutti.map(int, [Maps(on)], on="processes") == [3]


def test_a_child_forked_while_another_thread_has_them(script):
    out, err = script("""
import os, threading
import tutti
from tutti import _executor, _held

locks = _held._guard, _executor._turn
have, leave = threading.Event(), threading.Event()

def hold():
    for lock in locks:
        lock.acquire()
    have.set()
    leave.wait()
    os._exit(0)

threading.Thread(target=hold).start()
have.wait()
child = os.fork()
if not child:
    print(tutti.map(abs, [-1], on="processes"))
    tutti.submit(abs, -2).add_done_callback(lambda f: print(f.result()))
    with _held._guard:
        raise SystemExit
os.waitpid(child, 0)
leave.set()
""")
    assert (out, err) == ("[1]\n2\n", "")


def test_an_import_lock_that_the_caller_keeps(script):
    """As an interrupt in the middle of an import may leave it."""
    out, err = script("""
import _imp, time
import tutti

def f(x):
    time.sleep(0.2)
    return -x

_imp.acquire_lock()
print(tutti.map(f, range(20)))
print(tutti.map(f, range(3), on="processes"))
print(tutti.explain().count("processes") > 0)
""")
    assert (out, err) == ("%s\n%s\nTrue\n" % (
        [-x for x in range(20)], [0, -1, -2]), "")


def test_a_module_that_another_thread_imports(script, tmp_path):
    (tmp_path / "slow.py").write_text("import time; time.sleep(1)")
    out, err = script("""
import threading, time
import tutti

thread = threading.Thread(target=__import__, args=("slow",))
thread.start()
time.sleep(0.1)
print(tutti.map(abs, range(-3, 0), on="processes"), thread.is_alive())
""")
    assert (out, err) == ("[3, 2, 1] True\n", "")


@pytest.mark.parametrize("call", [
    'tutti.map(abs, [-1], on="processes")', "tutti.Pool(1).apply(abs, (-1,))"])
def test_an_interrupt_while_the_command_is_made(script, call):
    out, err = script("""
import tutti
from tutti import _loops

made = _loops.command

def command(f):
    _loops.command = made
    raise KeyboardInterrupt

_loops.command = command
try:
    CALL
except KeyboardInterrupt:
    print("interrupted")
print(CALL)
""".replace("CALL", call))
    assert err == "" and out in ("interrupted\n[1]\n", "interrupted\n1\n")


class Interrupt(Exception):
    pass


def interrupt(*unused):
    signal.setitimer(signal.ITIMER_REAL, 0)
    raise Interrupt


def enter(condition):
    while True:
        with condition:
            pass


def strike(condition, seconds):
    signal.setitimer(signal.ITIMER_REAL, seconds, 0.01)  # one may get lost
    enter(condition)


@pytest.mark.parametrize("make", [Condition, lambda: Event()._cond])
def test_an_interrupt_leaves_no_condition_locked(make):
    condition = make()
    free = []
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for i in range(1000):
            with pytest.raises(Interrupt):
                strike(condition, 20e-6 + i % 40 * 1e-6)
    finally:
        signal.signal(signal.SIGALRM, before)
    thread = threading.Thread(
        target=lambda: free.append(condition.acquire(timeout=5)))
    thread.start()
    thread.join()
    assert free == [True]


def test_an_event_is_one():
    event = Event()
    assert not event.wait(0.01)
    threading.Timer(0.05, event.set).start()
    assert event.wait(30) and event.is_set()
    with event._cond:  # a finalizer may come here
        event.set()


def test_an_import_lock_that_an_interrupt_left(script):
    """Threads that settle outcomes import what these need."""
    out, err = script("""
import _imp, os, time
import tutti

def die(x):
    os.kill(os.getpid(), 9)

with tutti.Executor(1) as executor, tutti.Pool(1) as pool:
    assert executor.submit(abs, -1).result() == pool.apply(abs, (-1,)) == 1
    for begin in (lambda: executor.submit(die, 0).result,
                  lambda: pool.map_async(die, [0]).get):
        _imp.acquire_lock()  # as if by importlib, and then an interrupt
        try:
            wait = begin()
            time.sleep(0.3)  # a thread settles it
            wait(20)
        except tutti.Error as error:
            print(type(error).__name__)
""")
    assert (out, err) == ("WorkerLostError\n" * 2, "")


def test_an_interrupt_while_imports_are_freed(monkeypatch):
    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr("tutti._crew.free_imports", interrupt)
    with tutti.Executor(1) as executor:
        future = executor.submit(time.sleep, 1)
        _imp.acquire_lock()
        try:
            with pytest.raises(KeyboardInterrupt):
                future.result()
        finally:
            _imp.release_lock()
            monkeypatch.undo()


def in_time(run):
    """What it returns, if it does within 20 s."""
    results = []
    thread = threading.Thread(target=lambda: results.append(run()), daemon=True)
    thread.start()
    thread.join(20)
    assert results
    return results[0]


def while_a_crew_starts(monkeypatch, call):
    """Has `call` run as a signal's handler would, when a crew is made."""
    make = _executor.Crew

    def strike(*args, **options):
        monkeypatch.setattr(_executor, "Crew", make)
        call()
        return make(*args, **options)

    monkeypatch.setattr(_executor, "Crew", strike)


def test_an_executor_that_is_used_while_it_starts(monkeypatch):
    made = []
    with tutti.Executor(1) as executor:
        while_a_crew_starts(
            monkeypatch, lambda: made.append(executor.submit(os.getpid)))
        made.append(in_time(lambda: executor.submit(os.getpid)))
        assert len({future.result(60) for future in made}) == 1


def test_an_executor_that_is_shut_down_while_it_starts(monkeypatch):
    executor = tutti.Executor(1)
    while_a_crew_starts(monkeypatch, executor.shutdown)

    def run():
        with pytest.raises(RuntimeError, match="after shutdown"):
            executor.submit(abs, -1)
        return True

    assert in_time(run)


class Interrupted(Exception):
    pass


def test_an_interrupt_before_a_maps_thread_starts(monkeypatch):
    def strike(*unused):
        raise Interrupted

    with tutti.Pool(1) as pool:
        begin = _thread.start_new_thread
        monkeypatch.setattr(_thread, "start_new_thread", strike)
        for _ in range(20):
            with pytest.raises(Interrupted):
                pool.map_async(abs, [-1])
        monkeypatch.setattr(_thread, "start_new_thread", begin)
        assert pool.map_async(abs, [-1]).get(60) == [1]
        pool.close()
        assert in_time(lambda: pool.join() is None)
