"""What a worker process does; called by the extension."""

import _pickle as pickle
import os
import sys

from . import _tutti
from ._wire import (
    Caught,
    caught,
    dump_results,
    dumps,
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


def _arrived(data):
    """What has come from the caller. That may import modules."""
    _tutti.loading(True)
    try:
        return pickle.loads(data)
    finally:
        _tutti.loading(False)


class Worker:
    """A worker process."""

    def job(self, loop, data):
        cwd, path, self.star, keep, function = pickle.loads(data)
        self.caught = caught if keep else None
        try:
            sys.path[:] = path
            os.chdir(cwd)
            self.f = _arrived(function)
        except Exception as error:
            return "%s: %s" % (type(error).__name__, error)

    def forget(self, loop):
        self.f = None

    def range(self, loop, begin, n, worker, view):
        try:
            return self._range(begin, n, worker, view)
        finally:
            flush()

    def _range(self, begin, n, worker, view):
        with view:
            try:
                columns = _arrived(view)
            except Exception as error:
                what = "arguments of task %d and behind cannot be read"
                refusal = refuse(what % begin, error)
                return dumps((begin, Caught(refusal, text_of(error))))
        results = _tutti.range(
            self.f, columns, self.star, self.caught, begin, n, worker
        )
        if isinstance(results, tuple):
            index, error = results
            return dumps((index, sendable(index, error)))
        return dump_results(results, begin)
