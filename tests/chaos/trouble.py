"""What a task, an argument, a result or an exception does to those around it,
and what may come of it. Shared by chaos.py and victim.py."""

import os
import signal
import sys
import time


def _raise():
    raise RuntimeError("on purpose")


def _exit():
    os._exit(7)


def _leave():
    sys.exit("on purpose")


def _crash():
    os.kill(os.getpid(), signal.SIGSEGV)


def _hang():
    time.sleep(3600)


def _fork():
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)


ACTS = {"raise": _raise, "exit": _exit, "leave": _leave, "crash": _crash,
        "hang": _hang, "fork": _fork}

# (where, when, act)
TROUBLES = [
    ("task", None, "raise"),
    ("task", None, "exit"),
    ("task", None, "leave"),
    ("task", None, "crash"),
    ("task", None, "crash"),
    ("task", None, "hang"),
    ("task", None, "fork"),
    ("argument", "dump", "raise"),
    ("argument", "load", "raise"),
    ("argument", "load", "exit"),
    ("argument", "load", "leave"),
    ("argument", "load", "crash"),
    ("argument", "load", "hang"),
    ("result", "dump", "raise"),
    ("result", "dump", "exit"),
    ("result", "dump", "leave"),
    ("result", "dump", "crash"),
    ("result", "dump", "hang"),
    ("result", "load", "raise"),
    ("exception", "dump", "raise"),
    ("exception", "dump", "exit"),
    ("exception", "dump", "crash"),
    ("exception", "load", "raise"),
    ("exception", "two", None),
]


class Bad:
    """Does `act` when it is pickled ("dump") or unpickled ("load")."""

    def __init__(self, when, act):
        self.when = when
        self.act = act

    def __reduce__(self):
        if self.when == "dump":
            ACTS[self.act]()
        return ACTS[self.act], ()


class BadError(Exception):
    """The same as an exception."""

    def __init__(self, when, act):
        super().__init__("on purpose")
        self.when = when
        self.act = act

    __reduce__ = Bad.__reduce__


class TwoArguments(Exception):
    """The classic: it pickles, and cannot be made again."""

    def __init__(self, one, two):
        super().__init__("on purpose")


def pause(seconds, spin):
    if not spin:
        return time.sleep(seconds)
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def task(x, at, trouble, seconds, spin):
    """x * x, or trouble at `at`."""
    pause(seconds, spin)
    where, when, act = trouble or (None, None, None)
    if x == at:
        if where == "task":
            ACTS[act]()
        elif where == "result":
            return Bad(when, act)
        elif where == "exception":
            raise TwoArguments(1, 2) if when == "two" else BadError(when, act)
    return x * x


def items(n, at, trouble):
    """0 .. n - 1, one of them bad if it is to be an argument."""
    if trouble and trouble[0] == "argument":
        return [*range(at), Bad(*trouble[1:]), *range(at + 1, n)]
    return list(range(n))


def outcome(trouble):
    """The names of the errors that trouble must end in one of; empty: none."""
    if not trouble or trouble[2] == "fork":
        return set()
    where, _, act = trouble
    if act == "hang":
        return {"TaskTimeoutError"}
    if act in ("exit", "crash"):
        return {"WorkerLostError"}
    if act == "leave":
        return {"SystemExit", "WorkerLostError", "UnpicklableError"}
    return {"RuntimeError" if where == "task" else "UnpicklableError"}
