"""tutti.linalg.matmul beside NumPy, whose floats are OpenBLAS's.

    .venv/bin/python bench/matmul.py [--quick] [--only NAME]... [--size N]...

Interleaved rounds in one run; ratios are medians of the rounds'. A line a goal:
what, measured, wanted. OpenBLAS has its own threads; where it does not know the
CPU it falls back to very old kernels, told in the first line: run it with
OPENBLAS_CORETYPE (SkylakeX where there is AVX-512, Haswell where AVX2) for a
fair peer. The machine must be idle. Parts: whole, floats, regret.
"""
import argparse

import numpy

import tutti.linalg
from linalg import ratio, rounds, tell

matmul = tutti.linalg.matmul
SIZES = 500, 512, 700, 1000, 1500, 2000
QUICK = 500, 1000


def peer():
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return "unknown: threadpoolctl is not installed"
    return "; ".join(
        "%s %s, kernels for %s, %d threads" % (
            i["internal_api"], i["version"], i.get("architecture"),
            i["num_threads"])
        for i in threadpool_info() if i["user_api"] == "blas")


def whole(quick, sizes):
    """Integers: one core beside NumPy, two beside one."""
    rng = numpy.random.default_rng(1)
    for n in sizes:
        for dtype, most, wanted in (("i8", 2 ** 62, 16), ("i4", 2 ** 30, 40),
                                    ("i8", 10, 40), ("i4", 10, 40)):
            a, b = (rng.integers(-most, most, (n, n)).astype(dtype)
                    for _ in "ab")
            out = numpy.zeros((n, n), dtype)
            times = rounds({
                "one": lambda: matmul(a, b, out=out, on="serial"),
                "two": lambda: matmul(a, b, out=out, on="threads:2"),
            }, 5 if quick else 15, 0.1)
            times.update(rounds({"numpy": lambda: numpy.matmul(a, b, out=out)},
                                1 if n > 700 else 3))
            best = {name: min(t) for name, t in times.items()}
            found = best["numpy"] / best["one"]
            tell("%s to %g, %d: %.1f against %.2f G/s" % (
                dtype, most, n, n ** 3 / best["one"] / 1e9,
                n ** 3 / best["numpy"] / 1e9),
                "%.1fx" % found, ">= %dx" % wanted, found >= wanted)
            found = ratio(times, "one", "two")
            tell("  two cores against one", "%.2fx" % found, ">= 1.8x",
                 found >= 1.8)


def floats(quick, sizes):
    rng = numpy.random.default_rng(2)
    for n in sizes:
        for dtype in "f8", "f4":
            a, b = (rng.random((n, n)).astype(dtype) for _ in "ab")
            out = numpy.zeros((n, n), dtype)
            times = rounds({
                "ours": lambda: matmul(a, b, out=out),
                "numpy": lambda: numpy.matmul(a, b, out=out),
            }, 5 if quick else 15, 0.1)
            found = ratio(times, "numpy", "ours")
            tell("%s, %d, all cores: %.1f G/s, OpenBLAS" % (
                dtype, n, n ** 3 / min(times["ours"]) / 1e9),
                "%.2fx" % found, ">= 0.93x", found >= 0.93)


def regret(quick, _):
    """auto against serial, at most 2 % + 20 us slower."""
    rng = numpy.random.default_rng(3)
    worst, bad = 0.0, []
    for n in (30, 100, 300) if quick else (4, 16, 30, 50, 70, 100, 150, 200,
                                           300, 500, 800):
        for dtype in "f8", "f4", "i8", "i4":
            a = rng.integers(-2 ** 30, 2 ** 30, (n, n)).astype(dtype)
            out = a.copy()
            for _ in range(3):
                times = rounds({
                    on: lambda on=on: matmul(a, a, out=out, on=on)
                    for on in ("auto", "serial")}, 15, 2e-3)
                excess = ratio(times, "auto", "serial") - 1
                excess -= 20e-6 / min(times["serial"])
                if excess <= 0.02:
                    break
            else:
                bad.append("%s of %d: %.0f %%" % (dtype, n, 100 * excess))
            worst = max(worst, excess)
    tell("auto against serial", "worst %+.1f %% beyond 20 us" % (100 * worst),
         "<= 2 %", not bad)
    for line in bad:
        print("  " + line)


PARTS = {"whole": whole, "floats": floats, "regret": regret}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", action="append", choices=PARTS)
    parser.add_argument("--size", action="append", type=int)
    options = parser.parse_args()
    sizes = options.size or (QUICK if options.quick else SIZES)
    print("NumPy %s, BLAS: %s" % (numpy.__version__, peer()))
    for name in options.only or PARTS:
        PARTS[name](options.quick, sizes)


if __name__ == "__main__":
    main()
