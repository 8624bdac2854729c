"""What whole commands cost: start-up, the random square, instructions, size."""
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TUTTI = str(ROOT / "build/tutti")
SQUARE = str(ROOT / "examples/random_square.c") + ":random_square"


def outputs(command, copies=1, **options):
    """What each of some copies of a command at once prints, on standard output
    and error alike."""
    command = list(map(str, command))
    children = [subprocess.Popen(command, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT,
                                 universal_newlines=True, **options)
                for _ in range(copies)]
    try:
        texts = [child.communicate(timeout=300)[0] for child in children]
    finally:
        for child in children:
            child.kill()
    for child, text in zip(children, texts):
        if child.returncode:
            raise RuntimeError("%s: status %d: %s" % (
                " ".join(command), child.returncode, text.strip()))
    return texts


def output(*command, **options):
    return outputs(command, **options)[0]


def wall(*command):
    """Seconds from the start of a command to its end."""
    null = os.open(os.devnull, os.O_WRONLY)
    start = time.perf_counter()
    child = os.posix_spawn(command[0], command, os.environ,
                           file_actions=[(os.POSIX_SPAWN_DUP2, null, 1)])
    status = os.waitpid(child, 0)[1]
    taken = time.perf_counter() - start
    os.close(null)
    if status:
        raise RuntimeError("%s: wait status %d" % (" ".join(command), status))
    return taken


def interleaved(ways, pairs, until):
    """Runs of each way (name -> a function that gives seconds), in turn and
    forwards and backwards, until the clock says `until`; at least one."""
    runs = {name: [] for name in ways}
    for i in range(pairs):
        for name in list(ways)[::-1 if i % 2 else 1]:
            runs[name].append(ways[name]())
        if time.monotonic() > until:
            break
    return runs


def starts(folder, until):
    source = folder / "identity.c"
    source.write_text("long identity(long x) { return x; }\n")
    python = sys.executable
    ways = {
        "true": ["/bin/true"],
        "info": [TUTTI, "info"],
        "map": [TUTTI, "map", "%s:identity" % source, "--range", "10"],
        "python": [python, "-c", "pass"],
        "again": [python, "-c", "pass"],
        "import": [python, "-c", "import tutti"],
    }
    for command in ways.values():
        wall(*command)
    return interleaved({name: lambda command=command: wall(*command)
                        for name, command in ways.items()}, 30, until)


def told(text):
    """The seconds of a loop, from its explanation."""
    number, unit = re.search(r": ([\d.]+) (s|ms|us)\b", text).groups()
    return float(number) * {"s": 1, "ms": 1e-3, "us": 1e-6}[unit]


def square(on, seeds, out, copies=1):
    return max(map(told, outputs([TUTTI, "map", SQUARE, "--range", seeds, "-o",
                                  out, "--on", on, "--explain"], copies)))


def squares(folder, seeds, pairs, until):
    """The random square: seconds of the loop on one thread, in two processes
    at once, on two threads; NumPy's seconds for as many seeds, and whether its
    results are equal, or None without NumPy."""
    out = folder / "squares.npy"
    runs = interleaved({
        "plain": lambda: square("serial", seeds, out),
        "again": lambda: square("serial", seeds, out),
        "both": lambda: square("serial", seeds, out, copies=2),
        "threads": lambda: square("threads", seeds, out),
    }, pairs, until)
    try:
        import numpy
    except ImportError:
        return runs, None, None
    some, taken = 10000, []
    for _ in range(5):
        start = time.perf_counter()
        expected = []
        for seed in range(some):
            numpy.random.seed(seed)
            expected.append(numpy.random.randint(0, 10) ** 2)
        taken.append(time.perf_counter() - start)
    equal = numpy.load(out)[:some].tolist() == expected
    out.unlink()
    return runs, statistics.median(taken) * seeds / some, equal


def counted(folder, *words, trace="on"):
    """A run of bench_noop under callgrind: instructions, those of its own
    function noop(), the ranges that it ran."""
    out = folder / "callgrind.out"
    text = output("valgrind", "--quiet", "--tool=callgrind",
                  "--compress-strings=no", "--compress-pos=no",
                  "--callgrind-out-file=%s" % out,
                  ROOT / "build/bench/bench_noop", *words,
                  env=dict(os.environ, TUTTI_TRACE=trace))
    profile = out.read_text()
    out.unlink()
    own = re.search(r"^fn=noop\n\d+ (\d+)$", profile, re.M)
    return (int(re.search(r"^summary: (\d+)", profile, re.M).group(1)),
            int(own.group(1)) if own else 0, int(text))


def task_instructions(folder, on):
    """Instructions of a no-op task above the callee's own, and the tasks of a
    range, which are fewer than without callgrind: ranges go by time. Of three
    runs the median."""
    def once():
        few, few_own, few_ranges = counted(folder, "tasks", on, 1000000)
        many, many_own, ranges = counted(folder, "tasks", on, 3000000)
        return ((many - few - (many_own - few_own)) / 2000000,
                2000000 / max(1, ranges - few_ranges))
    return sorted(once() for _ in range(3))[1]


def range_instructions(folder):
    """What a range costs more when it is traced."""
    on, _, ranges = counted(folder, "ranges", "serial", 500)
    off, _, without = counted(folder, "ranges", "serial", 500, trace="off")
    if ranges != 500 or without != 500:
        raise RuntimeError("500 units ran in %d and %d ranges"
                           % (ranges, without))
    return (on - off) / ranges


def library(folder):
    """Bytes of libtutti without symbols, and the libraries it needs."""
    built = ROOT / "build/src/libtutti.so"
    bare = folder / "libtutti.so"
    output("strip", "-o", bare, built)
    size = bare.stat().st_size
    bare.unlink()
    return size, re.findall(r"NEEDED.*\[(.*)\]", output("readelf", "-d", built))
