"""Which modules a zygote imports for its workers: the installed ones that
functions use. What the user may edit is never among them."""

import os
import sys
import types

LOOKED_AT = 300  # functions and values, at most
STANDARD = os.path.dirname(os.__file__)
# Python's own, that the zygote has or that workers need not.
NEVER = {"__main__", "builtins", "sys", "tutti", "_tutti"}


def installed(name):
    """Whether a module is there to stay, as the user's own is not."""
    module = sys.modules.get(name)
    spec = getattr(module, "__spec__", None)
    origin = getattr(spec, "origin", None)
    if not isinstance(origin, str):
        return False
    if origin in ("built-in", "frozen"):
        return True
    folders = origin.split(os.sep)
    return (
        "site-packages" in folders
        or "dist-packages" in folders
        or origin.startswith(STANDARD)
    )


class Search:
    """Goes through what functions refer to."""

    def __init__(self):
        self.found = set()
        self.seen = set()
        self.left = []

    def modules(self):
        for _ in range(LOOKED_AT):
            if not self.left:
                break
            self._look(self.left.pop())
        return sorted(self.found)

    def add(self, value):
        if id(value) not in self.seen:
            self.seen.add(id(value))
            self.left.append(value)

    def _module(self, name):
        """Something of a module is used: by name, so it will be imported."""
        if not isinstance(name, str) or name.partition(".")[0] in NEVER:
            return
        if installed(name):
            self.found.add(name)
        elif name in sys.modules:
            for value in list(vars(sys.modules[name]).values()):
                if isinstance(value, (types.ModuleType, type)) or callable(
                    value
                ):
                    self.add(value)

    def _look(self, value):
        if isinstance(value, types.ModuleType):
            self._module(value.__name__)
        elif isinstance(value, types.FunctionType):
            self._function(value)
        elif isinstance(value, types.MethodType):
            self.add(value.__self__)
            self.add(value.__func__)
        elif isinstance(value, type):
            self._class(value)
        else:
            self._module(getattr(value, "__module__", None))
            self.add(type(value))
            for name in ("func", "__wrapped__", "f"):
                self.add(getattr(value, name, None))

    def _class(self, value):
        self._module(value.__module__)
        if value.__module__ == "__main__":
            self.found.add("cloudpickle")
            for part in vars(value).values():
                if isinstance(part, types.FunctionType):
                    self.add(part)

    def _function(self, f):
        if f.__module__ != "__main__" and "<locals>" not in f.__qualname__:
            return self._module(f.__module__)
        for cell in f.__closure__ or ():
            try:
                self.add(cell.cell_contents)
            except ValueError:
                pass
        self._code(f.__code__, f.__globals__)

    def _code(self, code, names):
        for name in code.co_names:
            if name in names:
                self.add(names[name])
            elif name in sys.modules:  # what it imports itself
                self._module(name)
        for part in code.co_consts:
            if isinstance(part, types.CodeType):
                self._code(part, names)


def modules(f):
    """Names of the modules for a zygote whose workers run f; None: whatever
    __main__ has to offer."""
    search = Search()
    if f is not None:
        search.add(f)
        return search.modules()
    for value in list(vars(sys.modules["__main__"]).values()):
        if isinstance(value, (types.ModuleType, type)):
            search.add(value)
    return search.modules()


# In the zygote.


def threads():
    return len(os.listdir("/proc/self/task"))


def load(names):
    """Imports modules. Returns the name of one that has started a thread,
    which must not be there at a fork."""
    for name in names:
        try:
            __import__(name)
        except BaseException:
            pass  # a worker will say why, if it needs the module
        if threads() > 1:
            return name
    return None
