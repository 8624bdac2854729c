"""Options, help, what is refused before anything runs."""
import os
import pty
import re
import runpy

import pytest

from .conftest import ROOT


COMMANDS = "map", "expect", "wordcount", "info"


def options_of(text):
    return set(re.findall(r"(?<![\w-])--[a-z-]+", text))


def test_version(tutti):
    assert re.fullmatch(r"tutti \d+\.\d+\.\d+\n", tutti("--version"))


def test_help(tutti):
    assert tutti("--help") == tutti("help") == tutti("-h")
    assert tutti("--help").startswith("usage: tutti COMMAND ...\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command(tutti, command):
    text = tutti("help", command)
    assert text == tutti(command, "--help") == tutti(command, "-h")
    assert text.startswith("usage: tutti %s " % command)
    assert max(map(len, text.splitlines())) <= 80


def test_nothing_asked(tutti):
    status, out, err = tutti.run()
    assert (status, out) == (2, "")
    assert err.endswith(
        "tutti: a command is missing: tutti map, tutti expect, "
        "tutti wordcount or tutti info\n"
    )


def test_man_page_names_each_option(tutti):
    page = (ROOT / "docs/tutti.1").read_text()
    page = re.sub(r"\\f[BIR]", "", page).replace("\\-", "-")
    for command in COMMANDS:
        assert command in page
        assert options_of(tutti("help", command)) <= options_of(page)
    there = options_of("".join(tutti("help", c) for c in COMMANDS))
    assert options_of(page) == there | {"--version"}


def test_python_side_has_the_same_options(tutti):
    path = ROOT / "python/tutti/_command/options.py"
    there = runpy.run_path(str(path))["OPTIONS"]
    only_c = {"--width", "--signature", "--help"}
    assert options_of(tutti("help", "map")) == set(there) | only_c


@pytest.mark.parametrize(
    "words, sentence",
    [
        ("mpa", "unknown command 'mpa': did you mean map?"),
        ("xyzzy", "unknown command 'xyzzy': tutti --help lists what there is"),
        ("help mop", "unknown command 'mop': did you mean map?"),
        ("help map x", "unexpected argument 'x': tutti help takes one command"),
        ("info x",
         "unexpected argument 'x': tutti --help tells what goes where"),
        ("info --wide", "unknown option --wide: --help lists what there "
         "is"),
        ("map", "the function is missing: expected tutti map FILE.c:NAME ...; "
         "tutti help map tells all"),
        ("map f.c:half f.c:sum",
         "unexpected argument 'f.c:sum' beside 'f.c:half': one is enough"),
        ("map f.c:half --rnage 3",
         "unknown option --rnage: did you mean --range?"),
        ("map f.c:half --progess",
         "unknown option --progess: did you mean --progress?"),
        ("map f.c:half --zebra 3",
         "unknown option --zebra: --help lists what there is"),
        ("map f.c:half --zebra=3",
         "unknown option --zebra=3: --help lists what there is"),
        ("map f.c:half -x",
         "unknown option -x: --help lists what there is"),
        ("map f.c:half --progress=yes",
         "--progress=yes: --progress takes no value"),
        ("map f.c:half --range 3 --range 3",
         "--range is given twice: once is enough"),
        ("map f.c:half --range",
         "--range: its value is missing: expected --range "
         "[FIRST:]LAST[:STEP]"),
        ("map f.c:half --on=", "--on: the value is empty: expected PLACE"),
        ("map f.c --range 3",
         "'f.c': expected FILE.c:NAME, LIB.so:NAME or FILE.py:NAME"),
        ("map f.c: --range 3",
         "'f.c:': expected FILE.c:NAME, LIB.so:NAME or FILE.py:NAME"),
        ("map half --range 3",
         "'half': expected FILE.c:NAME, LIB.so:NAME or FILE.py:NAME"),
        ("map f.rs:half --range 3",
         "'f.rs:half': expected FILE.c:NAME, LIB.so:NAME or FILE.py:NAME"),
        ("map f.c:half --range 3 --over x.npy",
         "--range and --over: give one of them"),
        ("map f.c:half --range 3 --workers 0",
         "--workers 0: expected a whole number from 1 to 1024"),
        ("map f.c:half --range 3 --workers 1025",
         "--workers 1025: expected a whole number from 1 to 1024"),
        ("map f.c:half --range 3 --workers 99999999999999999999",
         "--workers 99999999999999999999: expected a whole number from 1 to "
         "1024"),
        ("map f.c:half --range 3 --workers two",
         "--workers two: expected a whole number from 1 to 1024"),
        ("map f.c:twice --range 3 --width 0",
         "--width 0: expected a whole number from 1 to 2147483647"),
        ("map f.c:twice --range 3 --width 2147483648",
         "--width 2147483648: expected a whole number from 1 to 2147483647"),
        ("map g.py:square --range 3 --width 2",
         "--width is for C functions that fill a row: a Python function "
         "returns what it likes"),
        ("map g.py:square --range 3 --task-timeout 0",
         "--task-timeout 0: expected seconds above 0, such as 30 or 0.5"),
        ("map g.py:square --range 3 --task-timeout inf",
         "--task-timeout inf: expected seconds above 0, such as 30 or 0.5"),
        ("map f.c:half --range 3 --errors ignore",
         "--errors ignore: expected raise|return"),
        ("map f.c:half --range 3 --signature x",
         "--signature is for LIB.so:NAME: f.c:half tells its own"),
        ("map libm.so.6:cbrt --range 3",
         "libm.so.6:cbrt: its signature is missing: expected --signature, "
         "such as --signature 'double f(double x)'"),
    ],
)
def test_refused(tutti, words, sentence):
    assert tutti.refuses(*words.split()) == sentence


@pytest.mark.parametrize(
    "text, numbers",
    [
        ("5", range(5)),
        ("2:5", range(2, 5)),
        ("0:10:3", range(0, 10, 3)),
        ("0:9:3", range(0, 9, 3)),
        ("-3:2", range(-3, 2)),
        ("5:-5:-4", range(5, -5, -4)),
        ("+1:+4", range(1, 4)),
        ("3037000498:3037000500", range(3037000498, 3037000500)),
    ],
)
def test_range(tutti, text, numbers):
    expected = "".join("%d\n" % (x * x) for x in numbers)
    assert tutti("map", "f.c:square", "--range", text) == expected
    assert tutti("map", "g.py:square", "--range=" + text) == expected


LIMIT = 9223372036854775807


def test_range_at_the_limits(tutti):
    out = tutti("map", "g.py:square", "--range", "%d:%d:2" % (LIMIT - 3, LIMIT))
    assert out == "%d\n%d\n" % ((LIMIT - 3) ** 2, (LIMIT - 1) ** 2)


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("0", "no numbers from 0 to 0 in steps of 1 (LAST is not included): "
         "give a range with at least one"),
        ("-5", "no numbers from 0 to -5 in steps of 1 (LAST is not included): "
         "give a range with at least one"),
        ("1:2:-1", "no numbers from 1 to 2 in steps of -1 (LAST is not "
         "included): give a range with at least one"),
        ("1:9:0", "the step is 0: give another"),
        ("9223372036854775807",
         "9223372036854775807 numbers: expected at most 2^48"),
        ("-9223372036854775808:9223372036854775807",
         "18446744073709551615 numbers: expected at most 2^48"),
    ],
)
def test_range_without_numbers(tutti, text, sentence):
    assert tutti.refuses("map", "f.c:square", "--range", text) == (
        "--range %s: %s" % (text, sentence)
    )


