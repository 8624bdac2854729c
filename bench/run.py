"""Measures tutti against its goals; one JSON file a run, and a table.

    .venv/bin/python bench/run.py [--quick] [--only NAME]... [--out FOLDER]

Medians of interleaved pairs; the noise (the same code twice) is printed beside;
a cell that fails is measured again and counts if it fails three of three. The
machine must be idle.
"""
import argparse
import json
import os
import pathlib
import platform
import re
import statistics
import signal
import subprocess
import sys
import time

import cells
import commands
import payload
from cells import seconds, within

ROOT = commands.ROOT
LOOPS = str(pathlib.Path(__file__).with_name("loops.py"))
C_TASKS = 50e-9, 500e-9, 5e-6, 50e-6, 500e-6, 10e-3
PY_TASKS = (50e-9, 100e-9) + C_TASKS[1:]


class Run:
    """What is asked for, and what came out."""

    def __init__(self, options):
        self.quick = options.quick
        self.pairs = 9 if self.quick else 15
        self.folder = pathlib.Path(options.out)
        self.rows = []
        self.data = {}
        self.start = time.monotonic()
        self.scale = options.minutes / 54
        self.end = self.start + (260 if self.quick else 60 * options.minutes)

    def until(self, full, quick):
        return min(self.end,
                   time.monotonic()
                   + (quick if self.quick else full * self.scale))

    def row(self, what, wanted, measured, passed):
        self.rows.append({"what": what, "wanted": wanted,
                          "measured": measured, "pass": passed})

    def left_out(self, what, count):
        if count:
            self.row(what, "all cells", "%d left out: no time" % count, False)


def tell(text):
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K" + text)
        sys.stderr.flush()


def regret_row(run, what, measured, figure, text, part, worst):
    got, most, words = within(measured, figure)
    run.row(what, text, words,
            None if got is None else got >= part and most <= worst)


def noise_row(run, what, measured):
    run.row(what, "(noise)", within(measured, "again", "first")[2], None)


# C loops ---------------------------------------------------------------------

def judge_c(runs):
    figures = {way: (cells.excess(runs, way), 0.02)
               for way in ("auto", "threads")}
    figures["again"] = cells.excess(runs, "again"), 0.02
    if cells.ratio(runs, "openmp", "plain") >= 1.1:
        for way in "auto", "threads":
            figures[way + " / openmp"] = (
                cells.excess(runs, way, "openmp", 0), 1 / 0.97 - 1)
    return figures


def regret_c(run):
    grid = cells.grid(C_TASKS, 0.02 if run.quick else 1)
    with cells.Program(str(ROOT / "build/bench/bench_loops")) as program:
        done, left = cells.measure_all(
            grid, lambda *cell: program.ask(*cell, run.pairs), judge_c,
            run.until(1020, 45), tell, beside=("again",))
    for way in "auto", "threads":
        regret_row(run, "regret, C, " + way, done, way,
                   "99 % within 2 % + 20 us, worst 5 %", 0.99, 0.05)
    noise_row(run, "  plain loop against itself", done)
    for way in "auto", "threads":
        regret_row(run, "C, time above OpenMP's best where that wins, " + way,
                   done, way + " / openmp",
                   "95 % within 3.1 % (0.97), worst 11.1 % (0.9)", 0.95,
                   1 / 0.9 - 1)
        run.row("  of these, loops from 1 ms on", "(same measure)",
                within([cell for cell in done
                        if cell["seconds"]["plain"] >= 1e-3],
                       way + " / openmp")[2], None)
    run.left_out("C loops", left)
    run.data["c"] = done


