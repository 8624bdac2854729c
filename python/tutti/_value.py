"""Plain functions by value: those of __main__, lambdas, functions within
functions, and what they capture. cloudpickle does all that and classes too, but
takes 17 ms to import and 100 us a function, on both sides."""

import _pickle as pickle
import io
import marshal
import sys
import types

from ._fault import struck

SHIFT = 1 if sys.version_info >= (3, 11) else 0  # a flag in LOAD's argument


class Beyond(Exception):
    """Something that is left to cloudpickle."""


# In a worker.


class _Empty:
    """What an empty cell has."""

    def __reduce__(self):
        return "EMPTY"


EMPTY = _Empty()


def new_globals(base):
    return base


def main_globals():
    return sys.modules["__main__"].__dict__


def make(code, names, free):
    """A function that is not filled yet: it may refer to itself."""
    cells = tuple([types.CellType() for _ in range(free)])
    return types.FunctionType(marshal.loads(code), names, None, None, cells)


def fill(f, state):
    names, closure, attributes, _ = state
    f.__globals__.update(names)
    f.__globals__["__builtins__"] = __builtins__
    for cell, value in zip(f.__closure__ or (), closure):
        if value is not EMPTY:
            cell.cell_contents = value
    for name, value in attributes.items():
        setattr(f, name, value)


# In the caller.


def _walk(code, opmap, found, words):
    """Gathers the globals of a function's code, and all its names."""
    load, more = opmap["LOAD_GLOBAL"], opmap["EXTENDED_ARG"]
    uses = {load, opmap["STORE_GLOBAL"], opmap["DELETE_GLOBAL"]}
    text, high = code.co_code, 0
    for op, low in zip(text[::2], text[1::2]):
        argument = high | low
        high = argument << 8 if op == more else 0
        if op in uses:
            if op == load:
                argument >>= SHIFT
            found.add(code.co_names[argument])
    words.update(code.co_names)
    for part in code.co_consts:
        if isinstance(part, types.CodeType):
            _walk(part, opmap, found, words)


_known = {}  # code: (its globals, names, bytes); a code object is its own key


def _of_code(code):
    known = _known.get(id(code))
    if known is None or known[0] is not code:
        from opcode import opmap  # no worker needs it

        found, words = set(), set()
        _walk(code, opmap, found, words)
        if len(_known) > 500:
            _known.clear()
        known = code, sorted(found), words, marshal.dumps(code)
        _known[id(code)] = known
    return known[1:]


_inside = {}  # package: (how many modules there were, [(module, words)])


def _modules_in(package):
    known = _inside.get(package)
    if known is None or known[0] != len(sys.modules):
        prefix = package + "."
        known = _inside[package] = len(sys.modules), [
            (name, set(name[len(prefix) :].split(".")))
            for name in list(sys.modules)
            if name.startswith(prefix)
        ]
    return known[1]


def _submodules(values, words):
    """Modules within packages, which a function reaches by attributes."""
    return [
        sys.modules[name]
        for package in values
        if isinstance(package, types.ModuleType)
        and hasattr(package, "__path__")
        for name, parts in _modules_in(package.__name__)
        if parts <= words and name in sys.modules
    ]


def _contents(cell):
    try:
        return cell.cell_contents
    except ValueError:
        return EMPTY


def _attributes(f):
    found = {
        name: getattr(f, name)
        for name in ("__name__", "__qualname__", "__module__", "__doc__",
                     "__defaults__", "__kwdefaults__", "__annotations__")
        if getattr(f, name)
    }
    found.update(f.__dict__)
    return found


def _importable(value):
    """Whether a function or class is found by its name elsewhere."""
    module = value.__module__
    if module == "__main__" or module not in sys.modules:
        return False
    found = sys.modules[module]
    for name in value.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is value


class _Globals:
    """The globals of functions that share them."""

    def __init__(self, names, main):
        self.parts = (main_globals, ()) if main else (
            new_globals,
            ({name: names[name] for name in ("__name__", "__package__",
                                             "__path__", "__file__")
              if name in names},),
        )

    def __reduce__(self):
        return self.parts


class Pickler(pickle.Pickler):
    main = False  # functions of __main__ share the worker's own globals

    def reducer_override(self, value):
        if self.trial:
            self.trial.check()
        kind = type(value)
        if kind is types.FunctionType:
            return NotImplemented if _importable(value) else self._reduce(value)
        if kind is types.ModuleType:
            if sys.modules.get(value.__name__) is not value:
                raise Beyond
            return __import__("importlib").import_module, (value.__name__,)
        if isinstance(value, type) and not _importable(value):
            if value.__module__ != "builtins":
                raise Beyond
        return NotImplemented

    def _reduce(self, f):
        wanted, words, code = _of_code(f.__code__)
        names = f.__globals__
        captured = {name: names[name] for name in wanted if name in names}
        closure = tuple([_contents(cell) for cell in f.__closure__ or ()])
        state = captured, closure, _attributes(f), _submodules(
            (*captured.values(), *closure), words
        )
        shared = self.shared.get(id(names))
        if shared is None:
            main = self.main and names is main_globals()
            shared = self.shared[id(names)] = _Globals(names, main)
        arguments = code, shared, len(closure)
        return make, arguments, state, None, None, fill


class File:
    """Gathers bytes while a trial allows."""

    def __init__(self, trial):
        self.check = trial.check
        self.parts = []

    def write(self, data):
        self.check()
        self.parts.append(bytes(data))  # a bytearray may change

    def getvalue(self):
        return b"".join(self.parts)


def dumps(value, aside=None, main=False, table=None, trial=None):
    """The bytes of a value; None: it is beyond this module."""
    cloudpickle = sys.modules.get("cloudpickle")
    registered = getattr(cloudpickle, "list_registry_pickle_by_value", tuple)
    if registered():
        return None
    file = File(trial) if trial else io.BytesIO()
    pickler = Pickler(file, 5, buffer_callback=aside)
    pickler.trial = trial
    pickler.main, pickler.shared = main, {}
    if table is not None:
        pickler.dispatch_table = table
    try:
        pickler.dump(value)
    except (Beyond, pickle.PicklingError, AttributeError, TypeError,
            NameError) as error:
        if struck(error):
            raise
        return None
    return file.getvalue()
