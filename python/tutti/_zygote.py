"""The process that forks workers: one thread, nothing of the user's in it."""

import gc
import sys


def main():
    from . import _state, _tutti, _worker

    _state.hold_threads()
    try:
        import cloudpickle  # noqa: F401: functions of __main__ need it
    except ImportError:
        pass
    gc.collect()
    gc.freeze()
    _tutti.serve(3, _worker.Worker())
    sys.exit(0)
