"""What a worker needs before its first range: the caller's half. The other is
_worker.py."""

import _pickle as pickle
import sys

from ._fault import cut
from ._stale import versions
from ._state import snapshot
from ._tutti import TooLong
from ._wire import PROTOCOL, dump, dumps, refuse, survive


def _dump(kind, *parts):
    return pickle.dumps((*snapshot(), kind, *parts), PROTOCOL)


def dump_job(f, star, errors, given, setup, trial=None):
    """Bytes and buffers for the workers of a map; None: given up.

    errors: what becomes of the tasks' exceptions; see _worker.CATCHERS.

    setup: that of the crew in whose workers it runs, None if that has none;
           False without a crew, whose workers would keep their modules.
    trial: says how long it may take."""
    try:
        return _dump_job(f, star, errors, given, setup, trial)
    except TooLong:
        return None


def _dump_job(f, star, errors, given, setup, trial):
    site = setup.data if setup else None
    new = versions(f) if setup is False else None
    kind = "map", site, star, errors, given, new
    try:
        if setup:
            from ._setup import dump_function

            function, buffers = dump_function(f, setup)
        else:
            function, buffers = dump(f, dumps, trial)
        return _dump(*kind, function), buffers
    except BaseException as error:
        survive(error)
        cause = error
    try:
        if "multiprocessing.context" in sys.modules:
            from ._setup import Job, dump_with_baggage

            function, buffers, baggage = dump_with_baggage(f)
            job = Job(_dump(*kind, function))
            job.baggage = baggage
            return job, buffers
    except BaseException as error:
        survive(error)
        cause = error
    raise refuse_function(f, cause, trial)


def refuse_function(f, cause, trial=None):
    """What says that a function cannot travel, and which part of it."""
    from ._culprit import culprit

    what = "the function %s cannot be sent to another process" % cut(f)
    refusal = refuse(what, cause)
    part = culprit(f, trial)
    if part:
        refusal.args = ("%s (%s)" % (refusal, part),)
    return refusal


_told = set()  # functions that a warning was about


def stays(f, refusal):
    """Warns, once for a function, that only the caller ran its tasks.

    refusal: why something could not travel; None: there is no interpreter."""
    from ._stream import warn

    name = getattr(f, "__module__", None), getattr(f, "__qualname__", type(f))
    if name in _told:
        return
    _told.add(name)
    if refusal is None:
        warn(
            "tutti runs in this process only: a frozen or embedded Python has "
            "no interpreter that could be started; sys.executable names one"
        )
    else:
        warn("tutti runs what cannot travel in the caller: %s" % refusal)


def dump_setup(setup):
    """(initializer, initargs, share) as what dump_queue() and dump_function()
    take; close() it when no worker will start any more. None if there is
    nothing to set up."""
    initializer, initargs, share = setup
    if initializer is None and not share:
        return None
    from ._setup import Setup

    return Setup(initializer, initargs, share)


def dump_queue(setup=None):
    """Bytes for the workers of an open loop, whose tasks bring functions."""
    return _dump("queue", setup.data if setup else None)