@pytest.mark.parametrize(
    "text", ["x", "1.5", "1e6", ":5", "1:", "1::2", "1:2:3:4", " 5", "5 ",
             "9223372036854775808", "--over"]
)
def test_range_that_is_none(tutti, text):
    assert tutti.refuses("map", "f.c:square", "--range", text) == (
        "--range %s: expected [FIRST:]LAST[:STEP], whole numbers below 2^63, "
        "such as 1000, 1:1001 or 0:1000:2" % text
    )


def test_forms_of_options(tutti):
    tutti("map", "-oa.txt", "--range=3", "--workers", "1", "--", "f.c:square")
    assert (tutti.here / "a.txt").read_text() == "0\n1\n4\n"


def test_nothing_to_map_over(tutti):
    leader, terminal = pty.openpty()
    try:
        sentence = tutti.refuses("map", "f.c:half", stdin=terminal)
    finally:
        os.close(leader)
        os.close(terminal)
    assert sentence == (
        "what to map over is missing: expected --range, --over FILE, or lines "
        "on standard input"
    )


def test_control_characters_stay_out_of_the_sentence(tutti):
    assert tutti.refuses("a\nb\x1b[2J") == (
        "unknown command 'a?b?[2J': tutti --help lists what there is"
    )


def test_full_standard_output(tutti):
    with open("/dev/full", "w") as full:
        status, _, err = tutti.run("--help", stdout=full)
        assert status == 2
        assert err == (
            "tutti: standard output: writing failed (No space left on "
            "device)\n"
        )
    for function in ("f.c:half", "g.py:square"):
        with open("/dev/full", "w") as full:
            words = ("map", function, "--range", "3")
            status, _, err = tutti.run(*words, stdout=full)
        assert status == 2
        assert err == (
            "tutti: standard output: writing failed (No space left on "
            "device): free some space or write elsewhere\n"
        )


@pytest.mark.parametrize("function", ["f.c:square", "g.py:square"])
def test_closed_streams(tutti, function):
    """What is closed is not mistaken for a file that is opened later."""
    words = ("map", function, "--range", "3")
    status, out, err = tutti.run(*words, preexec_fn=lambda: os.close(1))
    assert (status, err) == (
        2, "tutti: standard output: writing failed (Bad file descriptor): "
        "free some space or write elsewhere\n",
    )
    words += ("-o", "y.txt")
    assert tutti.run(*words, preexec_fn=lambda: os.closerange(0, 3))[0] == 0
    assert (tutti.here / "y.txt").read_text() == "0\n1\n4\n"
    status, out, err = tutti.run(
        "map", "f.c:half", preexec_fn=lambda: os.close(0)
    )
    assert (status, err) == (2, "tutti: standard input: Bad file descriptor\n")
