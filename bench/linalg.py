"""tutti.linalg beside NumPy and a copy.

    .venv/bin/python bench/linalg.py [--quick] [--only NAME]...

Interleaved rounds in one run; ratios are medians of the rounds'. A line a goal:
what, measured, wanted. The copy is numpy.copyto() of the matrix, whose bytes
count twice, by one thread and by one a CPU; "noise" is the copy against itself.
"read by all" is what memory gives to a C loop that only reads, in four streams
a thread: a copy's stores come on top, where a core waits for loads alone.
The machine must be idle. Parts: bandwidth, order, regret.
"""
import argparse
import ctypes
import importlib.util
import os
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time

import numpy

import tutti
import tutti.linalg as linalg

GIB = 1 << 30


def available():
    """Bytes of memory that are free for programs."""
    with open("/proc/meminfo") as file:
        for line in file:
            if line.startswith("MemAvailable"):
                return int(line.split()[1]) * 1024
    return 0


def rounds(calls, count, least=0.0, before=lambda name: None):
    """Seconds of each call in each round, the best of as many as `least`
    seconds hold."""
    times = {name: [] for name in calls}
    for f in calls.values():
        f()
    for _ in range(count):
        for name, f in calls.items():
            before(name)
            best, end = float("inf"), time.perf_counter() + least
            while True:
                began = time.perf_counter()
                f()
                now = time.perf_counter()
                best = min(best, now - began)
                if now >= end:
                    break
            times[name].append(best)
    return times


def ratio(times, a, b, scale=1.0):
    return scale * statistics.median(
        x / y for x, y in zip(times[a], times[b]))


def tell(what, measured, wanted, passed):
    print("%-46s %-26s %-14s %s" % (what, measured, wanted,
                                    "" if passed else "falls short"))
    sys.stdout.flush()