def speed_c(run):
    """Uniform loops that should be shared, and empty ones."""
    def judge(runs):
        return {way: (1 / cells.ratio(runs, way, "plain"), 1 / 1.85)
                for way in ("auto", "threads", "openmp")}

    def judge_few(runs):
        return {"auto": (1 / cells.ratio(runs, "auto", "openmp"), 1.05)}

    works = [(10e-6, n, 0) for n in (1000, 2000, 10000, 100000)]
    with cells.Program(str(ROOT / "build/bench/bench_loops")) as program:
        def ask(*cell):
            return program.ask(*cell, run.pairs)
        until = run.until(240, 20)
        done, left = cells.measure_all(works[:3 if run.quick else 4], ask,
                                       judge, until, tell,
                                       beside=("threads", "openmp"))
        few, left_few = cells.measure_all([(10e-3, 2, 0), (10e-3, 10, 0)], ask,
                                          judge_few, until, tell)
        empty = [dict({"n": n}, **cells.measure(
            lambda n=n: ask(0, n, 0), lambda runs: {})) for n in (2, 1000)]
    for cell in done:
        work = cell["task"] * cell["n"]
        speeds = tuple(1 / cell["figures"][way]["value"]
                       for way in ("auto", "threads", "openmp"))
        run.row("speed-up, C, %s of work" % seconds(work),
                ">= 1.85" if work >= 0.0199 else "(no goal)",
                "auto %.2f, threads %.2f, OpenMP %.2f" % speeds,
                speeds[0] >= 1.85 if work >= 0.0199 else None)
    for cell in few:
        t, over = cell["seconds"], cell["figures"]["auto"]["value"]
        run.row("C, %d x 10 ms" % cell["n"], "within 5 % of OpenMP",
                "%+.1f %%: %s, OpenMP %s" % (
                    100 * (over - 1), seconds(t["auto"]), seconds(t["openmp"])),
                over <= 1.05)
    for cell in empty:
        t = cell["seconds"]
        run.row("C, empty loop of %d" % cell["n"], "(libgomp's)",
                "auto %s, threads %s, libgomp %s, plain %s" % tuple(
                    seconds(t[w]) for w in
                    ("auto", "threads", "openmp", "plain")), None)
    run.left_out("speed-up in C", left + left_few)
    run.data["speed"] = done + few + empty


# Python ----------------------------------------------------------------------

PEERS = "Pool", "Executor", "joblib"


def judge_python(runs):
    small = runs["task"] < 100e-9
    goal = 0.08 if small else 0.02
    figures = {way: (cells.excess(runs, way), goal)
               for way in ("again",) + PEERS if way in runs}
    figures["auto, small" if small else "auto"] = (
        cells.excess(runs, "auto"), goal)
    return figures


def regret_python(run):
    grid = [cell for cell in cells.grid(PY_TASKS, 0.02 if run.quick else 1)
            if cell[0] > 150e-9 or cell[2] == 0]  # others have no shape

    def ask(task, n, shape):
        peers = shape == 0 and n in (10, 100, 1000)
        return program.ask(task, n, shape, run.pairs, int(peers))

    with cells.Program(sys.executable, LOOPS) as program:
        done, left = cells.measure_all(grid, ask, judge_python,
                                       run.until(720, 40), tell,
                                       beside=("again",) + PEERS)
    regret_row(run, "regret, Python, auto, tasks >= 100 ns", done, "auto",
               "99 % within 2 % + 20 us, worst 5 %", 0.99, 0.05)
    regret_row(run, "regret, Python, auto, tasks < 100 ns", done, "auto, small",
               "within 8 % + 20 us", 1, 0.08)
    noise_row(run, "  list comprehension against itself", done)
    peered = cells.having(done, PEERS[0])
    for figure in ("auto, small", "auto") + PEERS:
        run.row("  on the cells of the peers: " + figure, "(same measure)",
                within(peered, figure)[2], None)
    run.left_out("Python loops", left)
    run.data["python"] = done


def regret_payload(run):
    done, left = payload.measure_all(
        run.quick, run.pairs, run.until(900, 90),
        lambda cell: tell(payload.line(cell)))
    small = [cell for cell in done if cell["task"] < 100e-9]
    regret_row(run, "regret, Python with arrays, auto, tasks >= 100 ns",
               [cell for cell in done if cell not in small], "auto",
               "99 % within 2 % + 20 us, worst 5 %", 0.99, 0.05)
    regret_row(run, "regret, Python with arrays, auto, tasks < 100 ns", small,
               "auto", "within 8 % + 20 us", 1, 0.08)
    noise_row(run, "  list comprehension against itself", done)
    run.left_out("Python loops with arrays", left)
    run.data["payload"] = done


