"""The process that forks workers: one thread, nothing of the user's in it."""

import gc
import sys


def main():
    from . import _tutti, _worker

    try:
        import cloudpickle  # noqa: F401: functions of __main__ need it
    except ImportError:
        pass
    # Lines of several workers do not mix, and come when they are printed.
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.reconfigure(line_buffering=True, write_through=False)
    gc.collect()
    gc.freeze()
    _tutti.serve(3, _worker.Worker())
    sys.exit(0)
