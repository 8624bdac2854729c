"""What is to be done once a module is there."""

import sys


class _Watch:
    def __init__(self, name, call):
        self.name = name
        self.call = call

    def find_spec(self, name, path=None, target=None):
        if name != self.name:
            return None
        from importlib.machinery import PathFinder

        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None:
            run = spec.loader.exec_module

            def run_and_call(module):
                run(module)
                self.call(module)

            spec.loader.exec_module = run_and_call
        return spec


def after_import(name, call):
    """Has call(module) run when the module is imported; at once if it was."""
    if name in sys.modules:
        call(sys.modules[name])
    elif not any(
        isinstance(one, _Watch) and one.name == name for one in sys.meta_path
    ):
        sys.meta_path.insert(0, _Watch(name, call))
