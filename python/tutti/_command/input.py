"""The function of FILE.py:NAME, and what it is mapped over."""

import os
import sys

from .failure import describe, show_traceback
from .options import Refusal


def load_module(path):
    """The file as a module that workers can import, its folder first."""
    stem = os.path.splitext(os.path.basename(path))[0]
    taken = getattr(sys, "stdlib_module_names", sys.builtin_module_names)
    if "." in stem or stem in sys.modules or stem in taken:
        raise Refusal(
            "%s: %s is no name for a file of functions (a module of Python "
            "has it, or it has a dot): rename the file" % (path, stem)
        )
    folder = os.path.dirname(os.path.abspath(path))
    if sys.path and sys.path[0] in ("", os.getcwd()):
        del sys.path[0]  # what -m has put there
    sys.path.insert(0, folder)
    from importlib import util

    spec = util.spec_from_file_location(stem, os.path.join(folder, stem + ".py"))
    module = sys.modules[stem] = util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except FileNotFoundError as error:
        if error.filename != spec.origin:
            raise
        raise Refusal("there is no file %s: expected FILE.py:NAME" % path)
    return module


def load_function(text):
    path, _, name = text.rpartition(":")
    if not path.endswith(".py") or not name:
        raise Refusal("'%s': expected FILE.py:NAME" % text)
    try:
        module = load_module(path)
    except (Exception, SystemExit) as error:
        if isinstance(error, Refusal):
            raise
        show_traceback(error)
        raise Refusal("%s cannot be loaded: %s" % (path, describe(error)))
    function = getattr(module, name, None)
    if callable(function):
        return function
    if function is not None:
        raise Refusal(
            "%s: %s is a %s: expected a function"
            % (path, name, type(function).__name__)
        )
    raise Refusal("%s has no function %s%s" % (path, name, near(module, name)))


def near(module, name):
    import difflib

    there = [key for key, value in vars(module).items() if callable(value)]
    close = difflib.get_close_matches(name, there, 1)
    return ": did you mean %s?" % close[0] if close else ""


def need_numpy(name):
    try:
        import numpy
    except ImportError:
        raise Refusal(
            "%s: .npy files need NumPy, which %s lacks: install numpy there, "
            "or use lines" % (name, sys.executable)
        )
    return numpy


def read_lines(stream):
    return [
        line[:-2] if line.endswith("\r\n") else line.rstrip("\n")
        for line in stream
    ]


def load_items(options):
    if options.range is not None:
        return options.range
    name = options.over or "-"
    text = {"encoding": "utf-8", "errors": "surrogateescape", "newline": "\n"}
    try:
        if name == "-":
            with open(0, closefd=False, **text) as stream:
                return read_lines(stream)
        if name.endswith(".npy"):
            numpy = need_numpy(name)
            return numpy.load(name, allow_pickle=False)
        with open(name, **text) as stream:
            return read_lines(stream)
    except (OSError, ValueError, EOFError, MemoryError) as error:
        reason = getattr(error, "strerror", None) or str(error).split("\n")[0]
        raise Refusal("%s cannot be read: %s" % (name, reason))
