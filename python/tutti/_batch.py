"""Batches of joblib's tasks: the worker's half of joblib.py, which does not
need joblib."""

import os
import sys
import time

from ._after import after_import


class Batch:
    """Runs calls of one function, or of many if f is None."""

    def __init__(self, f, level):
        self.f = f
        self.level = level  # of nesting

    def __call__(self, calls):
        begin = time.perf_counter()
        with self._nested():
            f = self.f
            if f is None:
                results = [f(*args, **kwargs) for f, args, kwargs in calls]
            else:
                results = [f(*args, **kwargs) for args, kwargs in calls]
        return time.perf_counter() - begin, results

    def _nested(self):
        if "joblib" not in sys.modules:
            from contextlib import nullcontext  # slow to import

            return nullcontext()
        from .joblib import nested

        return nested(self.level)


def _make_default(module):
    try:
        from .joblib import TuttiBackend

        module.register_parallel_backend(
            "tutti", TuttiBackend, make_default=True
        )
    except Exception:  # a joblib that this one does not know
        pass


def share_budget():
    """In a worker: what uses joblib there, and names no backend, has workers
    only where CPUs are idle."""
    after_import("joblib", _make_default)


def limit(variables):
    """Holds libraries to as many threads as the environment says, also those
    that are loaded."""
    os.environ.update(variables)
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        return
    threadpool_limits(int(dict(variables)["OMP_NUM_THREADS"]))
