"""tutti wordcount: a word, all words, the most frequent ones."""
import collections
import os
import pty
import random
import string
import subprocess
import time

import pytest

TEXT = """The cat, the "dog" (the) don't -- the-end.
_The_ C++ and C; don't!  THE\tthe\x0bthe\x0cthe\r
"""


@pytest.fixture
def text(tutti):
    (tutti.here / "text").write_text(TEXT)
    return tutti.here / "text"


def strip(run):
    return run.strip(string.punctuation)


def told(tutti, *words, status=1, **options):
    """Stdout, and the lines on stderr."""
    was, out, err = tutti.run("wordcount", *words, **options)
    assert was == status
    lines = err.splitlines()
    assert all(line.startswith("tutti: ") for line in lines)
    return out, [line[7:] for line in lines]


@pytest.mark.parametrize("word", [
    "the", "The", "cat", "dog", "don't", "the-end", "end", "C", "absent"])
def test_a_word_is_stripped_of_punctuation(tutti, text, word):
    want = [strip(run) for run in TEXT.split()].count(word)
    assert tutti("wordcount", word, "text") == "%d\n" % want


@pytest.mark.parametrize("word, want", [
    ("C++", 1), ("(the)", 1), ("_The_", 1), ("the,", 0), ("don't!", 1),
    ('"dog', 1)])
def test_punctuation_of_the_word_must_be_there(tutti, text, word, want):
    assert tutti("wordcount", word, "text") == "%d\n" % want


def test_folding(tutti, text):
    words = [strip(run).lower() for run in TEXT.split()]
    assert tutti("wordcount", "tHe", "text", "--fold") == (
        "%d\n" % words.count("the"))
    top = collections.Counter(filter(None, words)).most_common(1)[0]
    assert tutti("wordcount", "--top=1", "--fold", "text") == (
        "%d %s\n" % top[::-1])


