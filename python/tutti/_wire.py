"""Functions, items and results as bytes. Plain pickle where it does; what it
cannot take, or would look up in __main__, goes by value with cloudpickle."""

import _pickle as pickle  # its Python half imports re, for 5 ms
import os
import sys

from . import _tutti, _value
from ._fault import (
    MISSING,
    RemoteTraceback,
    UnpicklableError,
    annotate,
    annotate_task,
    cut,
    describe,
    missing,
    struck,
)

PROTOCOL = 5
PICKLED = 0x80  # the first byte of a pickle; others: see _tutti.pack()
FEW = 8  # items that are not worth packing
LARGE = 1 << 16  # bytes of a buffer that travels beside the pickle
BULK = 1 << 20  # bytes of a pickle that travels as a block itself
SOON = 0.0002

_maps = []  # an item for each that has processes, in all threads
_usual = None


class Aside:
    """What pickle calls with each buffer; true: it goes with the bytes."""

    def __init__(self):
        self.buffers = []

    def __call__(self, buffer):
        raw = buffer.raw()
        if raw.nbytes < LARGE:
            return True
        self.buffers.append(raw)


class _Tried(pickle.Pickler):
    """Has attributes."""


def dumps(value, aside=None, trial=None):
    """The bytes of a value. Any exception of its own methods passes.

    trial: a _tutti.Trial, which may raise TooLong; None: however long."""
    try:
        if trial:
            file = _value.File(trial)
            pickler = _Tried(file, PROTOCOL, buffer_callback=aside)
            pickler.reducer_override = trial.reduce
            pickler.dump(value)
            data = file.getvalue()
        else:
            data = pickle.dumps(value, PROTOCOL, buffer_callback=aside)
        if b"__main__" not in data:
            return data
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        survive_here(error)
    if aside:
        aside.buffers.clear()
    data = _value.dumps(value, aside, trial=trial)
    if data is not None:
        return data
    if aside:
        aside.buffers.clear()
    if not trial:
        import cloudpickle

        return cloudpickle.dumps(value, PROTOCOL, buffer_callback=aside)
    used = trial.used()
    import cloudpickle

    trial.excuse(trial.used() - used)
    file = _value.File(trial)
    kind = type("Tried", (_Looks, cloudpickle.CloudPickler), {})
    pickler = kind(file, PROTOCOL, aside)
    pickler.trial = trial
    pickler.dump(value)
    return file.getvalue()


class _Looks:
    """A pickler that looks at a trial."""

    def reducer_override(self, value):
        self.trial.check()
        return super().reducer_override(value)


def dump(value, dumps=dumps, *trial):
    """The bytes of a value, and a list of its large buffers, which are not in
    them: for load()."""
    aside = Aside()
    return dumps(value, aside, *trial), aside.buffers


def as_block(data, buffers=()):
    """The same where the bytes are many: in a block they are copied once, and
    read where they are."""
    return (b"b", [data, *buffers]) if len(data) >= BULK else (data, [*buffers])


def out_of_block(data, blocks):
    """What as_block() was given."""
    if data[0] != ord("b"):
        return data, blocks
    return memoryview(blocks[0]), blocks[1:]


class Bulk:
    """Large bytes on their way: pickle itself would copy them twice."""

    __slots__ = ("data",)

    def __init__(self, data):
        self.data = data

    def __reduce_ex__(self, protocol):
        return type(self.data), (pickle.PickleBuffer(self.data),)


def bulky(values):
    """A list, in which large bytes are Bulk; anything else as it is."""
    if type(values) is not list or not values:
        return values
    if type(values[0]) not in (bytes, bytearray):
        return values
    return [
        Bulk(value)
        if type(value) in (bytes, bytearray) and len(value) >= LARGE
        else value
        for value in values
    ]


def load(data, buffers=()):
    """The value again. Memory of `buffers` becomes the value's own."""
    return pickle.loads(data, buffers=buffers)


def survive(error):
    """Takes what pickling raised for a failure of the value, also SystemExit;
    an interrupt is the user's, and giving up is no failure."""
    if isinstance(error, (KeyboardInterrupt, _tutti.TooLong)):
        try:
            raise error
        finally:
            del error  # it knows this frame: the values would live on


