"""What a worker process does; called by the extension."""

import _pickle as pickle
import sys

from . import _fault, _tutti
from ._batch import share_budget
from ._fault import cut
from ._stale import refresh
from ._state import State
from ._stream import Streams
from ._watch import watch
from ._wire import (
    Caught,
    Collector,
    head_of,
    caught,
    dump,
    dump_failure,
    dump_results,
    load,
    load_range,
    refuse,
    sendable,
    survive,
    text_of,
)


def _arrived(load, view, blocks):
    """What has come from the caller. That may import modules."""
    _tutti.loading(True)
    try:
        return load(view, blocks)
    finally:
        _tutti.loading(False)


def _reseed():
    """NumPy's global generator came with the fork; `random` helps itself."""
    generator = sys.modules.get("numpy.random")
    if generator is not None:
        generator.seed()


# What becomes of a task's exception: it ends the range, it is the task's
# result, it goes beside the results; as the enum tt_py_errors says.
CATCHERS = (lambda: None), (lambda: caught), Collector


class _Unprepared(Exception):
    pass


def _named(error):
    return "%s: %s" % (type(error).__name__, error)


class Worker:
    """A worker process."""

    def __init__(self):
        self.state = State()
        self.streams = Streams()
        self.watch = None  # looks after what the function captured
        self.site = None  # what was set up once in this process
        self.crew = None  # its job is a crew's: what tasks change stays

    def begin(self):
        """Right after the fork."""
        _reseed()
        share_budget()

    def job(self, loop, view, blocks):
        with view:
            parts = pickle.loads(view) if len(view) else None
        self.streams.enter()
        try:
            if parts is None:  # the same once more
                if not self.crew:
                    self.state.enter(self.state.number, None)
                return None
            self.sitting = None
            number, state, self.crew, kind, *parts = parts
            if not self.crew or number != self.state.number:
                self.state.enter(number, state)
            return getattr(self, "_prepare_" + kind)(blocks, *parts)
        except _Unprepared as error:
            return str(error)
        except BaseException as error:
            survive(error)
            return _named(error)
        finally:
            self.streams.flush()

    def _prepare_map(self, blocks, setup, star, errors, given, versions,
                     function):
        self._enter(setup)
        self.star = star
        self.given = given
        if given:
            from . import _seed

            _seed.prepare()
        self.caught = CATCHERS[errors]()
        if versions:
            refresh(versions)
        self.f = self.function(function, blocks)
        self.watch = watch(self.f)

    def _prepare_queue(self, blocks, setup):
        self.sitting = _tutti.Sitting(self)
        self._enter(setup)

    def _enter(self, setup):
        """Sets up what a crew's processes need, once."""
        if setup is not None:
            from ._setup import Site

            self.site = self.site or Site()
            try:
                self.site.enter(setup)
            except BaseException as error:
                survive(error)
                # In these words: see fault.c.
                raise _Unprepared("the initializer failed: " + _named(error))

    def function(self, data, blocks):
        """A function that a task of an open loop brings."""
        if self.site is None:
            return _arrived(load, data, blocks)
        return self.site.adopt(lambda: _arrived(load, data, blocks))

    def raised(self, index, error, unused):
        """The outcome of a task of an open loop; so are the next ones."""
        return sendable(index, error)

    def unreadable(self, index, error, unused):
        what = "the arguments of task %d cannot be read" % index
        refusal = refuse(what, error, _fault.UnreadableError)
        return Caught(refusal, text_of(error))

    def unsendable(self, index, error, result):
        if isinstance(error, SystemExit):  # as if the task had
            return sendable(index, error)
        what = "the result %s of task %d cannot be sent back"
        refusal = refuse(what % (cut(result), index), error)
        return Caught(refusal, text_of(error))

    def forget(self, loop):
        self.f = self.watch = self.sitting = None
        held = sys.modules.get("tutti._held")
        if held is not None:
            held.forget()

    def flush(self):
        self.streams.flush()

    def range(self, loop, begin, n, worker, view, blocks):
        try:
            return self._range(begin, n, worker, view, blocks)
        finally:
            if self.watch:
                self.watch.look()
            self.streams.flush()

    def _range(self, begin, n, worker, view, blocks):
        base, seed = head_of(view)
        try:
            columns = _arrived(load_range, view, blocks)
        except BaseException as error:
            survive(error)
            if n > 1:
                return None  # they come again one by one
            what = "the arguments of task %d cannot be read"
            refusal = refuse(what % (base + begin), error)
            refusal = Caught(refusal, text_of(error))
            if self.caught is caught:
                return dump_results([refusal], begin, base)
            return dump((base + begin, refusal, []))
        results = _tutti.range(
            self.f, columns, self.star, self.caught, begin, n, worker, base,
            seed, self.given
        )
        if isinstance(results, tuple):
            index, error, done = results
            return dump_failure(index, sendable(index, error), done, begin)
        if type(self.caught) is Collector:
            return self.caught.dump(results, begin, base)
        return dump_results(results, begin, base, self.caught is caught)
