"""Words of files, from the page cache: tutti beside GNU wc, grep, ripgrep and
Python, runs in turn, medians.

    .venv/bin/python bench/wordcount.py [MB [ROUNDS [FILE]...]]    (200, 15)

Without FILE the text is made: the words of the licences that Debian has, and
90,000 others that come as rarely as those of a language. Peers that are not
there are left out."""

import collections
import itertools
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import tutti
from commands import TUTTI, wall

C_LOCALE = {**os.environ, "LC_ALL": "C"}


def made_text(size):
    draw = random.Random(1)
    real = b"".join(
        path.read_bytes()
        for path in sorted(pathlib.Path("/usr/share/common-licenses").glob("*"))
    ).split() or [b"the"]
    rare = [bytes(draw.choices(b"abcdefghijklmnopqrstuvwxyz",
                               k=draw.randint(3, 12))) for _ in range(90_000)]
    weights = list(itertools.accumulate(1 / (i + 10) for i in range(90_000)))
    words = itertools.chain.from_iterable(
        zip(itertools.cycle(real), draw.choices(rare, cum_weights=weights,
                                                k=1_500_000)))
    text = b"".join(word + (b"\n" if i % 12 == 11 else b" ")
                    for i, word in enumerate(words))
    return text * (size * 1_000_000 // len(text) + 1)


def small_files(folder, text, count=1000):
    """The start of a text as many files, of a few KB to some 100."""
    names, at = [], 0
    for i in range(count):
        size = 2_000 + i * i % 100_000
        names.append(os.path.join(folder, "%d.txt" % i))
        pathlib.Path(names[-1]).write_bytes(text[at:at + size])
        at = (at + size) % max(len(text) - 110_000, 1)
    return names


def ran(*command):
    """Seconds of a command in the C locale, the lines that it writes counted:
    grep does nothing for /dev/null."""
    def run():
        start = time.perf_counter()
        with subprocess.Popen(command, env=C_LOCALE,
                              stdout=subprocess.PIPE) as process:
            subprocess.run(["wc", "-l"], stdin=process.stdout,
                           stdout=subprocess.DEVNULL, check=True)
        return time.perf_counter() - start

    return run


def timed(f):
    def run():
        start = time.perf_counter()
        f()
        return time.perf_counter() - start

    return run


def compare(title, size, ways, rounds, goals):
    """Rows of a table: the first way is tutti's. goals: name -> ratio."""
    seconds = {name: [] for name in ways}
    for i in range(rounds):
        for name in list(ways)[::-1 if i % 2 else 1]:
            seconds[name].append(ways[name]())
    ours = next(iter(seconds.values()))
    print("\n%-36s %10s %12s %9s %9s" % (
        "%s, %.0f MB" % (title, size / 1e6), "median", "", "ratio", "of bests"))
    for name, taken in seconds.items():
        median = statistics.median(taken)
        ratio = median / statistics.median(ours)
        print("  %-34s %7.2f ms %7.2f GB/s %8.1fx %8.1fx%s" % (
            name, median * 1e3, size / median / 1e9, ratio,
            min(taken) / min(ours), "" if name not in goals else
            "  wanted %dx: %s" % (goals[name],
                                  "yes" if ratio >= goals[name] else "NO")))


def main(megabytes=200, rounds=15, *files):
    megabytes, rounds = int(megabytes), int(rounds)
    with tempfile.TemporaryDirectory() as folder:
        files = list(files)
        if not files:
            files = [os.path.join(folder, "text")]
            pathlib.Path(files[0]).write_bytes(made_text(megabytes))
        text = b"".join(pathlib.Path(name).read_bytes() for name in files)
        decoded = text.decode("utf-8", "replace")
        assert tutti.wordcount(None, files) == len(text.split())
        slow = max(3, rounds // 5)

        compare("all words, commands", len(text), {
            "tutti wordcount --all": lambda: wall(
                TUTTI, "wordcount", "--all", *files),
            "tutti wordcount --all --on serial": lambda: wall(
                TUTTI, "wordcount", "--all", "--on", "serial", *files),
            "LC_ALL=C wc -w": ran("wc", "-w", *files),
        }, rounds, {"LC_ALL=C wc -w": 20})

        ways = {"tutti wordcount the": lambda: wall(
            TUTTI, "wordcount", "the", *files)}
        if shutil.which("rg"):
            ways["rg -ow the"] = ran("rg", "-ow", "the", *files)
        if shutil.which("grep"):
            ways["grep -ow the"] = ran("grep", "-ow", "the", *files)
        compare("one word, commands", len(text), ways, slow, {})

        compare("all words, Python", len(text), {
            "tutti.wordcount": timed(lambda: tutti.wordcount(None, files)),
            "len(text.split()), bytes": timed(lambda: len(text.split())),
            "len(text.split()), str": timed(lambda: len(decoded.split())),
        }, slow, {"len(text.split()), bytes": 100,
                  "len(text.split()), str": 100})

        compare("frequencies, Python", len(text), {
            "tutti.wordcount(top=10)": timed(
                lambda: tutti.wordcount(None, files, top=10)),
            "Counter(text.split()), bytes": timed(
                lambda: collections.Counter(text.split()).most_common(10)),
        }, 3, {"Counter(text.split()), bytes": 8})

        names = small_files(folder, text)
        compare("all words, 1,000 files",
                sum(map(os.path.getsize, names)), {
                    "tutti wordcount --all": lambda: wall(
                        TUTTI, "wordcount", "--all", *names),
                    "LC_ALL=C wc -w": ran("wc", "-w", *names),
                }, rounds, {"LC_ALL=C wc -w": 20})


if __name__ == "__main__":
    main(*sys.argv[1:])
