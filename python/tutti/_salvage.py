"""Results of a range that cannot be read as a whole: those that can be are."""

import io
import pickle
from pickletools import code2op, markobject

from ._fault import MISSING

_Plain = pickle._Unpickler  # in Python, where its stack and memory can be seen
# Operations on what is there already.
_FILLS = "APPEND", "APPENDS", "SETITEM", "SETITEMS", "ADDITEMS", "BUILD"
# How those end that make something which nothing behind them changes.
_WHOLE = "UNICODE", "UNICODE8", "BYTES", "BYTES8", "GLOBAL"


class _Bad:
    """Stands for what cannot be read, and for all that holds it."""

    def __init__(self, error):
        self.error = error


def _guarded(op, act):
    kind = code2op[chr(op)]
    if kind.name == "STOP":
        return act
    if kind.name == "MEMOIZE":
        return lambda reader: reader.memoize(act)
    return lambda reader: reader.step(kind, act)


class _Reader(_Plain):
    """Goes on behind what raises. The results are the items of the list that
    comes first.

    survive: raises again what is no failure of the value."""

    dispatch = {op: _guarded(op, act) for op, act in _Plain.dispatch.items()}
    last = ""

    def __init__(self, data, buffers, survive):
        super().__init__(io.BytesIO(data), buffers=buffers)
        self.survive = survive
        self.whole = set()  # places in its memory

    def memoize(self, act):
        if self.last.endswith(_WHOLE):
            self.whole.add(len(self.memo))
        act(self)

    def step(self, kind, act):
        before, marked = kind.stack_before, markobject in kind.stack_before
        below = self.metastack[-1] if marked else self.stack
        size = len(below)
        size -= before.index(markobject) if marked else len(before)
        taken = below[size:] + self.stack if marked else below[size:]
        bad = None
        if size or len(self.metastack) > marked or "APPEND" not in kind.name:
            bad = next((one for one in taken if type(one) is _Bad), None)
        try:
            if bad is None:
                act(self)
        except BaseException as error:
            self.survive(error)
            bad = _Bad(_of_the_value(error))
        if bad is not None:
            self.put(bad, kind, marked, below, size, taken)
        self.last = kind.name

    def put(self, bad, kind, marked, below, size, taken):
        """In the place of what the operation makes."""
        if marked and self.stack is not below:
            self.pop_mark()
        del below[size:]
        if kind.name in _FILLS:
            self.spoil(bad, taken[0])
        elif kind.name == "POP" and self.last == "REDUCE":
            # What was called should have set the state of what is below.
            self.spoil(bad, below.pop())
            below.append(bad)
        if kind.stack_after:
            below.append(bad)

    def spoil(self, bad, value):
        """It is in memory, and behind it what may hold it."""
        known = self
        for at in reversed(range(len(self.memo))):
            if known is value or type(value) is _Bad:
                return
            known = self.memo[at]
            if at not in self.whole:
                self.memo[at] = bad


def _of_the_value(error):
    """An exception whose traceback does not hold what is here."""
    trace, here = error.__traceback__, (__name__, pickle.__name__)
    while trace and trace.tb_frame.f_globals.get("__name__") in here:
        trace = trace.tb_next
    return error.with_traceback(trace)


def read_each(data, buffers, survive):
    """The results, with MISSING where one cannot be read; by place, why not;
    what is behind their list, or None. Or None: they cannot be told apart. What
    can be read is so for the second time.

    survive: raises again what is no failure of the value."""
    found = _Reader(data, buffers, survive).load()
    values, more = found if type(found) is tuple else (found, None)
    if type(values) is not list:  # or one that is bad itself
        return None
    bad = {i: v.error for i, v in enumerate(values) if type(v) is _Bad}
    for i in bad:
        values[i] = MISSING
    return values, bad, more
