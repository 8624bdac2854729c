"""Random streams by task: `random` and NumPy's global generator start anew
for every task, from the seed and the task's index."""

import os
import random
import threading

from ._tutti import task

try:
    import numpy
except ImportError:
    numpy = None


class Seeded:
    """f, with the generators seeded before each call."""

    def __init__(self, f, seed):
        self.f = f
        self.seed = seed

    def __call__(self, *args):
        index = task.index
        random.seed((self.seed << 64) + index)
        if numpy is not None:
            numpy.random.seed(
                [
                    word >> shift & 0xFFFFFFFF
                    for word in (self.seed, index)
                    for shift in (0, 32)
                ]
            )
        return self.f(*args)


_turn = threading.RLock()  # the thread whose maps seed the generators


def _renew():
    """In a forked child, where who had the turn may be gone."""
    global _turn
    _turn = threading.RLock()


os.register_at_fork(after_in_child=_renew)


class Restored:
    """Takes the turn, and puts the caller's own generators back."""

    def __enter__(self):
        self.turn = _turn
        self.turn.acquire()
        self.state = random.getstate()
        self.numpy_state = numpy.random.get_state() if numpy else None

    def __exit__(self, *unused):
        try:
            random.setstate(self.state)
            if numpy is not None:
                numpy.random.set_state(self.numpy_state)
        finally:
            self.turn.release()


def seeded(f, seed):
    """Checks a seed; f with it."""
    if isinstance(seed, bool) or not hasattr(seed, "__index__"):
        raise TypeError(
            "seed must be a whole number, got %s" % type(seed).__name__
        )
    seed = seed.__index__()
    if not 0 <= seed < 1 << 64:
        raise ValueError("seed must be 0 to 2**64 - 1, got %d" % seed)
    return Seeded(f, seed)
