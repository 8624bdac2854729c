"""Modules that the user may edit and load again: a worker that has imported an
older one forgets them all, and imports what it needs anew."""

import os
import sys
import types

from ._preload import installed

# In the caller.

_files = {}  # name: (spec, version): a module loaded again has a new spec
_reach = {}  # name: (spec, names of the user's modules that it refers to)


def _spec_of(name):
    """The spec of a module that is the user's own; or None."""
    spec = getattr(sys.modules.get(name), "__spec__", None)
    origin = getattr(spec, "origin", None)
    if not isinstance(origin, str) or not origin.endswith(".py"):
        return None
    if name == "__main__" or name.partition(".")[0] == "tutti":
        return None
    return None if installed(name) else spec


def _version(name, spec):
    """Of the file when this version of the module was first seen here."""
    known = _files.get(name)
    if known is None or known[0] is not spec:
        try:
            status = os.stat(spec.origin)
            version = status.st_mtime_ns, status.st_size
        except OSError:
            version = 0, 0
        known = _files[name] = spec, version
    return known[1]


def _names_in(values):
    """Names of the modules that values are, or come from."""
    for value in values:
        if isinstance(value, types.ModuleType):
            yield value.__name__
        elif isinstance(value, (types.FunctionType, type)):
            yield value.__module__


def _reached(name, spec):
    known = _reach.get(name)
    if known is None or known[0] is not spec:
        names = set(_names_in(list(vars(sys.modules[name]).values())))
        known = _reach[name] = spec, [n for n in names if _spec_of(n)]
    return known[1]


def versions(f):
    """{name: version} of the user's modules that f comes from or refers to."""
    values = [f, type(f)]
    for name in ("func", "__func__"):
        values.append(getattr(f, name, None))
    if isinstance(f, types.FunctionType):
        names = f.__globals__
        values += [names[n] for n in f.__code__.co_names if n in names]
    left = [name for name in _names_in(values) if isinstance(name, str)]
    found = {}
    while left:
        name = left.pop()
        spec = None if name in found else _spec_of(name)
        if spec is not None:
            found[name] = _version(name, spec)
            left += _reached(name, spec)
    return found


class Known:
    """The user's modules that workers which stay may have imported."""

    def __init__(self):
        self.versions = {}
        self.last = None  # function that was asked about,
        self.specs = ()  # and its modules' names and specs

    def same(self, f):
        """Whether f was asked about last, and nothing has changed. Quick."""
        return self.last is f and all(
            _spec_of(name) is spec for name, spec in self.specs
        )

    def stale(self, f):
        """Names of those among f's that were loaded again since: once."""
        found = versions(f)
        known = self.versions
        names = [n for n, v in found.items() if known.get(n, v) != v]
        known.update(found)
        self.last = f
        self.specs = [(name, _spec_of(name)) for name in found]
        return names


# In a worker.

_mine = {}  # name: the caller's version when it was imported here


def refresh(wanted):
    """Forgets the user's modules if one is not the caller's version."""
    stale = [
        name
        for name, version in wanted.items()
        if name in sys.modules and _mine.get(name) != version
    ]
    if stale:
        import importlib

        for name in [name for name in sys.modules if _spec_of(name)]:
            del sys.modules[name]
        _mine.clear()
        importlib.invalidate_caches()
    _mine.update(wanted)
