"""What a worker needs before its first range: the caller's half. The other is
_worker.py."""

import _pickle as pickle

from ._fault import cut
from ._state import snapshot
from ._wire import PROTOCOL, dump, refuse


def _dump(kind, *parts):
    return pickle.dumps((*snapshot(), kind, *parts), PROTOCOL)


def dump_job(f, star, keep):
    """Bytes and buffers for the workers of a map."""
    try:
        function, buffers = dump(f)
    except Exception as error:
        what = "the function %s cannot be sent to another process" % cut(f)
        raise refuse(what, error)
    return _dump("map", function, bool(star), bool(keep)), buffers


def dump_setup(setup):
    """Bytes of (initializer, initargs, share), which are run once in each
    worker process; None if there is nothing to run."""
    initializer, initargs, share = setup
    if initializer is None and not share:
        return None
    from ._setup import dump_setup

    return dump_setup(initializer, initargs, share)


def dump_queue(setup=None):
    """Bytes for the workers of an open loop, whose tasks bring their function.

    setup: what dump_setup() gave."""
    return _dump("queue", setup)
