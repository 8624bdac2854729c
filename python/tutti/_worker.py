"""What a worker process does; called by the extension."""

import _pickle as pickle
import os
import sys

from . import _tutti
from ._wire import (
    Caught,
    base_of,
    caught,
    dump,
    dump_failure,
    dump_results,
    load,
    load_range,
    refuse,
    sendable,
    text_of,
)


def flush():
    """Lets out what tasks have printed, if the streams still take it."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass


def _arrived(load, view, blocks):
    """What has come from the caller. That may import modules."""
    _tutti.loading(True)
    try:
        return load(view, blocks)
    finally:
        _tutti.loading(False)


class Worker:
    """A worker process."""

    def job(self, loop, view, blocks):
        with view:
            cwd, path, self.star, keep, function = pickle.loads(view)
        self.caught = caught if keep else None
        try:
            sys.path[:] = path
            os.chdir(cwd)
            self.f = _arrived(load, function, blocks)
        except Exception as error:
            return "%s: %s" % (type(error).__name__, error)

    def forget(self, loop):
        self.f = None

    def range(self, loop, begin, n, worker, view, blocks):
        try:
            return self._range(begin, n, worker, view, blocks)
        finally:
            flush()

    def _range(self, begin, n, worker, view, blocks):
        begin += base_of(view)
        try:
            columns = _arrived(load_range, view, blocks)
        except Exception as error:
            what = "arguments of task %d and behind cannot be read"
            refusal = refuse(what % begin, error)
            return dump((begin, Caught(refusal, text_of(error)), []))
        results = _tutti.range(
            self.f, columns, self.star, self.caught, begin, n, worker
        )
        if isinstance(results, tuple):
            index, error, done = results
            return dump_failure(index, sendable(index, error), done)
        return dump_results(results, begin)