def beside_noise(speed, t):
    """A speed-up, what two copies of the plain loop at once would give, and the
    plain loop against itself."""
    return "%.2f; machine's limit %.2f; noise %+.1f %%" % (
        speed, 2 * t["plain"] / t["both"], 100 * (t["again"] / t["plain"] - 1))


def once(way, turns, n, copies=1):
    """Seconds of a map in a fresh interpreter; of the slowest of some at once.
    """
    return max(map(float, commands.outputs(
        [sys.executable, LOOPS, "once", way, turns, n], copies)))


def cold(run):
    """Fresh interpreters: 0.5 s and 2 s of work in tasks of 1 ms; sleeps."""
    turns = round(1e-3 / float(
        commands.output(sys.executable, LOOPS, "turn")))
    until = run.until(180, 25)
    for n, wanted in ((500, 1.5), (2000, 1.8))[:1 if run.quick else 2]:
        def ask():
            tell("cold, %d x 1 ms" % n)
            return commands.interleaved({
                "plain": lambda: once("plain", turns, n),
                "again": lambda: once("plain", turns, n),
                "both": lambda: once("plain", turns, n, copies=2),
                "auto": lambda: once("auto", turns, n),
            }, 5 if run.quick else 15, until)
        cell = cells.measure(ask, lambda runs: {
            "auto": (1 / cells.ratio(runs, "auto", "plain"), 1 / wanted)},
            until)
        speed = 1 / cell["figures"]["auto"]["value"]
        run.row("speed-up, Python, %s of work, cold" % seconds(n * 1e-3),
                ">= %.1f" % wanted, beside_noise(speed, cell["seconds"]),
                speed >= wanted)
        run.data["cold %d" % n] = cell
    tell("ten sleeps")
    runs = commands.interleaved({"auto": lambda: once("auto", 0, 10)},
                                1 if run.quick else 15, until)
    taken = statistics.median(runs["auto"])
    run.row("ten sleeps of one second", "<= 1.3 s",
            "%.2f s, %d runs" % (taken, len(runs["auto"])), taken <= 1.3)
    run.data["sleeps"] = runs


# Commands --------------------------------------------------------------------

def starts(run):
    def judge(runs):
        middle = {way: statistics.median(taken) for way, taken in runs.items()}
        return {
            "info": (middle["info"], 10e-3), "map": (middle["map"], 20e-3),
            "import": (statistics.median(
                a - b for a, b in zip(runs["import"], runs["python"])), 8e-3)}

    tell("commands")
    until = run.until(60, 6)
    cell = cells.measure(lambda: commands.starts(run.folder, until), judge,
                         until)
    for name, what in (("info", "tutti info"),
                       ("map", "warm tutti map f.c:f on 10 items"),
                       ("import", "import tutti above bare Python")):
        figure = cell["figures"][name]
        run.row(what, "<= %s" % seconds(figure["goal"]),
                seconds(figure["value"]), figure["value"] <= figure["goal"])
    t = cell["seconds"]
    run.row("  beside", "(noise)", "/bin/true %s, python %s and %s" % tuple(
        seconds(t[way]) for way in ("true", "python", "again")), None)
    run.data["starts"] = cell


def squares(run):
    seeds = 1000000 if run.quick else 10000000
    numpy = []

    def ask():
        tell("random square")
        runs, *numpy[:] = commands.squares(run.folder, seeds, run.pairs,
                                           until)
        return runs

    until = run.until(90, 8)
    cell = cells.measure(ask, lambda runs: {
        "threads": (1 / cells.ratio(runs, "threads", "plain"), 1 / 1.85)},
        until)
    speed, t = 1 / cell["figures"]["threads"]["value"], cell["seconds"]
    taken, equal = numpy
    if taken is None:
        run.row("random square, one core", "as NumPy", "NumPy is absent", None)
    else:
        run.row("random square, one core", ">= 100x NumPy's loop, its bits",
                "%.0fx, %s; %s for %d seeds" % (
                    taken / t["plain"], "equal" if equal else "NOT EQUAL",
                    seconds(t["plain"]), seeds),
                equal and taken >= 100 * t["plain"])
    run.row("random square, two cores above one", ">= 1.85",
            beside_noise(speed, t), speed >= 1.85)
    run.data["squares"] = dict(cell, numpy=taken, seeds=seeds)


