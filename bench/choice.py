"""The automatic choice for kernels: 200 cases of a kernel and a size, each on
auto and on every place of this process, interleaved.

    python bench/choice.py [SECONDS]      (0.05: at least, a case and place)

Prints a line a kernel, how much slower auto was than the best place and than
serial: the median and the worst of its sizes; then the same over all. A case
counts the best of its rounds, so other load matters little.
"""

import statistics
import sys
import time

import numpy

import tutti

KERNELS = {
    "add": "double f(double x) { return x + 1; }",
    "float": "float f(float x) { return x * x * x - x; }",
    "whole": "int64_t f(int64_t x) { return x * x % 1000003; }",
    "root": "#include <math.h>\ndouble f(double x) { return sqrt(x); }",
    "power": "#include <math.h>\ndouble f(double x) { return pow(x, 0.3); }",
    "steps": "double f(double x) { for (int i = 0; i < 100; i++)"
             " x = x * 0.5 + 1; return x; }",
    "slow": "double f(double x) { for (int i = 0; i < 10000; i++)"
            " x = x * 0.5 + 1; return x; }",
    "row": "double f(const double *x, int n) { double s = 0;"
           " for (int i = 0; i < n; i++) s += x[i] * x[i]; return s; }",
}
SIZES = 25
MOST = {"slow": 3e4, "steps": 3e6, "row": 1e6}
PLACES = ["auto", "serial", "threads"]


def items_of(k, n):
    x = (numpy.arange(n * 8 if k.form == "row" else n) % 1000).astype(k.item)
    return x.reshape(n, 8) if k.form == "row" else x


def best_of(k, items, seconds):
    """The best time on each place."""
    best = dict.fromkeys(PLACES, float("inf"))
    spent = rounds = 0
    while spent < seconds * len(PLACES) or rounds < 5:
        for on in PLACES:
            began = time.perf_counter()
            tutti.map(k, items, on=on)
            taken = time.perf_counter() - began
            best[on] = min(best[on], taken)
            spent += taken
        rounds += 1
    return best


def told(name, ratios):
    by_best, by_serial = zip(*ratios)
    print("%-6s  to the best place: median %.2f worst %.2f   to serial: "
          "median %.2f worst %.2f   (%d cases)"
          % (name, statistics.median(by_best), max(by_best),
             statistics.median(by_serial), max(by_serial), len(ratios)))


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 0.05
    everything = []
    for name, text in KERNELS.items():
        k = tutti.kernel(text)
        ratios = []
        for n in numpy.geomspace(1, MOST.get(name, 1e7), SIZES):
            best = best_of(k, items_of(k, int(n)), seconds)
            least = min(best.values())
            ratios.append((best["auto"] / least,
                           best["auto"] / best["serial"]))
        told(name, ratios)
        everything += ratios
    told("all", everything)
    print("within 5 %% of the best place: %d of %d"
          % (sum(r <= 1.05 for r, _ in everything), len(everything)))


if __name__ == "__main__":
    main()
