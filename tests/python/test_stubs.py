"""The stubs say what there is."""

import ast
import inspect
import pathlib

import pytest

import tutti

FOLDER = pathlib.Path(tutti.__file__).parent

# Methods that other modules of tutti call, not users.
INNER = {"Executor": {"send", "tasks", "wait"}, "Future": {"deliver"}}


def stub(name):
    return ast.parse((FOLDER / name).read_text()).body


def names(body):
    """The public names that a stub defines."""
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.AnnAssign):
            yield node.target.id


def found(body, kind):
    return {node.name: node for node in body if isinstance(node, kind)}


def described(node):
    """Name, kind and whether there is a default, of each parameter."""
    a = node.args
    positional = a.posonlyargs + a.args
    defaults = [None] * (len(positional) - len(a.defaults)) + a.defaults
    for i, (argument, default) in enumerate(zip(positional, defaults)):
        kind = "POSITIONAL_ONLY" if i < len(a.posonlyargs) else (
            "POSITIONAL_OR_KEYWORD")
        yield argument.arg, kind, default is not None
    if a.vararg:
        yield a.vararg.arg, "VAR_POSITIONAL", False
    for argument, default in zip(a.kwonlyargs, a.kw_defaults):
        yield argument.arg, "KEYWORD_ONLY", default is not None
    if a.kwarg:
        yield a.kwarg.arg, "VAR_KEYWORD", False


def same(function, node):
    parameters = inspect.signature(function).parameters.values()
    assert list(described(node)) == [
        (p.name, p.kind.name, p.default is not p.empty) for p in parameters
    ], node.name


def test_public_names():
    listed = {name for name in names(stub("__init__.pyi"))
              if not name.startswith("_")}
    assert listed == set(tutti.__all__) | {"Task"}


@pytest.mark.parametrize("module", ["__init__", "array"])
def test_functions(module):
    where = tutti if module == "__init__" else pytest.importorskip(
        "tutti." + module)
    functions = found(stub(module + ".pyi"), ast.FunctionDef)
    assert functions
    for name, node in functions.items():
        same(getattr(where, name), node)


@pytest.mark.parametrize("name", ["Pool", "Executor", "Future"])
def test_classes(name):
    node = found(stub("__init__.pyi"), ast.ClassDef)[name]
    listed = found(node.body, ast.FunctionDef)
    there = vars(getattr(tutti, name))
    base = getattr(tutti, name).__mro__[1]
    for method, node in listed.items():
        same(there[method], node)
    public = {method for method, function in there.items()
              if inspect.isfunction(function) and not method.startswith("_")}
    untold = public - set(listed) - INNER.get(name, set())
    assert not {method for method in untold if not hasattr(base, method)}


def test_task():
    node = found(stub("__init__.pyi"), ast.ClassDef)["Task"]
    public = {name for name in dir(tutti.task) if not name.startswith("_")}
    assert set(found(node.body, ast.FunctionDef)) == public


def test_every_module_of_users_has_a_stub():
    modules = {path.stem for path in FOLDER.glob("*.py")
               if not path.name.startswith("_")}
    assert {path.stem for path in FOLDER.glob("*.pyi")} == modules | {
        "__init__"}
