"""The process that forks workers: one thread, nothing of the user's in it."""

import gc
import os
import sys


def without(name):
    """Begins anew without a module. Does not return."""
    with open("/proc/self/cmdline", "rb") as f:
        words = f.read().split(b"\0")[:-1]
    known = len(words) - len(sys.argv) + 1  # what is before the modules
    kept = [word for word in words[known:] if word != name.encode()]
    os.execv(sys.executable, words[:known] + kept)


def main():
    gc.disable()  # what is made here stays
    from . import _preload, _state, _tutti, _worker

    _state.hold_threads()
    thorny = _preload.load(sys.argv[1:])
    if thorny:
        without(thorny)
    gc.freeze()
    gc.enable()
    first = os.getpid()
    _tutti.serve(3, _worker.Worker())
    if os.getpid() != first:
        os._exit(0)  # what modules do at exit is for the one that has them
    sys.exit(0)
