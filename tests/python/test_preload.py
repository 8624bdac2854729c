"""What a zygote imports for its workers."""

import json
import subprocess
import sys

import pytest

from tutti import _loops, _preload


def uses_json(x):
    return json.dumps(x)


def test_installed_modules_only():
    assert _preload.installed("json") and _preload.installed("sys")
    assert not _preload.installed(__name__)
    assert not _preload.installed("no.such")


def test_by_name_through_the_users_module():
    """Importing this module imports what it imports, in every worker."""
    found = _preload.modules(uses_json)
    assert {"json", "pytest", "subprocess"} <= set(found)
    assert __name__ not in found and "tutti" not in found


def by_value():
    import decimal

    def local(x):
        import decimal

        return decimal, helper(x)

    def helper(x):
        return encoder

    encoder = json.JSONEncoder()
    return local


def test_by_value_what_is_referred_to():
    found = _preload.modules(by_value())
    assert {"decimal", "json.encoder"} <= set(found)
    assert not {"subprocess", "cloudpickle"} & set(found)


def test_other_callables():
    import fractions
    import functools
    import statistics

    assert _preload.modules(statistics.mean) == ["statistics"]
    assert _preload.modules(fractions.Fraction) == ["fractions"]
    partial = functools.partial(statistics.mean, 1)
    assert _preload.modules(partial) == ["functools", "statistics"]
    assert _preload.modules(fractions.Fraction(1).limit_denominator) == [
        "fractions"
    ]
    assert _preload.modules(abs) == []


def test_command_keeps_the_interpreters_flags():
    code = "from tutti import _loops; print(_loops.command()[1:-2])"
    out = subprocess.check_output(
        [sys.executable, "-B", "-O", "-X", "utf8", "-c", code]
    )
    words = eval(out)
    assert words[:4] == [b"-O", b"-B", b"-X", b"utf8"]
    assert _loops.command(abs)[-2] == b"-c"


def test_modules_are_there_before_the_fork(script):
    out, _ = script("""
import os, sys, tutti, wave, statistics
def f(x):
    wave
    return "wave" in before, "statistics" in before
before = ()
class Modules:
    def __reduce__(self):
        return eval, ("list(__import__('sys').modules)",)
before = Modules()
print(tutti.map(f, [1], on="processes"))
""")
    assert out == "[(True, False)]\n"


def test_a_module_that_starts_a_thread(script, tmp_path, monkeypatch):
    """It is left to the workers."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    (folder / "tt_threads.py").write_text(
        "import threading, time, sys\n"
        "def run(x): return x, len(sys.argv), threading.active_count()\n"
        "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()"
    )
    monkeypatch.setenv("PYTHONPATH", str(folder))
    out, _ = script("""
import sys, tutti, tt_threads, wave
def f(x):
    wave
    return tt_threads.run(x)
print(tutti.map(f, [1, 2], on="processes:1"))
""")
    assert out == "[(1, 1, 2), (2, 1, 2)]\n"


def test_a_module_that_cannot_be_imported(script, tmp_path, monkeypatch):
    folder = tmp_path / "site-packages"
    folder.mkdir()
    (folder / "tt_once.py").write_text(
        "import sys\nif 'tt_once' in sys.argv: raise SystemExit(3)\n"
        "def run(x): return x\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(folder))
    out, _ = script("""
import tutti, tt_once
print(tutti.map(tt_once.run, [1, 2], on="processes:1"))
""")
    assert out == "[1, 2]\n"


def test_preloaded_numpy_has_no_threads():
    pytest.importorskip("numpy")
    code = (
        "from tutti import _preload, _state; _state.hold_threads();"
        "print(_preload.load(['numpy']), _preload.threads())"
    )
    assert subprocess.check_output([sys.executable, "-c", code]) == b"None 1\n"
