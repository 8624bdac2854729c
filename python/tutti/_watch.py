"""In a worker: whether tasks change what their function captured, which the
caller will not see. Counters are compared, containers by their size."""

import types

from . import _tutti
from ._culprit import names_of
from ._preload import installed

SIMPLE = {int, float, complex, bool, str, bytes, tuple, frozenset, type(None)}
SIZED = {list, dict, set, bytearray}


def plain(f):
    """The function of Python's that a callable runs, or None."""
    for _ in range(8):
        inner = getattr(f, "func", None) or getattr(f, "__func__", None)
        if inner is None:
            break
        f = inner
    if not isinstance(f, types.FunctionType):
        f = getattr(type(f), "__call__", None)
    return f if isinstance(f, types.FunctionType) else None


def _captured(f):
    """(label, place, key) of all that may be compared."""
    for name, cell in zip(f.__code__.co_freevars, f.__closure__ or ()):
        yield "variable %r" % name, cell, None
    names = f.__globals__
    if names.get("__name__") == "__main__" or "<locals>" in f.__qualname__:
        brought = list(names)  # by value: nothing else is there
    elif installed(f.__module__):
        return
    else:
        brought = [
            name
            for name in set(names_of(f.__code__))
            if type(names.get(name)) in SIMPLE  # containers may be caches
        ]
    for name in brought:
        if not name.startswith("__"):
            yield "global %r" % name, names, name


class Watch:
    """Looks after the captured values of a function."""

    def __init__(self, f):
        self.name = f.__qualname__
        self.all = []
        for label, place, key in _captured(f):
            mark = _mark(place, key)
            if mark is not None:
                self.all.append((label, place, key, mark))

    def look(self):
        """Says what has changed since, once."""
        changed = [
            one for one in self.all if not _same(_mark(*one[1:3]), one[3])
        ]
        for one in changed:
            self.all.remove(one)
            line = "%s of %s was changed in a worker; changes stay there"
            _tutti.say(0, (line % (one[0], self.name)).encode())


def _same(one, other):
    if one is None or one[0] is not other[0]:
        return False
    if one[0] in (tuple, frozenset):  # whose items may not compare
        return one[1] is other[1]
    return one[1] is other[1] or one[1] == other[1]


def _mark(place, key):
    """What tells a value from another; None: it is not compared."""
    try:
        value = place.cell_contents if key is None else place[key]
    except (ValueError, KeyError):
        return None, None
    kind = type(value)
    if kind in SIMPLE:
        return kind, value
    return (kind, len(value)) if kind in SIZED else None


def watch(f):
    """A Watch, or None if there is nothing to look after."""
    f = plain(f)
    if f is None:
        return None
    made = Watch(f)
    return made if made.all else None
