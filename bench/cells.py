"""Cells of a grid: measured by a program that answers lines, then judged."""
import json
import os
import signal
import statistics
import subprocess
import sys
import threading
import time

SHAPES = "uniform", "front", "back", "heavy tail", "giant"
ALLOWED = 20e-6  # seconds that a loop may always lose
LONG = 0.3  # seconds
TRIES = 3  # a figure counts as failed if it fails so often


class Program:
    """A program that answers each line with a line of JSON."""

    def __init__(self, *command):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            universal_newlines=True, start_new_session=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        self.process.communicate()

    def kill(self):
        """Ends the program and the pools that it started."""
        os.killpg(self.process.pid, signal.SIGKILL)

    def ask(self, *words, limit=180):
        timer = threading.Timer(limit, self.kill)
        timer.start()
        try:
            self.process.stdin.write(" ".join(map(str, words)) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            timer.cancel()
        if not line:
            raise RuntimeError("%s gave no answer to %s within %d s"
                               % (self.process.args[0], words, limit))
        return json.loads(line)


def shapes(task, n):
    """Few tasks have no shape; the longest loops come in three of them, for
    the sake of the time."""
    if n < 10:
        return (0,)
    return (0, 3, 4) if task * n > LONG else range(len(SHAPES))


def grid(tasks, cap):
    """Cells (task seconds, n, shape), the longest last."""
    cells = [(task, n, shape)
             for task in tasks
             for n in (1, 2) + tuple(10 ** k for k in range(1, 7))
             if task * n <= cap * 1.001
             for shape in shapes(task, n)]
    return sorted(cells, key=lambda cell: cell[0] * cell[1])


def excess(runs, way, over="plain", allowed=ALLOWED):
    """By what part of its time a way is slower, what it may lose taken off;
    the median over the pairs."""
    return statistics.median((taken - allowed) / base - 1
                             for taken, base in zip(runs[way], runs[over]))


def ratio(runs, way, over):
    """How many times as fast a way is; the median over the pairs."""
    return statistics.median(base / taken
                             for taken, base in zip(runs[way], runs[over]))


def measure(ask, judge, until=float("inf"), beside=()):
    """Measures a cell until each figure reached its goal once, those `beside`
    left aside; at most TRIES times, and not again when the clock says `until`.

    ask() gives runs; judge(runs) a dict: figure -> (value, goal), smaller is
    better. Returns the cell: its last runs' medians, the best of each figure,
    its first value, its goal, and how often it was measured.
    """
    figures, tries = {}, 0
    while tries < TRIES:
        runs = ask()
        tries += 1
        for name, (value, goal) in judge(runs).items():
            known = figures.setdefault(
                name, {"value": value, "first": value, "goal": goal})
            known["value"] = min(value, known["value"])
        if time.monotonic() > until or all(
                f["value"] <= f["goal"] for name, f in figures.items()
                if name not in beside):
            break
    cell = {name: value for name, value in runs.items()
            if not isinstance(value, list)}
    cell.update(figures=figures, tries=tries, seconds={
        way: statistics.median(taken) for way, taken in runs.items()
        if isinstance(taken, list)})
    return cell


def measure_all(cells, ask, judge, until, tell, beside=()):
    """Measures cells until the clock says `until` or the program that is asked
    is lost; (measured, left out)."""
    done = []
    for i, (task, n, shape) in enumerate(cells):
        if time.monotonic() > until:
            return done, len(cells) - i
        tell("%d of %d: %s x %d, %s" % (i + 1, len(cells), seconds(task), n,
                                        SHAPES[shape]))
        try:
            cell = measure(lambda: ask(task, n, shape), judge, until,
                           beside)
        except RuntimeError as error:
            sys.stderr.write("\n%s\n" % error)
            return done, len(cells) - i
        done.append(dict({"task": task, "n": n, "shape": SHAPES[shape]},
                         **cell))
    return done, 0


def seconds(value):
    for unit, size in ("s", 1), ("ms", 1e-3), ("us", 1e-6):
        if abs(value) >= size:
            return "%.3g %s" % (value / size, unit)
    return "%.3g ns" % (value * 1e9)


def having(cells, figure):
    return [cell for cell in cells if figure in cell["figures"]]


def within(cells, figure, which="value"):
    """The part of the cells that reach a figure's goal, and the worst cell."""
    values = [(cell["figures"][figure], cell) for cell in having(cells, figure)]
    if not values:
        return None, None, "no cells"
    part = sum(f[which] <= f["goal"] for f, _ in values) / len(values)
    worst, cell = max(values, key=lambda pair: pair[0][which])
    return part, worst[which], (
        "%.1f %% of %d cells; worst %+.1f %%: %s x %d, %s" % (
            100 * part, len(values), 100 * worst[which],
            seconds(cell["task"]), cell["n"], cell["shape"]))
