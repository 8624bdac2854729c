"""The automatic choice for kernels: auto beside serial and threads, over some
200 kernels and sizes. Auto may be 5 % from the best place, and 2 % from serial,
20 us aside. Some 10 minutes; --quick some 2."""
import argparse
import sys
import time

import cells

LONG = {False: 0.3, True: 0.05}  # seconds of a call
PAIRS = {False: 15, True: 7}
PLACES = "serial", "threads", "auto"

ROOT = "#include <math.h>\ndouble f(double x) { return sqrt(x * x + 1); }"
POLY = "float f(float x) { return x * (x * (x * x + 1) - 3) + 2; }"
LOG = "#include <math.h>\ndouble f(double x) { return log(x * x + 2); }"
STEPS = """long f(long n)
{
    long steps = 0;
    for (n = n % 100000 + 1; n != 1; steps++)
        n = n % 2 ? 3 * n + 1 : n / 2;
    return steps;
}"""
SERIES = """double f(double x)
{
    double sum = 0;
    for (int k = 1; k < 2000; k++)
        sum += 1 / (x * x + k);
    return sum;
}"""
LATE = """double f(double x)
{
    double sum = 0;
    for (int k = 1; k < (int)x / 100; k++)
        sum += 1 / (x * x + k);
    return sum;
}"""
NORM = """double f(const double *x, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += x[i] * x[i];
    return sum;
}"""


def kernel_cases(tutti, numpy):
    def mapped(text, make):
        k = tutti.kernel(text)
        return lambda n: (lambda x: lambda on: tutti.map(k, x, on=on))(make(n))

    def reduced(text, op):
        k = tutti.kernel(text)
        return lambda n: (lambda x: lambda on: tutti.reduce(k, x, op, on=on))(
            numpy.arange(float(n)))

    def doubles(n):
        return numpy.arange(float(n))

    def rows(n):
        return numpy.ones((n, 16))

    return {
        "map sqrt": mapped(ROOT, doubles),
        "map polynomial, float32": mapped(
            POLY, lambda n: numpy.ones(n, numpy.float32)),
        "map log": mapped(LOG, doubles),
        "map collatz": mapped(STEPS, numpy.arange),
        "map series": mapped(SERIES, doubles),
        "map, dearer at the end": mapped(LATE, doubles),
        "map rows of 16": mapped(NORM, rows),
        "map range": (lambda k: lambda n: lambda on: tutti.map(
            k, range(n), on=on))(tutti.kernel(LOG)),
        "reduce sqrt, sum": reduced(ROOT, "sum"),
        "reduce log, max": reduced(LOG, "max"),
        "reduce series, prod": reduced(SERIES, "prod"),
    }


def number_cases(tutti, numpy):
    from tutti import linalg

    def of(call, *makes):
        def case(n):
            made = [make(n) for make in makes]
            return lambda on: call(*made, on=on)
        return case

    def vector(n):
        return numpy.ones(n)

    def square(dtype):
        def make(n):
            side = max(1, int(n ** 0.5))
            return (numpy.arange(side * side) % 10).astype(dtype).reshape(
                side, side)
        return make

    def side(n):
        return numpy.ones(max(1, int(n ** 0.5)))

    found = {
        "sum": of(linalg.sum, vector),
        "dot": of(linalg.dot, vector, vector),
        "matvec": of(linalg.matvec, square(float), side),
        "multiply": of(linalg.multiply, vector, vector),
        "matmul int64": of(linalg.matmul, square("int64"), square("int64")),
        "matmul float64": of(linalg.matmul, square(float), square(float)),
        "expect, plain": lambda n: lambda on: tutti.expect(
            NORM, [(0, 1)] * 4, samples=max(n, 1), on=on),
    }
    return found


def sizes():
    return [int(10 ** (k / 2)) for k in range(2, 16)]


def timed(run, on):
    start = time.perf_counter()
    run(on)
    return time.perf_counter() - start


def runs_of(run, pairs):
    """Seconds of a call in each place, interleaved; short calls are repeated,
    so that their clock is not what is measured."""
    runs = {on: [] for on in PLACES + ("again",)}
    once = min(timed(run, "serial") for _ in range(3))
    repeats = max(1, int(1e-4 / once))
    for i in range(pairs):
        for on in list(runs)[::-1 if i % 2 else 1]:
            place = "serial" if on == "again" else on
            total = sum(timed(run, place) for _ in range(repeats))
            runs[on].append(total / repeats)
    return runs


def judge(runs):
    best = min(("serial", "threads"), key=lambda on: sorted(runs[on])[
        len(runs[on]) // 2])
    return {"best": (cells.excess(runs, "auto", best), 0.05),
            "serial": (cells.excess(runs, "auto", "serial"), 0.02),
            "again": (cells.excess(runs, "again", "serial"), 0.02)}


def measure(quick, tell):
    import numpy

    import tutti

    cases = dict(kernel_cases(tutti, numpy), **number_cases(tutti, numpy))
    done = []
    for name, case in cases.items():
        for n in sizes()[::2 if quick else 1]:
            run = case(n)
            run("serial")
            seconds = timed(run, "serial")
            if seconds > LONG[quick]:
                break
            cell = cells.measure(lambda: runs_of(run, PAIRS[quick]), judge,
                                 beside=("again",))
            done.append(dict({"task": seconds / n, "n": n, "shape": name},
                             **cell))
            tell(done[-1])
    return done


def line(cell):
    t, figures = cell["seconds"], cell["figures"]
    marks = "".join("  %s %+.1f %%%s" % (
        name, 100 * figures[name]["value"],
        "" if figures[name]["value"] <= figures[name]["goal"] else " !")
        for name in ("best", "serial"))
    return "%-24s %9d  %s%s" % (cell["shape"], cell["n"], "  ".join(
        "%s %8s" % (on, cells.seconds(t[on])) for on in PLACES), marks)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    done = measure(quick, lambda cell: print(line(cell), flush=True))
    for name, text in (("best", "from the best place: "),
                       ("serial", "from serial:         "),
                       ("again", "serial against itself: ")):
        print(text + cells.within(
            done, name, "first" if name == "again" else "value")[2])


if __name__ == "__main__":
    sys.exit(main())