def survive_here(error):
    """The same in the caller: what the handler of a signal raised ends the loop
    as it would end a plain one."""
    try:
        if struck(error):
            raise error
        survive(error)
    finally:
        del error


def refuse(what, error, kind=UnpicklableError):
    """What says that something cannot travel, and why."""
    refusal = kind(
        "%s: %s: %s" % (what, type(error).__name__, error)
    )
    refusal.__cause__ = error
    return refusal


def first_bad(values, dump, survive):
    """Index and exception of the first value that `dump` refuses."""
    for i, value in enumerate(values):
        try:
            dump(value)
        except BaseException as error:
            survive(error)
            return i, error
    return None


# In the caller.


def hurry():
    """While a map has processes: a thread that makes bytes for them, 20 us of
    work, must not wait for the interpreter's lock as long as the rest of 5 ms,
    or they run dry. Without a lock, for which a map in a signal's handler might
    wait; at worst, a map is not in a hurry."""
    global _usual
    _maps.append(None)
    now = sys.getswitchinterval()
    if now > SOON + 1e-6:
        _usual = now
        sys.setswitchinterval(SOON)


def calm():
    """The map has ended. What others have set since is theirs."""
    _maps.pop()
    if not _maps and _usual and abs(sys.getswitchinterval() - SOON) < 1e-6:
        sys.setswitchinterval(_usual)


class Memo:
    """What the items of a run have in common: a large buffer that comes again
    travels as the block that it was copied to."""

    SPARE = 1 << 26  # bytes of blocks that may be kept in case

    def __init__(self):
        self.known = {}  # place and size: [block, the buffer's owner, again]

    def take(self, raw):
        """A block with the bytes of a buffer."""
        key = _tutti.address(raw), raw.nbytes
        entry = self.known.pop(key, None)
        if entry is None:
            self._make_room(raw.nbytes)
            entry = [_tutti.share(raw), raw, False]
        else:
            entry[2] = True
        self.known[key] = entry
        return entry[0]

    def _make_room(self, room):
        once = [key for key, (_, _, again) in self.known.items() if not again]
        spare = sum(size for _, size in once)
        for key in once:
            if spare + room <= self.SPARE:
                break
            spare -= key[1]
            del self.known[key]


def _pack(columns, begin, end):
    """Items [begin, end) of each column as packed bytes; None: not so."""
    if end - begin < FEW:
        return [None] * len(columns)
    return [
        _tutti.pack(column, begin, end)
        if type(column) in (list, tuple)
        else None
        for column in columns
    ]


def _dump_columns(columns, begin, end, trial):
    """Parts of the bytes of items, and their buffers."""
    packed = _pack(columns, begin, end)
    if len(columns) == 1 and packed[0]:
        return packed, []
    rest = tuple(
        None if part else bulky(column[begin:end])
        for part, column in zip(packed, columns)
    )
    data, buffers = dump(rest, dumps, trial)
    if not any(packed):
        return [data], buffers
    return _join(packed) + [data], buffers


def _join(packed):
    """Some packed columns, their sizes before them, for load_range()."""
    sizes = [len(packed)] + [len(part) if part else 0 for part in packed]
    parts = [b"c\0\0\0\0\0\0\0"] + [n.to_bytes(8, "little") for n in sizes]
    for part in packed:
        if part:
            parts += part, bytes(-len(part) % 8)
    return parts


def dump_range(columns, begin, end, base, seed, memo, trial=None):
    """Items [begin, end) by column, tasks being counted from `base`, and the
    map's seed: parts of bytes, and a list of buffers; or (index, exception) of
    the first that cannot go; or None: given up."""
    try:
        return _dump_range(columns, begin, end, base, seed, memo, trial)
    except _tutti.TooLong:
        return None


def _take_all(buffers, memo, trial):
    for buffer in buffers:
        if trial:
            trial.check()
        yield memo.take(buffer)