def instructions(run):
    for on in "serial", "threads":
        tell("instructions, " + on)
        count, tasks = commands.task_instructions(run.folder, on)
        run.row("a no-op C task on %s" % on,
                "<= 15 instructions above the callee's",
                "%.2f; %.0f tasks a range" % (count, tasks), count <= 15)
        run.data["instructions " + on] = count
    count = commands.range_instructions(run.folder)
    run.row("trace of a range", "(instructions)", "%.0f" % count, None)
    run.data["instructions trace"] = count


def library(run):
    size, needed = commands.library(run.folder)
    known = ("libc.so", "libm.so", "ld-linux")  # the loader is a part of libc
    run.row("libtutti stripped", "<= 600 KB; libc, libm only",
            "%.0f KB; %s" % (size / 1000, ", ".join(needed)),
            size <= 600000 and all(n.startswith(known) for n in needed))
    run.data["library"] = {"size": size, "needed": needed}


SECTIONS = {"library": library, "starts": starts, "squares": squares,
            "instructions": instructions, "speed": speed_c, "c": regret_c,
            "cold": cold, "python": regret_python,
            "payload": regret_payload}


def machine():
    model = re.search(r"^(?:model name|CPU part)\s*: (.*)",
                      pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    return {
        "commit": commands.output("git", "-C", ROOT, "describe", "--always",
                                  "--dirty").strip(),
        "date": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
        "cpu": model.group(1) if model else platform.machine(),
        "cpus": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "compiler": commands.output("gcc", "--version").splitlines()[0],
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
    }


def table(facts, rows):
    yield ", ".join("%s %s" % item for item in facts.items())
    if facts["load"] > 0.5:
        yield "The machine was busy: these figures are good for debugging only."
    widths = [max(len(row[key]) for row in rows)
              for key in ("what", "wanted", "measured")]
    form = "%%-%ds  %%-%ds  %%-%ds  %%s" % tuple(widths)
    yield form % ("what", "wanted", "measured", "")
    for row in rows:
        yield form % (row["what"], row["wanted"], row["measured"],
                      {True: "pass", False: "FAIL", None: ""}[row["pass"]])
    judged = [row["pass"] for row in rows if row["pass"] is not None]
    yield "%d of %d goals reached" % (sum(judged), len(judged))


def measure(run, name):
    """Runs a section; one that fails is a row."""
    if time.monotonic() > run.end:
        run.row(name, "measured", "left out: no time", False)
        return
    try:
        SECTIONS[name](run)
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        run.row(name, "measured", str(error), False)
    tell("")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true",
                        help="small caps, 9 pairs: some 4 minutes")
    parser.add_argument("--minutes", type=float, default=54,
                        help="at most so long; cells that do not fit are left "
                        "out, and said (default: %(default)s)")
    parser.add_argument("--only", action="append", choices=list(SECTIONS),
                        help="this part only; may be repeated")
    parser.add_argument("--out", default=str(ROOT / "build/bench/results"),
                        metavar="FOLDER", help="where the results go")
    options = parser.parse_args()
    run = Run(options)
    run.folder.mkdir(parents=True, exist_ok=True)
    commands.output("ninja", "-C", ROOT / "build", "bench/bench_loops",
                    "bench/bench_noop")
    facts = machine()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for name in options.only or SECTIONS:
            measure(run, name)
    except KeyboardInterrupt:
        run.row("the rest", "measured", "interrupted", False)
    text = "\n".join(table(facts, run.rows)) + "\n"
    base = run.folder / time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    base.with_suffix(".json").write_text(json.dumps(
        {"machine": facts, "quick": run.quick, "pairs": run.pairs,
         "seconds": time.monotonic() - run.start, "rows": run.rows,
         "data": run.data}, indent=1) + "\n")
    base.with_suffix(".txt").write_text(text)
    sys.stdout.write(text)
    print("%.0f s; written to %s.json and .txt" % (
        time.monotonic() - run.start, base))


if __name__ == "__main__":
    main()
