"""FILE.py:NAME: functions, results, failures."""
import json
import os
import re
import signal

import numpy as np
import pytest

from .conftest import ROOT

PLACES = ["serial", "auto", "processes:2"]


def load(tutti, name):
    return np.load(str(tutti.here / name))


@pytest.mark.parametrize("on", PLACES)
def test_places_agree(tutti, on):
    out = tutti("map", "g.py:square", "--range", "2000", "--on", on)
    assert out == "".join("%d\n" % (i * i) for i in range(2000))


@pytest.mark.parametrize("on", PLACES)
def test_lines(tutti, on):
    text = "one\ntwo \r\n\nfour\x0b\u2028five"
    out = tutti("map", "g.py:upper", "--on", on, lines=text)
    assert out == "ONE\nTWO \n\nFOUR\x0b\u2028FIVE\n"


def test_bytes_that_are_no_text(tutti):
    with tutti.start("map", "g.py:upper", stdin=-1) as process:
        out, err = process.communicate(b"a\xffb\n", timeout=60)
    assert (process.returncode, out, err) == (0, b"A\xffB\n", b"")


def test_arrays(tutti):
    np.save(str(tutti.here / "x.npy"), np.arange(6.0).reshape(3, 2))
    assert tutti("map", "g.py:total", "--over", "x.npy") == "1.0\n5.0\n9.0\n"
    np.save(str(tutti.here / "x.npy"), np.arange(3, dtype="i4"))
    tutti("map", "g.py:square", "--over", "x.npy", "-o", "y.npy")
    y = load(tutti, "y.npy")
    assert y.dtype == np.int32 and y.tolist() == [0, 1, 4]


def test_npy_of_results(tutti):
    tutti("map", "g.py:square", "--range", "4", "-o", "y.npy")
    assert load(tutti, "y.npy").tolist() == [0, 1, 4, 9]
    tutti("map", "g.py:row", "--range", "2", "-o", "y.npy")
    assert load(tutti, "y.npy").tolist() == [[0, 1], [1, 1]]
    assert tutti.refuses("map", "g.py:pair", "--range=2", "-o", "z.npy") == (
        "z.npy: the results are not numbers of one shape: write .jsonl or "
        "lines"
    )


RESULTS = """
import numpy

values = [1, 2.5, "a\\nb", None, True, [1, (2, 3)], {"k": float("nan")},
          numpy.float64(0.5), numpy.arange(3), numpy.int64(7),
          numpy.array([1.0, float("inf")]), "\\u00e9", "\\udcff"]

def value(i):
    return values[i]

def thing(i):
    return values[i] if i < 2 else object()
"""


def test_json_lines(tutti):
    (tutti.here / "results.py").write_text(RESULTS)
    tutti("map", "results.py:value", "--range", "13", "-o", "y.jsonl")
    lines = (tutti.here / "y.jsonl").read_text().splitlines()
    assert lines[5:7] == ["[1, [2, 3]]", '{"k": null}']
    assert [json.loads(line) for line in lines] == [
        1, 2.5, "a\nb", None, True, [1, [2, 3]], {"k": None}, 0.5, [0, 1, 2],
        7, [1.0, None], "\u00e9", "\udcff",
    ]
    assert tutti.refuses(
        "map", "results.py:thing", "--range", "3", "-o", "z.jsonl"
    ) == (
        "task 2: a result of type object is not JSON: return numbers, text, "
        "lists or dicts, or write lines"
    )


def told(tutti, err):
    """The sentence; the traceback names the user's line and nothing of
    tutti's."""
    sentence, *trace = err.splitlines()
    assert trace[0] == "Traceback (most recent call last):"
    assert 'g.py", line 8, in inverse' in trace[1]
    assert trace[2].strip() == "return 100 / int(x)"
    assert not any("tutti" in line for line in trace if "File" in line)
    return sentence, trace[-1]


@pytest.mark.parametrize("on", PLACES)
def test_failure(tutti, on):
    words = ("map", "g.py:inverse", "--on", on, "-o", "y.txt")
    status, out, err = tutti.run(*words, lines="5\n4\nx\n0\n")
    assert (status, out) == (1, "")
    error = "ValueError: invalid literal for int() with base 10: 'x'"
    assert told(tutti, err) == (
        "tutti: task 2 failed: %s (argument 'x')" % error, error
    )
    assert tutti.files() == {"f.c", "g.py", "slow.c"}


ZERO = "ZeroDivisionError: division by zero"


