"""What a worker needs before its first range: the caller's half. The other is
_worker.py."""

import _pickle as pickle
import sys
import types
import weakref

from . import _tutti
from ._fault import cut
from ._stale import Known, versions
from ._state import snapshot
from ._tutti import TooLong
from ._wire import PROTOCOL, dump, dumps, refuse, survive_here


def _dump(state, crew, kind, *parts):
    return pickle.dumps((*state, crew, kind, *parts), PROTOCOL)


def dump_job(f, star, errors, given, crew, trial=None):
    """Bytes and buffers for the workers of a map; None: given up.

    errors: what becomes of the tasks' exceptions; see _worker.CATCHERS.
    crew:  the Jobs of that in whose workers it runs, or None.
    trial: says how long it may take."""
    try:
        if crew:
            return crew.map(f, star, errors, given)
        return _dump_job(f, star, errors, given, trial)
    except TooLong:
        return None


def _dump_job(f, star, errors, given, trial):
    kind = snapshot(), False, "map", None, star, errors, given, versions(f)
    try:
        function, buffers = dump(f, dumps, trial)
        return _dump(*kind, function), buffers
    except BaseException as error:
        survive_here(error)
        cause = error
    try:
        if "multiprocessing.context" in sys.modules:
            from ._setup import Job, dump_with_baggage

            function, buffers, baggage = dump_with_baggage(f)
            job = Job(_dump(*kind, function))
            job.baggage = baggage
            return job, buffers
    except BaseException as error:
        survive_here(error)
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


class Jobs:
    """The jobs of a crew's workers. They begin with the caller's state of now;
    what their tasks change in them stays. Functions are pickled once.

    setup: from dump_setup()."""

    MOST = 64  # that are kept

    def __init__(self, setup):
        self.setup = setup
        self.state = snapshot()
        self._known = Known()
        self._maps = {}  # weak function and job, by its key

    def queue(self):
        """Bytes for those of an open loop, whose tasks bring functions."""
        return self._dump("queue")

    def _dump(self, kind, *parts):
        site = self.setup.data if self.setup else None
        return _dump(self.state, True, kind, site, *parts)

    def dump(self, value):
        """Bytes and buffers of what plain pickle does not take."""
        from ._setup import Bare, dump_function

        self._bare = self.setup or getattr(self, "_bare", None) or Bare()
        return dump_function(value, self._bare)

    def seen(self, f):
        """Warns if the workers may have older modules than f's."""
        for name in self._known.stale(f):
            from ._stream import warn

            warn(
                "module %s was loaded again, and these workers have the one "
                "before: a new pool runs the new one" % name
            )

    def map(self, f, star, errors, given):
        """Bytes and buffers for those of a map."""
        key = id(f), star, errors, given
        weak, job = self._maps.get(key) or (None, None)
        if weak and weak() is f:
            return job
        self.seen(f)
        try:
            function, buffers = self.dump(f)
        except BaseException as error:
            survive_here(error)
            raise refuse_function(f, error)
        job = self._dump("map", star, errors, given, None, function), buffers
        if isinstance(f, (type, types.FunctionType, types.BuiltinFunctionType)):
            self._keep(f, key, job)
        return job

    def _keep(self, f, key, job):
        """What has a state of its own may change, and is not kept."""
        if len(self._maps) >= self.MOST:
            self._maps.clear()
        job[1][:] = [_tutti.share(buffer) for buffer in job[1]]
        maps = self._maps
        self._maps[key] = weakref.ref(f, lambda _: maps.pop(key, None)), job