def _dump_range(columns, begin, end, base, seed, memo, trial):
    try:
        if trial:
            trial.check()
        parts, buffers = _dump_columns(columns, begin, end, trial)
        buffers = list(_take_all(buffers, memo, trial))
        if len(parts) == 1:
            parts[0], buffers = as_block(parts[0], buffers)
        head = base.to_bytes(8, "little") + seed.to_bytes(8, "little")
        return (head, *parts, buffers)
    except BaseException as error:
        survive_here(error)
        items = list(zip(*(column[begin:end] for column in columns)))
        bad = first_bad(
            items, lambda item: dumps(item, None, trial), survive_here
        )
        at, cause = bad or (0, error)
        arguments = items[at] if len(columns) > 1 else items[at][0]
        index = base + begin + at
        what = "argument %s of task %d cannot be sent to another process"
        return index, refuse(what % (cut(arguments), index), cause)


def _read(view, blocks):
    data, blocks = out_of_block(view, blocks)
    return load(data, blocks) if data[0] == PICKLED else _tutti.unpack(data)


def _salvage(view, blocks, first, n, error):
    """The results that can be read, MISSING for the others, and why, by place;
    all `n`, where they cannot be told apart."""
    from ._salvage import read_each

    what = "the result of task %d cannot be read back"
    try:
        found = read_each(*out_of_block(view, blocks), survive_here)
    except BaseException as other:
        survive_here(other)
        found = None
    if found:
        values, bad, faults = found
        for i, cause in bad.items():
            bad[i] = refuse(what % (first + i), cause)
        return (values, faults) if faults else values, bad
    what = "the results of task %d and behind cannot be read back"
    return missing(n), dict.fromkeys(range(n), refuse(what % first, error))


def load_results(view, blocks, begin, n, faults, columns, star, base):
    """The results of `n` tasks from `begin` on: a list; or (index, exception) of
    one that failed, and a list of others' results.

    faults: a dict to which exceptions go, by index; True: they are results;
    None: the first is raised."""
    first = base + begin
    bad = {}
    with view:
        try:
            loaded = _read(view, blocks)
        except BaseException as error:
            survive_here(error)
            loaded, bad = _salvage(view, blocks, first, n, error)
    if type(loaded) is tuple and faults is not None and faults is not True:
        loaded = _collect(loaded, n, faults)
    if bad and faults is None:
        at = min(bad)
        return first + at, bad[at], loaded
    for i, error in bad.items():
        if faults is True:
            loaded[i] = annotate_task(error, begin + i, columns, star, base)
        else:
            faults[first + i] = error
    return loaded


def _collect(loaded, n, faults):
    """What came with exceptions: the results."""
    if type(loaded[0]) is list:
        faults.update(loaded[1])
        return loaded[0]
    index, error, results = loaded
    faults[index] = error
    return results + missing(n - len(results))


# In a worker.


def text_of(error):
    """The traceback of an exception as text, without tutti's own frames."""
    trace = error.__traceback__
    here = os.path.dirname(__file__)
    while trace and trace.tb_frame.f_code.co_filename.startswith(here):
        trace = trace.tb_next
    import traceback

    try:
        lines = traceback.format_exception(type(error), error, trace)
    except Exception as other:
        lines = ["%s (its traceback raised %r)\n" % (type(error), other)]
    return "".join(lines)


def bare(values, batch):
    """Drops the first item of each of the pickler's batches, an idle one."""
    del values[::batch]


class _Marks:
    """A list of results, pickled so that a worker which dies of one has said
    which: those of the tasks from `begin` on. See _salvage for who reads it."""

    def __init__(self, values, begin):
        self.values = values
        self.begin = begin

    def __reduce__(self):
        marks = _tutti.marks(self.values, self.begin)
        return list, (), marks.batch, marks, None, bare


def _mark(values, begin):
    return _Marks(values, begin) if len(values) > 1 else values


def _rebuild(error, text, where):
    """An exception as its task raised it, in the caller."""
    BaseException.__cause__.__set__(error, RemoteTraceback(text))
    return annotate(error, *where) if where else error


