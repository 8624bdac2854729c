"""T11: documents, a word, and its count: map and reduce.

A collection of documents is scattered, each process counts a word in its own,
the counts are reduced to a total. As the text has it, with a Python function
over documents; then tutti.wordcount, which cuts the files by bytes, wherever
that may be, and gives the same total. Documents are the licences that Debian
has; made ones where there are none.

    python t11_word_count.py [WORD [COPIES]]        (the, 40: of each document)
"""

import pathlib
import random
import string
import sys
import tempfile
import time

import tutti

LICENCES = pathlib.Path("/usr/share/common-licenses")
PUNCTUATION = string.punctuation.encode()


def documents():
    """The bytes of each."""
    found = [path.read_bytes() for path in sorted(LICENCES.glob("*"))
             if path.is_file() and not path.is_symlink()]
    draw = random.Random(11)
    return found or [
        " ".join(draw.choices(["the", "(the)", "end,", "of", "a\n"], k=3000))
        .encode() for _ in range(12)]


def count(path, word):
    """What each process does with a document."""
    return [run.strip(PUNCTUATION)
            for run in path.read_bytes().split()].count(word)


def timed(name, run):
    """The result, and the seconds of the fastest of three runs."""
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        result = run()
        best = min(best, time.perf_counter() - start)
    print("%-38s %9d in %8.2f ms" % (name, result, best * 1e3))
    return result, best


if __name__ == "__main__":
    word = sys.argv[1] if len(sys.argv) > 1 else "the"
    copies = int(sys.argv[2]) if len(sys.argv) > 2 else 40
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for i, text in enumerate(documents()):
            paths.append(pathlib.Path(folder, "document%02d" % i))
            paths[-1].write_bytes(text * copies)
        print("%d documents, %.1f MB" % (
            len(paths), sum(path.stat().st_size for path in paths) / 1e6))

        key = word.encode()
        mapped, _ = timed(
            "'%s': a Python function, mapped" % word,
            lambda: sum(tutti.map(lambda path: count(path, key), paths)))
        counted, _ = timed("'%s': tutti.wordcount" % word,
                           lambda: tutti.wordcount(word, paths))
        assert counted == mapped
        for workers in 1, 2, 3:
            assert tutti.wordcount(word, paths, workers=workers) == counted
        assert sum(tutti.wordcount(word, paths, per_file=True).values()) == (
            counted)

        texts = [path.read_bytes() for path in paths]
        split, slow = timed("all words: len(text.split())",
                            lambda: sum(len(text.split()) for text in texts))
        words, fast = timed("all words: tutti.wordcount, from files",
                            lambda: tutti.wordcount(None, paths))
        assert words == split
        print("times faster: %.0f" % (slow / fast))
        print("most frequent:", ", ".join(
            "%s %d" % pair for pair in tutti.wordcount(
                None, paths, top=5, fold=True)))
