"""The package as a whole."""

import ast
import doctest
import inspect
import os
import sys

import pytest

import tutti


def test_doctests():
    result = doctest.testmod(tutti, extraglobs={"tutti": tutti})
    assert result.attempted >= 4 and not result.failed


def test_import_is_light(script):
    out, _ = script("""
import sys
before = set(sys.modules)
import tutti
tutti.map(abs, range(100))
heavy = {"pickle", "cloudpickle", "numpy", "typing", "concurrent", "threading",
         "subprocess", "multiprocessing", "traceback", "random"}
print(*sorted(heavy & (set(sys.modules) - before)))
""")
    assert out == "\n"


def test_public_names_are_documented():
    for name in tutti.__all__:
        assert inspect.getdoc(getattr(tutti, name)), name


def test_stub_names_the_bases_of_exceptions():
    path = os.path.join(os.path.dirname(tutti.__file__), "__init__.pyi")
    with open(path) as f:
        classes = [node for node in ast.parse(f.read()).body
                   if isinstance(node, ast.ClassDef)
                   and node.name.endswith("Error")]
    assert {node.name for node in classes} == {
        name for name in tutti.__all__ if name.endswith("Error")}
    for node in classes:
        bases = getattr(tutti, node.name).__bases__
        assert [base.id for base in node.bases] == [
            base.__name__ for base in bases], node.name


@pytest.mark.parametrize("option", [{"retries": 1}, {"task_timeout": 60}])
def test_options_that_mean_processes(option):
    pids = tutti.map(lambda x: os.getpid(), range(4), **option)
    assert os.getpid() not in pids


def test_version():
    assert tutti.__version__.count(".") == 2


def test_cpu_count():
    assert 1 <= tutti.cpu_count() <= 1 << 20


def test_environment_overrides(script, monkeypatch):
    out, _ = script("""
import os, tutti
print(os.getpid() in tutti.map(lambda x: os.getpid(), [1], on="processes"))
""", env=dict(os.environ, TUTTI_ON="serial"))
    assert out == "True\n"


def test_progress_is_silent_in_a_pipe(script):
    _, err = script("import tutti; tutti.map(abs, range(9), progress=True)")
    assert err == ""


def test_progress_bar_on_a_terminal(monkeypatch):
    import io

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    tutti.map(abs, range(1000), progress=True)
    assert "1000/1000" in sys.stderr.getvalue()
    assert sys.stderr.getvalue().endswith("\n")


def test_progress_that_fails(monkeypatch):
    class Broken:
        def isatty(self):
            return True

        def write(self, text):
            raise OSError("terminal gone")

    monkeypatch.setattr(sys, "stderr", Broken())
    try:
        tutti.map(abs, range(10), progress=True)
    except OSError as error:
        assert "terminal gone" in str(error)
    else:
        raise AssertionError("no error")
