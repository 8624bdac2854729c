"""What a task, an argument, a result or an exception does to those around it,
and what may come of it. Shared by chaos.py and victim.py."""

import ctypes
import os
import random
import signal
import sys
import threading
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


def _rings():
    """(address, size) of what this worker shares with its place."""
    with open("/proc/self/maps") as maps:
        for line in maps:
            if "memfd:tutti-ring" in line:
                begin, end = (int(x, 16) for x in line.split()[0].split("-"))
                yield begin, end - begin


def _write_over(at, size, way):
    if way == "all":
        ctypes.memmove(at, os.urandom(size), size)
    elif way == "zeros":
        ctypes.memset(at, 0, size)
    elif way == "words":
        ctypes.memmove(at, os.urandom(4096), 4096)
    else:
        for _ in range(50):
            byte = at + random.randrange(size)
            ctypes.memset(byte, random.randrange(256), 1)


def _scribble():
    """A wild task, or a thread that it leaves behind, writes where the worker's
    messages are."""
    random.seed()
    way = random.choice(["all", "zeros", "words", "bytes"])

    def write(pause):
        time.sleep(pause)
        for at, size in _rings():
            _write_over(at, size, way)

    if random.random() < 0.5:
        write(0)
    else:
        threading.Thread(target=write, args=(random.random() * 5e-3,),
                         daemon=True).start()


ACTS = {"raise": _raise, "exit": _exit, "leave": _leave, "crash": _crash,
        "hang": _hang, "fork": _fork, "scribble": _scribble}

# (where, when, act)
TROUBLES = [
    ("task", None, "raise"),
    ("task", None, "exit"),
    ("task", None, "leave"),
    ("task", None, "crash"),
    ("task", None, "crash"),
    ("task", None, "hang"),
    ("task", None, "fork"),
    ("task", None, "scribble"),
    ("task", None, "scribble"),
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
    if not trouble or trouble[2] in ("fork", "scribble"):
        return set()
    where, _, act = trouble
    if act == "hang":
        return {"TaskTimeoutError"}
    if act in ("exit", "crash"):
        return {"WorkerLostError"}
    if act == "leave":
        return {"SystemExit", "WorkerLostError", "UnpicklableError"}
    return {"RuntimeError" if where == "task" else "UnpicklableError"}
