"""Random streams by task; the extension's seed.c writes their states."""

import os
import random
import sys
import threading
from array import array

from . import _tutti
from ._after import after_import

PYTHON, NUMPY = 0, 1

_turn = threading.RLock()  # the thread whose maps seed the generators
_bits = None  # NumPy's global generator, as the extension knows it


def _renew():
    """In a forked child, where who had the turn may be gone."""
    global _turn
    _turn = threading.RLock()


os.register_at_fork(after_in_child=_renew)


def _forget_normal():
    random._inst.gauss_next = None


def _set_python(state):
    random.setstate((3, (*array("I", state), 624), None))


def _find_python():
    *words, position = random.getstate()[1]
    state = array("I", words).tobytes()
    _tutti.twister(PYTHON, random._inst, state, position, _forget_normal,
                   _set_python)


def _find_numpy(module):
    """module: numpy.random.mtrand. Another kind of generator, which its seed()
    would refuse, is left alone."""
    global _bits
    bits = module._rand._bit_generator
    whole = bits.state
    if whole["bit_generator"] != "MT19937":
        return

    def reset():
        module.seed(0)  # forgets a normal deviate drawn ahead

    def set_state(state):
        module.set_state(("MT19937", array("I", state), 624))

    state = whole["state"]
    _tutti.twister(NUMPY, bits.capsule, state["key"].tobytes(), state["pos"],
                   reset, set_state)
    _bits = bits


def _numpy_came(module):
    _find_numpy(module)
    _tutti.seed_numpy()


def prepare():
    """Tells the extension where the generators are."""
    module = sys.modules.get("numpy.random.mtrand")
    if module is None:
        after_import("numpy.random.mtrand", _numpy_came)
    elif module._rand._bit_generator is not _bits:
        _find_numpy(module)


_find_python()


class save:
    """Takes the turn, and keeps the caller's own generators."""

    def __init__(self):
        self.turn = _turn
        self.turn.acquire()
        try:
            prepare()
            self.state = random.getstate()
            self.bits = _bits
            if _bits is not None:
                self.numpy_state = sys.modules["numpy.random"].get_state()
        except BaseException:
            self.turn.release()
            raise

    def restore(self):
        try:
            random.setstate(self.state)
            if self.bits is not None:
                sys.modules["numpy.random"].set_state(self.numpy_state)
            elif _bits is not None:  # a task imported it
                sys.modules["numpy.random"].seed()
        finally:
            self.turn.release()


_new = _start = None  # of Philox: how one is made, its state at the start


def _import():
    global _new, _start
    try:
        from numpy.random import Generator, Philox
    except ImportError as error:
        raise ImportError(
            "tutti.task.rng is a numpy.random.Generator: it needs NumPy, which "
            "cannot be imported: %s" % error
        ) from error
    _start = Philox(key=0).state

    def new(key):
        return Generator(Philox(key=key))

    _new = new


def generator(seed, index, last):
    """tutti.task.rng. last: that of a task before, which nobody else has, or
    None; to start it anew takes a quarter of the time."""
    if last is not None:
        key = _start["state"]["key"]
        key[0] = seed
        key[1] = index
        last.bit_generator.state = _start
        return last
    if _new is None:
        _import()
    return _new(seed | index << 64)