@pytest.mark.parametrize("on", PLACES)
def test_failures_returned(tutti, on):
    words = ("map", "g.py:inverse", "--range=-1:2", "--errors", "return",
             "--on", on)
    status, out, err = tutti.run(*words)
    assert (status, out) == (1, "-100.0\n%s\n100.0\n" % ZERO)
    assert told(tutti, err) == (
        "tutti: 1 of 3 tasks failed; task 1 failed: %s (argument 0)" % ZERO,
        ZERO,
    )
    assert tutti.run(*words, "-o", "y.jsonl")[:2] == (1, "")
    lines = (tutti.here / "y.jsonl").read_text().splitlines()
    assert lines == ["-100.0", '{"error": "%s", "index": 1}' % ZERO, "100.0"]
    assert tutti.run(*words, "-o", "y.npy")[:2] == (1, "")
    np.testing.assert_array_equal(load(tutti, "y.npy"), [-100, np.nan, 100])


def test_all_fail(tutti):
    words = ("map", "g.py:inverse", "--errors", "return", "-o", "y.npy")
    status, out, err = tutti.run(*words, lines="0\n0\n")
    assert status == 1
    assert err.startswith("tutti: 2 of 2 tasks failed; task 0 failed: ")
    assert np.isnan(load(tutti, "y.npy")).tolist() == [True, True]


@pytest.mark.parametrize("on", PLACES)
def test_exit_in_a_task(tutti, on):
    (tutti.here / "quits.py").write_text("def f(x):\n    exit(0)\n")
    words = ("map", "quits.py:f", "--range", "2", "-o", "y.npy", "--on", on)
    assert tutti.run(*words) == (
        1, "", "tutti: a task called sys.exit(0): raise an exception\n"
    )
    assert "y.npy" not in tutti.files()


@pytest.mark.parametrize("errors", ["raise", "return"])
def test_worker_that_dies(tutti, errors):
    (tutti.here / "dies.py").write_text(
        "import os\ndef f(x):\n    return x if x < 3 else os._exit(9)\n"
    )
    status, out, err = tutti.run(
        "map", "dies.py:f", "--range", "6", "--on", "processes:2",
        "--errors", errors,
    )
    sentence = r"worker \d+ \(pid \d+\) ended with status 9 while it ran task "
    assert status == 1
    if errors == "raise":
        assert out == ""
        assert re.fullmatch("tutti: " + sentence + r"\d \(argument \d\)\n", err)
    else:
        assert re.fullmatch(
            "0\n1\n2\n" + "".join(
                "WorkerLostError: %s%d\n" % (sentence, i) for i in (3, 4, 5)
            ), out
        )


@pytest.mark.parametrize("errors", ["raise", "return"])
def test_task_out_of_time(tutti, errors):
    status, out, err = tutti.run(
        "map", "g.py:nap", "--range", "2", "--task-timeout", "0.2",
        "--errors", errors,
    )
    assert status == 1
    sentence = r"task [01] took longer than the 0.2 s .*\n"
    if errors == "raise":
        assert out == "" and re.fullmatch("tutti: " + sentence, err)
    else:
        assert re.fullmatch("(TaskTimeoutError: %s){2}" % sentence, out)


LOAD = "cannot be loaded: "


@pytest.mark.parametrize(
    "name, text, function, sentence",
    [
        ("no.py", None, "f", "there is no file no.py: expected FILE.py:NAME"),
        ("a.py", "def score(x): pass", "scor",
         "a.py has no function scor: did you mean score?"),
        ("a.py", "def score(x): pass", "other", "a.py has no function other"),
        ("a.py", "value = 3", "value",
         "a.py: value is a int: expected a function"),
        ("a.py", "import nothing_there", "f",
         "a.py " + LOAD + "ModuleNotFoundError: No module named "
         "'nothing_there'"),
        ("a.py", "raise KeyError", "f", "a.py " + LOAD + "KeyError"),
        ("a.py", "exit(3)", "f", "a.py " + LOAD + "SystemExit: 3"),
        ("a.py", "open('none.txt')", "f",
         "a.py " + LOAD + "FileNotFoundError: [Errno 2] No such file or "
         "directory: 'none.txt'"),
        ("json.py", "def f(x): pass", "f",
         "json.py: json is no name for a file of functions (a module of "
         "Python has it, or it has a dot): rename the file"),
        ("a.b.py", "def f(x): pass", "f",
         "a.b.py: a.b is no name for a file of functions (a module of Python "
         "has it, or it has a dot): rename the file"),
    ],
)
def test_functions_that_are_none(tutti, name, text, function, sentence):
    if text is not None:
        (tutti.here / name).write_text(text + "\n")
    status, out, err = tutti.run(
        "map", "%s:%s" % (name, function), "--range", "2", "-o", "y.txt"
    )
    assert (status, out) == (2, "")
    assert err.splitlines()[-1] == "tutti: " + sentence
    assert (err.count("\n") == 1) == (LOAD not in sentence)
    assert "y.txt" not in tutti.files()


def test_syntax_error(tutti):
    (tutti.here / "a.py").write_text("def f(x):\n    return x +\n")
    status, out, err = tutti.run("map", "a.py:f", "--range", "2")
    assert (status, out) == (2, "")
    assert 'a.py", line 2' in err
    assert err.splitlines()[-1].startswith(
        "tutti: a.py cannot be loaded: SyntaxError: invalid syntax"
    )


