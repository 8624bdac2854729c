"""Locks of tutti's own that their thread may come to a second time: in the
handler of a signal, or in a finalizer."""

import pytest

import tutti
from tutti._future import FINISHED, Future


class Interrupted(Future):
    """One whose outcome is met by a signal's handler: right before it is
    there, and right after."""

    def __setattr__(self, name, value):
        if (name, value) == ("_state", FINISHED):
            self.handle("before")
            super().__setattr__(name, value)
            self.handle("after")
        else:
            super().__setattr__(name, value)

    def handle(self, when):
        self.add_done_callback(lambda f: self.told.append((when, f.done())))


class Board:
    tasks = {}
    broken = None


@pytest.mark.parametrize("ok", [True, False])
def test_a_callback_added_in_the_middle_of_the_outcome(ok):
    future = Interrupted()
    future.told, future.ledger = [], Board
    future.deliver(ok, ValueError())
    assert sorted(future.told) == [("after", True), ("before", True)]
    assert (future.exception() is None) == ok


def test_futures_in_the_handler_of_a_signal(script):
    out, err = script("""
import os, signal
import tutti
from tutti import _future

def handle(*unused):
    future = _future.Future()
    future.add_done_callback(print)  # makes its condition

signal.signal(signal.SIGUSR1, handle)
with _future._guard:
    os.kill(os.getpid(), signal.SIGUSR1)
print("done")
""")
    assert (out, err) == ("done\n", "")


def test_calls_in_the_handler_of_a_signal(script):
    out, err = script("""
import os, signal
import tutti
from tutti import _executor, _wire

def handle(*unused):
    print(tutti.map(abs, [-1], on="processes"), tutti.submit(abs, -2).result())

signal.signal(signal.SIGUSR1, handle)
with _executor._turn, _wire._guard:
    os.kill(os.getpid(), signal.SIGUSR1)
""")
    assert (out, err) == ("[1] 2\n", "")


def test_a_child_forked_while_another_thread_has_them(script):
    out, err = script("""
import os, threading
import tutti
from tutti import _executor, _future, _held, _wire

locks = _future._guard, _wire._guard, _held._guard, _executor._turn
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