class Caught:
    """An exception on its way to the caller, which is told where it comes
    from: (index, text of the arguments), or None."""

    def __init__(self, error, text, where=None):
        self.parts = error, text, where

    def __reduce__(self):
        return _rebuild, self.parts


def sendable(index, error, where=None):
    """The exception of a task, or what says that it cannot travel."""
    text = text_of(error)
    caught = Caught(error, text, where)
    try:
        if isinstance(pickle.loads(dumps(caught)), BaseException):
            return caught
        reason = "it comes back as another type"
    except BaseException as other:
        survive(other)
        reason = "%s: %s" % (type(other).__name__, other)
    refusal = UnpicklableError(
        "task %d raised %s, which cannot be sent back: %s"
        % (index, cut(error), reason)
    )
    return Caught(refusal, text, where)


def caught(error, arguments):
    index = _tutti.task.index
    return sendable(index, error, (index, describe(arguments)))


caught.kinds = Exception


def head_of(view):
    """What the tasks of a range are counted from, and their seed."""
    return _number(view, 0), _number(view, 1)


def _number(view, i):
    return int.from_bytes(view[8 * i:8 * i + 8], "little")


def load_range(view, blocks):
    """The columns of a range: sequences, or iterators that must be used up
    before the view is released."""
    body, blocks = out_of_block(view[16:], blocks)
    if body[0] == PICKLED:
        return load(body, blocks)
    if body[0] != ord("c"):
        return (_tutti.Packed(body),)
    count = _number(body, 1)
    at = 8 * (2 + count)
    columns = []
    for i in range(count):
        size = _number(body, 2 + i)
        columns.append(_tutti.Packed(body[at:at + size]) if size else None)
        at += size + -size % 8
    rest = load(body[at:], blocks)
    return tuple(
        column if other is None else other
        for column, other in zip(columns, rest)
    )


def dump_failure(index, error, done, begin):
    """The same for what failed: its exception, and the results before it, of
    the tasks from `begin` on."""
    try:
        return dump((index, error, _mark(done, begin)))
    except BaseException as other:
        survive(other)
        return dump((index, error, []))


def dump_results(results, begin, base, keep=False):
    """Parts of bytes, and a list of buffers. Tasks are counted from `base`.

    keep: an exception stands for what cannot be sent."""
    try:
        return _dump_list(results, begin)
    except BaseException as error:
        survive(error)
        if keep:
            for i, refusal in _refusals(results, base + begin):
                results[i] = refusal
            return _dump_list(results, begin)
        at, cause = first_bad(results, dumps, survive) or (0, error)
        index = base + begin + at
        refusal = _refuse_result(results[at], index, cause)
        return dump_failure(index, refusal, results[:at], begin)


def _dump_list(results, begin):
    packed = len(results) >= FEW and _tutti.pack(results, 0, len(results))
    if packed:
        return as_block(packed)
    return as_block(*dump(_mark(bulky(results), begin)))


def _refuse_result(result, index, cause):
    what = "the result %s of task %d cannot be sent back" % (cut(result), index)
    return Caught(refuse(what, cause), text_of(cause))


def _refusals(results, first):
    """Which of them cannot be sent, and why."""
    for i, result in enumerate(results):
        bad = first_bad([result], dumps, survive)
        if bad:
            yield i, _refuse_result(result, first + i, bad[1])


class Collector:
    """Exceptions of a range's tasks, which go beside the results."""

    kinds = BaseException

    def __init__(self):
        self.faults = {}

    def __call__(self, error, arguments):
        index = _tutti.task.index
        where = index, describe(arguments)
        self.faults[index] = sendable(index, error, where)
        return MISSING

    def dump(self, results, begin, base):
        """As dump_results(), with what is in faults."""
        faults, self.faults = self.faults, {}
        try:
            if not faults:
                return _dump_list(results, begin)
            return as_block(*dump((_mark(results, begin), faults)))
        except BaseException as error:
            survive(error)
        for i, refusal in _refusals(results, base + begin):
            faults[base + begin + i] = refusal
            results[i] = MISSING
        return as_block(*dump((_mark(results, begin), faults)))