def by_all(work, *arrays):
    """work(), a thread a CPU, each on its share of the rows."""
    parts = tutti.cpu_count()
    cuts = [len(arrays[0]) * i // parts for i in range(parts + 1)]
    threads = [
        threading.Thread(target=work, args=[a[i:j] for a in arrays])
        for i, j in zip(cuts, cuts[1:])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


READ = """
double total(const double *x, long n)
{
    double sum = 0;
    long part = n / 4;
    for (long i = 0; i < part; i++)
        sum += x[i] + x[part + i] + x[2 * part + i] + x[3 * part + i];
    return sum;
}
"""


def c_read():
    """Reads all of a matrix; None: no gcc."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "read.so")
        try:
            subprocess.run(
                ["gcc", "-O3", "-march=native", "-ffast-math", "-shared",
                 "-fPIC", "-xc", "-", "-o", path], check=True,
                input=READ.encode())
        except (OSError, subprocess.CalledProcessError) as error:
            print("  gcc: %s" % error)
            return None
        total = ctypes.CDLL(path).total
    total.restype = ctypes.c_double
    total.argtypes = ctypes.c_void_p, ctypes.c_long
    return lambda a: total(a.ctypes.data, a.size)


PRANGE = """# cython: language_level=3, boundscheck=False, wraparound=False
from cython.parallel cimport prange

def matvec(const double[:, ::1] a, const double[::1] x, double[::1] y):
    cdef Py_ssize_t i, j
    cdef double total
    for i in prange(a.shape[0], nogil=True):
        total = 0
        for j in range(a.shape[1]):
            total = total + a[i, j] * x[j]
        y[i] = total
"""


def cython_matvec():
    """The textbook's: rows over OpenMP's threads. None: it cannot be built."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "rows.pyx")
        with open(path, "w") as file:
            file.write(PRANGE)
        try:
            subprocess.run(["cython3", path], check=True, cwd=folder)
            subprocess.run(
                ["gcc", "-O3", "-march=native", "-ffast-math", "-fopenmp",
                 "-shared", "-fPIC", "-I" + sysconfig.get_path("include"),
                 "rows.c", "-o", "rows.so"], check=True, cwd=folder)
        except (OSError, subprocess.CalledProcessError) as error:
            print("  Cython: %s" % error)
            return None
        spec = importlib.util.spec_from_file_location(
            "rows", os.path.join(folder, "rows.so"))
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.matvec


def bandwidth(quick):
    n = 8000
    while 4 * n * n * 8 > available() // 2:
        n //= 2
    print("n = %d%s" % (n, "" if n == 8000 else ": memory is short"))
    rng = numpy.random.default_rng(1)
    a, b = rng.random((n, n)), rng.random((n, n))
    out, x, f = numpy.zeros((n, n)), rng.random(n), a.T
    calls = {
        "copy": lambda: numpy.copyto(out, a),
        "copy again": lambda: numpy.copyto(out, a),
        "copy by all": lambda: by_all(numpy.copyto, out, a),
        "matvec": lambda: linalg.matvec(a, x),
        "matvec by columns": lambda: linalg.matvec(f, x),
        "sum": lambda: linalg.sum(a),
        "dot": lambda: linalg.dot(a.reshape(-1), b.reshape(-1)),
        "multiply, out=": lambda: linalg.multiply(a, b, out=out),
        "a @ x": lambda: a @ x,
        "a.sum()": lambda: a.sum(),
    }
    rows, y = cython_matvec(), numpy.empty(n)
    read = c_read()
    if read:
        calls["read by all"] = lambda: by_all(read, a)
    if rows:
        calls["prange"] = lambda: rows(a, x, y)
    moved = {"copy": 16, "dot": 16, "multiply": 24, "multiply, out=": 24}

    def before(name):
        # A virtual machine's host takes back what lies free for a second.
        numpy.empty((n, n)).fill(0)

    times = rounds(calls, 5 if quick else 15)
    # New pages cost now this, now that: no fewer rounds in haste.
    times.update(rounds({"multiply": lambda: linalg.multiply(a, b),
                         "a * b": lambda: a * b}, 15, before=before))
    best = {name: min(t) for name, t in times.items()}
    for name in times:
        print("  %-20s %7.1f ms, best %6.1f ms, %5.1f GB/s" % (
            name, 1e3 * statistics.median(times[name]), 1e3 * best[name],
            moved.get(name.replace("copy again", "copy").replace(
                "copy by all", "copy").replace("a * b", "multiply"), 8)
            * n * n / statistics.median(times[name]) / 1e9))
    print("  noise %.3f" % ratio(times, "copy again", "copy"))
    for name in ("matvec", "matvec by columns", "sum", "multiply, out="):
        for peer in ("copy", "copy by all", "read by all"):
            if peer not in times or (peer, name) == (
                    "read by all", "multiply, out="):
                continue
            found = ratio(times, peer, name,
                          moved.get(name, 8) / (8 if "read" in peer else 16))
            tell("%s: bandwidth of the %s" % (name, peer), "%.2f" % found,
                 ">= 0.95", found >= 0.95)
    found = ratio(times, "a * b", "multiply")
    tell("multiply(a, b) against a * b", "%.2fx" % found, ">= 1.5x",
         found >= 1.5)
    for name, peer in (("matvec", "a @ x"), ("sum", "a.sum()"),
                       ("matvec", "prange"))[:3 if rows else 2]:
        found = ratio(times, peer, name)
        tell("%s against %s" % (name, peer), "%.2fx" % found, "-", True)


def order(quick):
    """One thread, in a near cache and in memory, beside NumPy's orders."""
    for n in 30_000, 8_000_000:
        x, y = numpy.random.default_rng(2).random((2, n))
        a = x[:n // 1000 * 1000].reshape(-1, 1000)
        calls = {
            "sum": lambda: linalg.sum(x, on="serial"),
            "numpy.sum": lambda: numpy.add.reduce(x),
            "dot": lambda: linalg.dot(x, y, on="serial"),
            "matvec": lambda: linalg.matvec(a, y[:1000], on="serial"),
            "rows": lambda: [linalg.dot(row, y[:1000], on="serial")
                             for row in a],
        }
        if n > 100_000:
            del calls["rows"]
        times = rounds(calls, 5 if quick else 15, 0.02)
        found = ratio(times, "sum", "numpy.sum")
        tell("fixed order, sum of %d, time of numpy.sum" % n,
             "%.2fx" % found, "<= 1.05x", found <= 1.05)
        print("  dot %.1f GB/s, matvec %.1f GB/s" % (
            16 * n / min(times["dot"]) / 1e9,
            8 * n / min(times["matvec"]) / 1e9))


def regret(quick):
    """auto against serial, at most 2 % + 20 us slower."""
    rng = numpy.random.default_rng(3)
    worst, cells, bad = 0.0, 0, []
    sizes = [10, 10 ** 3, 10 ** 5, 10 ** 6, 4 * 10 ** 6] if quick else [
        10, 100, 10 ** 3, 10 ** 4, 3 * 10 ** 4, 10 ** 5, 3 * 10 ** 5, 10 ** 6,
        3 * 10 ** 6, 10 ** 7]
    for n in sizes:
        x, y = rng.random((2, n))
        side = int(n ** 0.5)
        a, out = x[:side * side].reshape(side, side), numpy.zeros(n)
        for name, f in (
                ("sum", lambda on: linalg.sum(x, on=on)),
                ("dot", lambda on: linalg.dot(x, y, on=on)),
                ("matvec", lambda on: linalg.matvec(a, y[:side], on=on)),
                ("by columns", lambda on: linalg.matvec(a.T, y[:side], on=on)),
                ("multiply", lambda on: linalg.multiply(x, y, out=out, on=on)),
                ("strided", lambda on: linalg.add(x[::2], 1.0, on=on))):
            cells += 1
            for _ in range(3):
                times = rounds({"auto": lambda: f("auto"),
                                "serial": lambda: f("serial")},
                               9 if quick else 15, 2e-3)
                auto, serial = (statistics.median(times[k])
                                for k in ("auto", "serial"))
                excess = (auto - 20e-6) / serial - 1
                if excess <= 0.02:
                    break
            else:
                bad.append("%s of %d: %.0f%%" % (name, n, 100 * excess))
            worst = max(worst, excess)
    tell("auto against serial, %d cells" % cells,
         "worst %+.1f %% beyond 20 us" % (100 * worst), "<= 2 %", not bad)
    for line in bad:
        print("  " + line)


PARTS = {"bandwidth": bandwidth, "order": order, "regret": regret}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", action="append", choices=PARTS)
    options = parser.parse_args()
    for name in options.only or PARTS:
        PARTS[name](options.quick)


if __name__ == "__main__":
    main()