def test_imports_from_its_folder(tutti):
    """The file's folder, and not the current one, is first on sys.path."""
    (tutti.here / "deep").mkdir()
    (tutti.here / "deep/helper.py").write_text("ADD = 5\n")
    (tutti.here / "helper.py").write_text("ADD = 7\n")
    (tutti.here / "deep/a.py").write_text(
        "from helper import ADD\ndef f(x):\n    return x + ADD\n"
    )
    assert tutti("map", "deep/a.py:f", "--range", "2") == "5\n6\n"


def test_place_that_is_none(tutti):
    words = ("map", "g.py:square", "--range", "2", "--on", "mars")
    assert tutti.refuses(*words).startswith('unknown place "mars"')


def test_explain_and_trace(tutti):
    status, out, err = tutti.run(
        "map", "g.py:square", "--range", "3", "--explain", "--trace", "t.json",
        "--on", "serial",
    )
    assert (status, out) == (0, "0\n1\n4\n")
    assert err.startswith("3 tasks on serial") and "caller" in err
    json.loads((tutti.here / "t.json").read_text())


PYTHON = ROOT / ".venv/bin/python"


def module(tutti, *words, **options):
    """python -m tutti, as without the command."""
    tutti.program = str(PYTHON)
    return tutti.run("-m", "tutti", *words, **options)


@pytest.mark.parametrize(
    "words, sentence",
    [
        ("", "expected python -m tutti map FILE.py:NAME ..."),
        ("info", "expected python -m tutti map FILE.py:NAME ..."),
        ("map", "the function is missing: expected FILE.py:NAME"),
        ("map f.c:half", "'f.c:half': expected FILE.py:NAME"),
        ("map g.py:square x", "unexpected argument 'x'"),
        ("map g.py:square --zebra", "unknown option --zebra"),
        ("map g.py:square --progress=1", "unknown option --progress=1"),
        ("map g.py:square --on", "--on: its value is missing"),
        ("map g.py:square --range 0",
         "--range 0: expected [FIRST:]LAST[:STEP], at least one number"),
        ("map g.py:square --range 1:2:0",
         "--range 1:2:0: expected [FIRST:]LAST[:STEP], at least one number"),
        ("map g.py:square --range x",
         "--range x: expected [FIRST:]LAST[:STEP], at least one number"),
        ("map g.py:square --range 2 --over x",
         "--range and --over: give one of them"),
        ("map g.py:square --workers 0",
         "--workers 0: expected a whole number from 1 to 1024"),
        ("map g.py:square --task-timeout -1",
         "--task-timeout -1: expected seconds above 0, such as 30 or 0.5"),
        ("map g.py:square --errors maybe",
         "--errors maybe: expected raise|return"),
        ("map g.py:square --over no.txt",
         "no.txt cannot be read: No such file or directory"),
    ],
)
def test_module_refuses(tutti, words, sentence):
    assert module(tutti, *words.split()) == (2, "", "tutti: %s\n" % sentence)


def test_module_maps(tutti):
    words = ("map", "--", "g.py:square")
    assert module(tutti, words[0], "--range=3", *words[1:])[:2] == (
        0, "0\n1\n4\n"
    )
    (tutti.here / "x.npy").write_bytes(b"\x93NUMPY nonsense")
    status, out, err = module(tutti, "map", "g.py:square", "--over", "x.npy")
    assert (status, out) == (2, "")
    assert err.startswith("tutti: x.npy cannot be read: ")
    assert err.count("\n") == 1


def test_without_numpy(tutti):
    (tutti.here / "numpy.py").write_text("raise ImportError\n")
    env = {"PYTHONPATH": str(tutti.here)}
    assert tutti.refuses(
        "map", "g.py:square", "--range", "3", "-o", "y.npy", env=env
    ) == (
        "y.npy: .npy files need NumPy, which %s lacks: install numpy there, "
        "or use lines" % PYTHON
    )
    assert tutti("map", "g.py:square", "--range", "2", env=env) == "0\n1\n"


def test_killed_while_it_writes(tutti):
    """What a signal interrupts leaves no temporary file."""
    (tutti.here / "self.py").write_text(
        "import os, signal\n"
        "class Killer:\n"
        "    def __str__(self):\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "        return 'x'\n"
        "def f(x):\n"
        "    return Killer()\n"
    )
    status, out, err = tutti.run(
        "map", "self.py:f", "--range", "3", "-o", "y.txt", "--on", "serial"
    )
    assert (status, out, err) == (-signal.SIGTERM, "", "")
    assert tutti.files() == {"f.c", "g.py", "slow.c", "self.py"}
    assert os.path.exists(str(tutti.here / "self.py"))
