"""What keeps a value from travelling: the innermost part of it that does."""

import functools
import types

from ._fault import cut
from ._wire import dumps, survive_here

DEPTH = 5
PARTS = 200  # looked at in each value


def names_of(code):
    """The names that a function looks up, in those within it too."""
    for name in code.co_names:
        yield name
    for part in code.co_consts:
        if isinstance(part, types.CodeType):
            yield from names_of(part)


def _of_function(f):
    for name, cell in zip(f.__code__.co_freevars, f.__closure__ or ()):
        try:
            yield "its variable %r" % name, cell.cell_contents
        except ValueError:
            pass
    for name in names_of(f.__code__):
        if name in f.__globals__:
            yield "the global %r" % name, f.__globals__[name]
    for value in (*(f.__defaults__ or ()), *(f.__kwdefaults__ or {}).values()):
        yield "a default", value


def _parts(value):
    if isinstance(value, types.FunctionType):
        yield from _of_function(value)
    elif isinstance(value, (types.MethodType, types.BuiltinMethodType)):
        yield "its object", value.__self__
        yield "its function", getattr(value, "__func__", None)
    elif isinstance(value, functools.partial):
        yield "its function", value.func
        for part in (*value.args, *value.keywords.values()):
            yield "an argument", part
    elif isinstance(value, (list, tuple, set, frozenset)):
        for part in value:
            yield "an item", part
    elif isinstance(value, dict):
        for key, part in value.items():
            yield "the value of %s" % cut(key, 30), part
    for name, part in list(getattr(value, "__dict__", {}).items()):
        yield "the attribute %r" % name, part


def _travels(value, trial):
    try:
        dumps(value, None, trial)
        return True
    except BaseException as error:
        survive_here(error)
        return False


def culprit(value, trial=None, depth=DEPTH):
    """Words for the part that cannot travel; empty where there is none."""
    for (label, part), _ in zip(_parts(value), range(PARTS)):
        if part is value or _travels(part, trial):
            continue
        inner = culprit(part, trial, depth - 1) if depth else ""
        words = "%s, %s" % (label, cut(part, 60))
        return "%s: %s" % (words, inner) if inner else words
    return ""
