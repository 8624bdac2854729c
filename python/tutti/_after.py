"""What is to be done once a module is there."""

import sys


class _Watch:
    """A finder that finds what the others do: who asks it may only look."""

    def __init__(self, name, call):
        self.name = name
        self.call = call

    def find_spec(self, name, path=None, target=None):
        if name != self.name:
            return None
        for finder in list(sys.meta_path):
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                self._follow(spec.loader)
                return spec
        return None

    def _follow(self, loader):
        run = getattr(loader, "exec_module", None)

        def run_and_call(module):
            run(module)
            # Loaders may be for many modules, and be asked more than once.
            if module.__name__ == self.name and self in sys.meta_path:
                sys.meta_path.remove(self)
                self.call(module)

        if run:
            try:
                loader.exec_module = run_and_call
            except (AttributeError, TypeError):
                pass  # it takes no attributes: its module is not followed


def after_import(name, call):
    """Has call(module) run when the module is imported; at once if it was."""
    if name in sys.modules:
        call(sys.modules[name])
    elif not any(
        isinstance(one, _Watch) and one.name == name for one in sys.meta_path
    ):
        sys.meta_path.insert(0, _Watch(name, call))
