"""What runs once in each worker process of a pool: an initializer, and objects
that all its tasks share. They travel as multiprocessing's own processes get
them when they start, so its locks, values, queues and pipes can go along."""

import _pickle as pickle
import copyreg
import io
import os
import sys
from collections import ChainMap

from . import _value
from ._fault import cut
from ._state import authkey
from ._value import main_globals
from ._watch import plain
from ._wire import PROTOCOL, dump, refuse, survive_here

CURE = '; make it by multiprocessing.get_context("spawn")'


# In the caller.


class Baggage:
    """Descriptors that workers fetch, as often as they like, until close().
    Stands for the process that multiprocessing is about to start."""

    def __init__(self):
        self.kept = {}  # key: descriptor
        self.handles = {}  # what a descriptor is: its handle

    def duplicate_for_child(self, file):
        return file

    def DupFd(self, file):
        import fcntl

        status = os.fstat(file)
        mode = fcntl.fcntl(file, fcntl.F_GETFL)
        same = file, mode, status.st_dev, status.st_ino
        if same not in self.handles:
            self.handles[same] = self._handle(file)
        return self.handles[same]

    def _handle(self, file):
        from multiprocessing import reduction, resource_sharer

        sharer = resource_sharer._resource_sharer
        mine = os.dup(file)

        def send(connection, pid):
            sharer._cache[key] = send, int  # each use takes it out
            reduction.send_handle(connection, mine, pid)

        address, key = sharer.register(send, int)
        self.cache = sharer._cache
        self.kept[key] = mine
        return Handle((address, key), authkey())

    def close(self, close=os.close):
        kept, self.kept = self.kept, {}
        for key, file in kept.items():
            self.cache.pop(key, None)
            close(file)

    def __del__(self):
        if self.__dict__.get("kept"):  # __init__ may have been interrupted
            self.close()  # at the interpreter's end there are no imports


class Handle:
    """A descriptor, in a worker."""

    def __init__(self, identity, key):
        self.identity, self.key = identity, key

    def detach(self):
        from multiprocessing import process, reduction, resource_sharer

        process.current_process().authkey = self.key
        sharer = resource_sharer._resource_sharer
        with sharer.get_connection(self.identity) as connection:
            return reduction.recv_handle(connection)


class _Globals(dict):
    """The globals of __main__, whose functions go by value: in a worker they
    are those of its own __main__, so what one function sets another sees."""

    def __reduce__(self):
        return main_globals, ()


def _loaded(name):
    """A module, unless it is still to come: another thread may just import
    it."""
    module = sys.modules.get(name)
    spec = getattr(module, "__spec__", None)
    return None if getattr(spec, "_initializing", False) else module


def _spawning(baggage):
    """Sets what multiprocessing's objects ask before they travel."""
    context = _loaded("multiprocessing.context")
    if context is not None:
        context.set_spawning_popen(baggage)


def _reducers(table):
    """The ways of a pickler, with those of multiprocessing."""
    reduction = _loaded("multiprocessing.reduction")
    if reduction is None:
        return table
    table = ChainMap({}, reduction.ForkingPickler._extra_reducers, table)
    locks = _loaded("multiprocessing.synchronize")
    if locks is not None:
        from ._semaphore import reduce

        for name in ("Lock", "RLock", "Semaphore", "BoundedSemaphore"):
            table[getattr(locks, name)] = reduce
    return table


def dump_shared(value, baggage, aside=None, main=True):
    """Bytes of a value, in which may be what multiprocessing made; its
    descriptors are in `baggage`.

    main: functions of __main__ share the worker's globals, or bring theirs."""
    _spawning(baggage)
    try:
        table = _reducers(copyreg.dispatch_table)
        data = _value.dumps(value, aside, main, table)
        if data is None:
            if aside:
                aside.buffers.clear()
            data = _dump_any(value, aside, main)
        return data
    finally:
        _spawning(None)


def _dump_any(value, aside, main):
    import cloudpickle

    class Pickler(cloudpickle.CloudPickler):
        dispatch_table = _reducers(cloudpickle.CloudPickler.dispatch_table)

    file = io.BytesIO()
    pickler = Pickler(file, PROTOCOL, buffer_callback=aside)
    if main:
        pickler.globals_ref[id(main_globals())] = _Globals()
    pickler.dump(value)
    return file.getvalue()


def _dump_named(named, baggage):
    """Bytes of [(name, value), ...]; what cannot travel is named."""
    try:
        return dump_shared(named, baggage)
    except BaseException as error:
        survive_here(error)
        for name, value in named:
            try:
                dump_shared(value, baggage)
            except BaseException as cause:
                survive_here(cause)
                name, error = "%s %s" % (name, cut(value)), cause
                break
        refusal = refuse("%s cannot be sent to another process" % name, error)
        if type(value).__module__.startswith("multiprocessing"):
            refusal.args = (refusal.args[0] + CURE,)
        raise refusal


class Bare:
    """No setup: only the baggage of functions."""

    def __init__(self):
        self.baggage = Baggage()


def dump_function(f, setup):
    """Bytes and buffers of a function for workers with this setup, which must
    live as long as they come."""

    def dumps(value, aside):
        try:
            data = pickle.dumps(value, PROTOCOL, buffer_callback=aside)
            if b"__main__" not in data:
                return data
        except (pickle.PicklingError, AttributeError, TypeError,
                RuntimeError) as error:
            survive_here(error)
        aside.buffers.clear()
        return dump_shared(value, setup.baggage, aside)

    return dump(f, dumps)


class Job(bytes):
    """Bytes that need their baggage."""


def dump_with_baggage(f):
    """Bytes and buffers of a function for the workers of one map."""
    baggage = Baggage()
    data, buffers = dump(
        f, lambda value, aside: dump_shared(value, baggage, aside, main=False)
    )
    return data, buffers, baggage


_count = 0


class Setup:
    """The bytes, and the descriptors that are kept for them."""

    def __init__(self, initializer, initargs, share):
        global _count
        _count += 1
        self.baggage = Baggage()
        named = [("the initializer", initializer)]
        named += [
            ("the initializer's argument %d," % i, value)
            for i, value in enumerate(initargs)
        ]
        named += [("share's %r," % name, share[name]) for name in share or ()]
        data = _dump_named(named, self.baggage)
        self.data = pickle.dumps(
            ((os.getpid(), _count), list(share or ()), data), PROTOCOL
        )

    def close(self):
        """No worker will start any more."""
        self.baggage.close()


# In a worker.


class Site:
    """What has been set up in this process."""

    def __init__(self):
        self.number = None
        self.share = {}
        self.given = ()  # names in __main__ that functions do not bring

    def enter(self, data):
        """Runs the initializer, unless it has run."""
        number, names, data = pickle.loads(data)
        if number == self.number:
            return
        values = [value for _, value in pickle.loads(data)]
        initializer, *initargs = values[: len(values) - len(names)]
        self.share = dict(zip(names, values[len(values) - len(names) :]))
        before = dict(main_globals())
        self._put(initializer)
        if initializer is not None:
            initializer(*initargs)
        self.given = {
            name
            for name, value in main_globals().items()
            if name not in before or before[name] is not value
        }
        self.number = number

    def adopt(self, load):
        """The function that load() makes, which finds what was set up."""
        here = main_globals()
        kept = {name: here[name] for name in self.given if name in here}
        f = load()
        here.update(kept)
        self._put(f)
        return f

    def _put(self, f):
        """Sets what is shared where f looks for its globals."""
        if not self.share:
            return
        main_globals().update(self.share)
        f = plain(f)
        if f is not None:
            f.__globals__.update(self.share)
