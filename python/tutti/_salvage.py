"""Results of a range that cannot be read as a whole: read one by one."""

import _pickle as pickle
import io
import pickletools

from ._fault import MISSING

# What begins the pickle of tutti._wire._Marks, memory aside.
_HEAD = (
    "SHORT_BINUNICODE", "SHORT_BINUNICODE", "STACK_GLOBAL", "EMPTY_TUPLE",
    "REDUCE",
)
_STREAM = "PROTO", "FRAME"
_GETS = "BINGET", "LONG_BINGET"
# How those end that make something which nothing behind them changes.
_WHOLE = "UNICODE", "UNICODE8", "BYTES", "BYTES8", "GLOBAL"


class _Op:
    __slots__ = "kind", "name", "arg", "data"

    def __init__(self, kind, arg, data):
        self.kind = kind
        self.name = kind.name
        self.arg = arg
        self.data = data


def _place(at):
    return at.to_bytes(4, "little")


def _again(put):
    """What gets that which an operation has put into memory."""
    kind = pickletools.code2op["j"]
    return _Op(kind, put.arg, b"j" + _place(put.arg))


def _ops(data):
    """Its operations but for those about the stream; what puts something into
    memory says where."""
    known = list(pickletools.genops(data))
    ends = [at for _, _, at in known[1:]] + [len(data)]
    ops = []
    puts = 0
    for (kind, arg, at), end in zip(known, ends):
        if kind.name == "MEMOIZE":
            ops.append(_Op(kind, puts, b"r" + _place(puts)))
            puts += 1
        elif kind.name not in _STREAM:
            ops.append(_Op(kind, arg, data[at:end]))
    return ops


def _cut(ops, at):
    """The items of a batch, whose mark is at `at`, and where it ends."""
    depths = [0]  # of the stack, in the marks that are open
    begins = {}  # of the item that comes upon so many others
    while True:
        at += 1
        kind = ops[at].kind
        if len(depths) == 1:
            begins[depths[0]] = at
        before, after = kind.stack_before, kind.stack_after
        if pickletools.markobject in before:
            count = depths.pop()
            if not depths:
                begins = [begins[i] for i in range(count + 1)]
                items = [ops[i:k] for i, k in zip(begins, begins[1:])]
                return items, at + 1
            depths[-1] -= before.index(pickletools.markobject)
        else:
            depths[-1] -= len(before)
        if pickletools.markobject in after:
            depths.append(0)
        else:
            depths[-1] += len(after)


def _split(data):
    """The operations before the items of the list that `data` begins with, of
    each of them, and behind them. None: it begins with another thing."""
    ops = _ops(data)
    at = 0
    for name in _HEAD:
        if ops[at].name != name:
            return None
        at += 1
        while ops[at].name == "MEMOIZE":
            at += 1
    head, items = ops[:at], []
    while ops[at].name == "MARK":
        batch, at = _cut(ops, at)
        items += batch[1:]  # an idle one: see _wire.bare
    return head, items, ops[at:]


class _Buffers:
    """Those of a pickle, the next one being `at`."""

    def __init__(self, buffers):
        self.buffers = buffers
        self.at = 0

    def __iter__(self):
        return self

    def __next__(self):
        self.at += 1
        return self.buffers[self.at - 1]


class _File:
    """Without peek() nothing is read before it is needed."""

    def __init__(self, file):
        self.read = file.read
        self.readline = file.readline


class _Reader:
    """Reads pieces of a pickle, each by itself."""

    def __init__(self, buffers):
        self.buffers = _Buffers(buffers)
        self.bytes = io.BytesIO()
        self.unpickler = pickle.Unpickler(
            _File(self.bytes), fix_imports=False, buffers=self.buffers)
        self.bad = {}  # place in its memory: why what is there is not whole

    def read(self, ops):
        behind = self.buffers.at + sum(op.name == "NEXT_BUFFER" for op in ops)
        try:
            for op in ops:
                if op.name in _GETS and op.arg in self.bad:
                    raise self.bad[op.arg]
            return self._load(ops)
        except BaseException as error:
            self._give_up(ops, error)
            raise
        finally:
            self.buffers.at = behind

    def _load(self, ops):
        self.bytes.seek(0)
        self.bytes.write(b"\x80\5%b." % b"".join(op.data for op in ops))
        self.bytes.seek(0)
        return self.unpickler.load()

    def _give_up(self, ops, error):
        """What a piece has put into memory is not whole, or not even there; but
        the strings and names in it are for others too."""
        for i, op in enumerate(ops):
            if op.name != "MEMOIZE":
                continue
            self.bad[op.arg] = error
            if not ops[i - 1].name.endswith(_WHOLE):
                continue
            made = [op for op in ops[max(i - 5, 0):i] if op.name != "MEMOIZE"]
            count = 1 + len(made[-1].kind.stack_before)
            try:
                self._load([*made[-count:], op])
                del self.bad[op.arg]
            except Exception:
                pass


def _of_the_value(error):
    """An exception whose traceback does not hold what is here."""
    trace = error.__traceback__
    while trace and trace.tb_frame.f_globals is globals():
        trace = trace.tb_next
    return error.with_traceback(trace)


def read_each(data, buffers, survive):
    """The results, with MISSING where one cannot be read; by place, why not;
    what is behind their list, or None. Or None: they are no such list. What can
    be read is so for the second time.

    survive: raises again what is no failure of the value."""
    pieces = _split(bytes(data))
    if not pieces:
        return None
    head, items, tail = pieces
    reader = _Reader(buffers)
    found = reader.read(head)
    values, bad = [], {}
    for i, ops in enumerate(items):
        try:
            values.append(reader.read(ops))
        except BaseException as error:
            survive(error)
            values.append(MISSING)
            bad[i] = _of_the_value(error)
    rest = reader.read([_again(head[-1]), *tail[:-1]])
    return values, bad, None if rest is found else rest[1]
