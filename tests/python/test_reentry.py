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
