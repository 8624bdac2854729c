"""tutti.wordcount: what it returns, and what becomes of files that cannot be
counted. tests/cli/test_wordcount.py looks at more of the words themselves."""

import collections
import doctest
import os
import random
import signal
import string
import subprocess
import sys
import threading
import time
import warnings

import pytest

import tutti
from tutti import _wordcount


@pytest.fixture
def book(tmp_path):
    """A file of 9 MB, its runs."""
    draw = random.Random(3)
    runs = ["".join(draw.choices("aAbe.'\xe9-", k=draw.randint(1, 24)))
            for _ in range(500)]
    runs = draw.choices(runs, k=700_000)
    path = tmp_path / "book"
    path.write_text(" ".join(runs), encoding="utf-8")
    return path, runs


def strip(run):
    return run.strip(string.punctuation)


def test_doctest():
    result = doctest.testmod(_wordcount, extraglobs={"tutti": tutti})
    assert result.attempted > 1 and not result.failed


@pytest.mark.parametrize("on", ["auto", "serial", "threads:3"])
def test_same_everywhere(book, on):
    path, runs = book
    words = collections.Counter(filter(None, map(strip, runs)))
    some = words.most_common(40)[-1][0]
    assert tutti.wordcount(None, path, on=on) == len(runs)
    assert tutti.wordcount(some, [path], on=on) == words[some]
    want = sorted(words.items(), key=lambda pair: (-pair[1], pair[0].encode()))
    assert tutti.wordcount(None, path, top=100, on=on) == want[:100]
    folded = [strip(run).translate({65: 97}) for run in runs]
    assert tutti.wordcount("AbA", str(path), on=on, fold=True,
                           workers=2) == folded.count("aba")


def test_what_is_returned(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("a b a")
    two.write_text("a")
    assert tutti.wordcount("a", [one, os.fsencode(two)]) == 3
    assert tutti.wordcount(b"a", (p for p in (one, two)), per_file=True) == {
        str(one): 2, str(two): 1}
    assert list(tutti.wordcount(None, [two, one], per_file=True)) == [
        str(two), str(one)]
    assert tutti.wordcount("a", tmp_path, recursive=True, per_file=True) == {
        str(one): 2, str(two): 1}
    assert tutti.wordcount(None, one, top=5) == [("a", 2), ("b", 1)]


def test_bytes_that_are_no_text(tmp_path):
    path = tmp_path / "latin"
    path.write_bytes("h\xf6r h\xf6r".encode("latin-1"))
    ((word, count),) = tutti.wordcount(None, path, top=1)
    assert (word, count) == ("h\udcf6r", 2)
    assert tutti.wordcount(word, path) == 2
    assert tutti.wordcount("h\xf6r".encode("latin-1"), path) == 2


def test_files_that_cannot_be_counted(tmp_path):
    good, zero = tmp_path / "good", tmp_path / "zero"
    good.write_text("a a")
    zero.write_bytes(b"a\0")
    none = str(tmp_path / "none")
    with pytest.raises(FileNotFoundError) as caught:
        tutti.wordcount("a", [good, none])
    assert caught.value.filename == none
    with pytest.raises(IsADirectoryError, match="recursive=True"):
        tutti.wordcount("a", tmp_path)
    with pytest.raises(ValueError, match="is no text"):
        tutti.wordcount("a", zero)
    with pytest.warns(RuntimeWarning) as told:
        assert tutti.wordcount("a", [none, good, zero, tmp_path],
                               errors="warn") == 2
    assert [str(w.message) for w in told] == [
        "there is no file " + none,
        "%s is no text (a zero is in its first 8 KiB): it is not counted"
        % zero,
        "%s is a directory: ask for recursive to count the files in it"
        % tmp_path,
    ]
    assert told[0].filename == __file__
    with pytest.warns(RuntimeWarning, match="counted once"):
        assert tutti.wordcount("a", [good, good]) == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (tmp_path / "empty").write_text("")
        assert tutti.wordcount("a", tmp_path, recursive=True) == 2


@pytest.mark.parametrize("arguments, more, kind, sentence", [
    ((1, "x"), {}, TypeError, "word must be str, bytes or None, got int"),
    (("a", 1), {}, TypeError, "int"),
    (("a", []), {}, ValueError, "no file to count words in"),
    (("a", "a\0b"), {}, ValueError, "null byte"),
    (("a\0b", "x"), {}, ValueError, "null byte"),
    (("a b", "x"), {}, ValueError, "'a b' has space in it: expected one word"),
    (("--", "x"), {}, ValueError, "'--' is punctuation"),
    ((None, "x"), {"top": 0}, ValueError, "top must be greater than 0"),
    ((None, "x"), {"top": 2, "per_file": True}, ValueError, "give one"),
    (("a", "x"), {"top": 2}, ValueError, "ask for one of them"),
    (("a", "x"), {"errors": "ignore"}, ValueError, "'raise' or 'warn'"),
    (("a", "x"), {"workers": 0}, ValueError, "workers"),
    (("a", "x"), {"workers": 2**32}, ValueError, "workers"),
    (("a", "x"), {"on": None}, TypeError, "on must be the name of a place"),
    (("a", "x"), {"on": "processes"}, tutti.Error, "cannot run this function"),
])
def test_refused(arguments, more, kind, sentence):
    with pytest.raises(kind, match=sentence):
        tutti.wordcount(*arguments, **more)


def test_threads_of_python_go_on(tmp_path):
    """While a pipe is waited for, and several at once."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    found = []
    threads = [threading.Thread(
        target=lambda: found.append(tutti.wordcount("a", pipe)))]
    path = tmp_path / "file"
    path.write_text("a " * 100_000)
    threads += [threading.Thread(
        target=lambda: found.append(tutti.wordcount("a", path)))
        for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads[1:]:
        thread.join()
    pipe.write_text("a a")
    threads[0].join()
    assert found == [100_000] * 3 + [2]


WAITS = """
import sys, tutti
try:
    print("ready", flush=True)
    tutti.wordcount("a", sys.argv[1])
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize("held", [True, False])
def test_interrupt(tmp_path, held):
    """Ctrl-C while a pipe gives nothing, or has no writer yet."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    end = os.open(pipe, os.O_RDWR) if held else None
    with subprocess.Popen([sys.executable, "-c", WAITS, str(pipe)],
                          stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=30)[0] == b"interrupted\n"
    if held:
        os.close(end)