def test_all_words_as_wc_counts_them(tutti):
    """Any printable text, of any size."""
    draw = random.Random(1)
    alphabet = "abc.,-' \n\t\x0b\x0c\r"
    names = []
    for i, size in enumerate((0, 1, 63, 64, 65, 4000, 300_000, 9_000_000)):
        names.append("%d.txt" % i)
        (tutti.here / names[-1]).write_text(
            "".join(draw.choices(alphabet, k=min(size, 300_000)))
            * (size // 300_000 or 1))
    names = names[1:]
    wc = subprocess.run(
        ["wc", "-w", *names], cwd=str(tutti.here), stdout=subprocess.PIPE,
        env={**os.environ, "LC_ALL": "C"}, universal_newlines=True, check=True)
    want = [line.split() for line in wc.stdout.splitlines()]
    out = tutti("wordcount", "--all", *names, "--per-file")
    assert [line.split() for line in out.splitlines()] == want
    assert tutti("wordcount", "--all", *names) == want[-1][0] + "\n"
    assert tutti("wordcount", "--all", *names, "--on=serial") == (
        want[-1][0] + "\n")


def test_frequencies(tutti):
    draw = random.Random(2)
    runs = ["".join(draw.choices("abAB.'\xe9", k=draw.randint(1, 40)))
            for _ in range(300)]
    runs = draw.choices(runs, k=200_000)
    (tutti.here / "text").write_text(" ".join(runs))
    counter = collections.Counter(filter(None, map(strip, runs)))
    want = sorted(counter.items(),
                  key=lambda pair: (-pair[1], pair[0].encode()))
    for top in 1, 7, 1000:
        out = tutti("wordcount", "--top", top, "text")
        assert [(word, int(count)) for count, word in
                map(str.split, out.splitlines())] == want[:top]
        assert out == tutti("wordcount", "--top", top, "text", "--on",
                            "threads:3")


def test_a_line_a_file(tutti, text):
    (tutti.here / "other").write_text("the")
    assert tutti("wordcount", "the", "--per-file", "text", "other") == (
        "5 text\n1 other\n6 total\n")
    assert tutti("wordcount", "the", "--per-file", "other") == "1 other\n"


def test_standard_input(tutti, text):
    assert tutti("wordcount", "the", lines=TEXT) == "5\n"
    assert tutti("wordcount", "--all", "-", "text", "--per-file",
                 lines="a b") == " 2 -\n17 text\n19 total\n"
    with open(text) as file:
        file.seek(TEXT.index("dog"))
        assert tutti("wordcount", "--all", stdin=file) == "14\n"
    out, lines = told(tutti, "the", "-", preexec_fn=lambda: os.close(0))
    assert (out, lines) == (
        "0\n", ["standard input cannot be read: Bad file descriptor"])


def test_files_that_are_not_counted_are_told(tutti, text):
    (tutti.here / "empty").write_text("")
    (tutti.here / "zero").write_bytes(b"the\0the")
    (tutti.here / "folder").mkdir()
    (tutti.here / "loop").symlink_to("loop")
    out, lines = told(tutti, "the", "none", "text", "empty", "zero", "folder",
                      "loop", "./text", "a\nb")
    assert out == "5\n"
    assert lines == [
        "there is no file none",
        "empty is empty",
        "zero is no text (a zero is in its first 8 KiB): it is not counted",
        "folder is a directory: --recursive counts the files in it",
        "loop cannot be read: Too many levels of symbolic links",
        "./text was given before, maybe by another name: it is counted once",
        "there is no file a?b",
    ]
    assert told(tutti, "the", "text", "empty", status=0) == (
        "5\n", ["empty is empty"])


def test_unreadable(tutti, text):
    text.chmod(0)
    nobody = {}
    if os.geteuid() == 0:
        for path in [tutti.here, *tutti.here.parents][:4]:
            path.chmod(path.stat().st_mode | 0o055)
        nobody["preexec_fn"] = lambda: os.setuid(65534)
    try:
        out, lines = told(tutti, "the", "text", **nobody)
    except PermissionError:
        pytest.skip("the build is in a folder that others cannot enter")
    assert (out, lines) == ("0\n", ["text cannot be read: Permission denied"])


def test_recursive(tutti):
    tree = tutti.here / "tree"
    (tree / "b" / "c").mkdir(parents=True)
    (tree / "a").write_text("the")
    (tree / "b" / "c" / "x").write_text("the the")
    (tree / "empty").write_text("")
    (tree / "b" / "up").symlink_to("..")
    os.mkfifo(tree / "pipe")
    assert tutti("wordcount", "the", "-r", "tree", "--per-file") == (
        "1 tree/a\n2 tree/b/c/x\n0 tree/empty\n3 total\n")
    (tree / "p.png").write_bytes(b"\0")
    assert told(tutti, "the", "tree", "--recursive", status=0) == ("3\n", [
        "tree/p.png is no text (a zero is in its first 8 KiB): it is not "
        "counted"])
    (tree / "q.png").write_bytes(b"\0")
    assert told(tutti, "the", "tree", "--recursive", status=0) == ("3\n", [
        "2 files that were found are no text, and not counted: the first is "
        "tree/p.png"])
    assert told(tutti, "the", "tree", "tree/a", "--recursive")[1][0] == (
        "tree/a was given before, maybe by another name: it is counted once")


@pytest.mark.parametrize("words, sentence", [
    ("", "the word is missing: expected tutti wordcount WORD FILE..., or "
     "--all or --top K in its stead"),
    ("text", "text is a file, and the only argument: give the WORD before it, "
     "or --all; or - behind it, for standard input"),
    ("--all --top 3 text", "--all and --top: give one of them"),
    ("--per-file --top 3 text", "--per-file and --top: give one of them"),
    ("--top 0 text",
     "--top 0: expected a whole number from 1 to 1073741824"),
    ("-- -- text", "'--' is punctuation: expected a word with another byte in "
     "it"),
    ("the text --on processes", None),
    ("the text --on=nowhere", None),
])
def test_refused(tutti, text, words, sentence):
    said = tutti.refuses("wordcount", *words.split())
    assert said == sentence or sentence is None


def test_a_word_with_space(tutti, text):
    assert tutti.refuses("wordcount", "of the", "text") == (
        "'of the' has space in it: expected one word")
    assert tutti.refuses("wordcount", "", "text") == (
        "a word of 0 bytes: expected 1 to 65536")


def test_a_terminal_is_not_read_unasked(tutti):
    leader, terminal = pty.openpty()
    try:
        sentence = tutti.refuses("wordcount", "the", stdin=terminal)
    finally:
        os.close(leader)
        os.close(terminal)
    assert sentence == (
        "no FILE is given: expected one or more; - is standard input")


def test_full_standard_output(tutti, text):
    with open("/dev/full", "w") as full:
        assert tutti.run("wordcount", "the", "text", stdout=full)[0] == 2


def test_interrupt(tutti):
    """While a pipe is waited for."""
    os.mkfifo(tutti.here / "pipe")
    with tutti.start("wordcount", "the", "pipe") as process:
        time.sleep(0.2)
        process.send_signal(2)
        assert process.wait(20) == -2
