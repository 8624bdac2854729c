"""tutti.expect beside NumPy, Numba and SciPy; the best of short windows, which
take turns.

    .venv/bin/python bench/expect.py [PART]...      # without: all of PARTS

The CPU's frequency is told by a chain of integer multiplications (3 cycles on
x86-64); the bound is that of two vector operations of 512 bits a cycle (see
docs/expect.md). What is not installed is a line.
"""
import ctypes
import math
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy

import tutti

NORM = """
double norm(int n, const double *x)
{
    double sum = 0;
    for (int d = 0; d < n; d++)
        sum += x[d] * x[d];
    return sum;
}"""
BLOCKS = """
#include <stddef.h>
void norms(int n, size_t m, const double *restrict x, double *restrict out)
{
    for (size_t j = 0; j < m; j++)
        out[j] = x[j] * x[j];
    for (int d = 1; d < n; d++)
        for (size_t j = 0; j < m; j++)
            out[j] += x[d * m + j] * x[d * m + j];
}"""
CHAIN = """
#include <stdint.h>
uint64_t chain(uint64_t n)
{
    uint64_t x = n | 1;
    for (uint64_t i = 0; i < n; i++)
        x *= x;
    return x;
}"""
WINDOWS = 40


def best(ways, windows=WINDOWS):
    """Seconds of each way: the least of windows that take turns."""
    for way in ways.values():
        way()
    least = dict.fromkeys(ways, math.inf)
    for _ in range(windows):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            least[name] = min(least[name], time.perf_counter() - began)
    return least


def frequency():
    k = tutti.kernel(CHAIN)
    n = 300000
    return 3 * n / best({"chain": lambda: k(n)})["chain"]


def operations(n, bits):
    """Of vectors, for as many samples as one has lanes: docs/expect.md."""
    draw = 56 * ((n + 1) // 2) + 6
    return (draw if bits == 53 else draw / 2) + 2 * n - 1 + 4


def numpy_way(n, samples, block=8192):
    rng = numpy.random.default_rng(1)
    buffer = numpy.empty((block, n))

    def run():
        total = square = 0.0
        for _ in range(samples // block):
            rng.random(out=buffer)
            f = numpy.einsum("ij,ij->i", buffer, buffer)
            total += f.sum()
            square += f @ f
        return total / samples

    return run


def numba_way(n, samples):
    import numba

    @numba.njit(fastmath=True)
    def run(samples):
        total = square = 0.0
        for _ in range(samples):
            f = 0.0
            for _ in range(n):
                x = numpy.random.random()
                f += x * x
            total += f
            square += f * f
        return total / samples

    return lambda: run(samples)


def plain():
    clock = frequency()
    print("plain: Msamples/s of the squared norm, one core at %.2f GHz"
          % (clock / 1e9))
    print("  n  NumPy  Numba | 53 bits   /NumPy  /Numba  of bound | "
          "32 bits   /NumPy  /Numba  of bound")
    k = tutti.kernel(NORM)
    for n in (2, 4, 8, 10):
        samples = 2**21 // n
        few = samples // 32
        box = [(0, 1)] * n
        ways = {
            bits: lambda bits=bits: tutti.expect(k, box, samples, bits=bits,
                                                 on="serial")
            for bits in (53, 32)
        }
        ways["NumPy"] = numpy_way(n, max(few // 8192, 1) * 8192)
        try:
            ways["Numba"] = numba_way(n, few)
        except ImportError:
            print("     Numba is not installed")
        found = best(ways)
        rate = {w: samples / s / 1e6 for w, s in found.items()}
        rate["NumPy"] = max(few // 8192, 1) * 8192 / found["NumPy"] / 1e6
        rate["Numba"] = few / found.get("Numba", math.nan) / 1e6
        print("%3d  %5.0f  %5.0f" % (n, rate["NumPy"], rate["Numba"]), end="")
        for bits in (53, 32):
            bound = clock * 16 / operations(n, bits) / 1e6
            print(" | %7.0f  %6.1fx %6.1fx  %6.0f %%" % (
                rate[bits], rate[bits] / rate["NumPy"],
                rate[bits] / rate["Numba"], 100 * rate[bits] / bound), end="")
        print()


def cores():
    print("cores: how many times as fast two are")
    k = tutti.kernel(NORM)
    for n in (2, 10):
        box = [(0, 1)] * n
        samples = 2**24 // n
        found = best({
            on: lambda on=on: tutti.expect(k, box, samples, on=on, workers=2)
            for on in ("serial", "threads:2", "auto")
        }, 15)
        print("  n = %2d: threads:2 %.2fx, auto %.2fx" % (
            n, found["serial"] / found["threads:2"],
            found["serial"] / found["auto"]))


def library(text):
    folder = tempfile.mkdtemp()
    source = pathlib.Path(folder, "f.c")
    source.write_text(text)
    made = pathlib.Path(folder, "f.so")
    subprocess.check_call(["cc", "-O3", "-march=native", "-ffp-contract=off",
                           "-shared", "-fPIC", str(source), "-o", str(made)])
    return ctypes.CDLL(str(made))


def callbacks():
    print("callbacks: nanoseconds a sample, n = 2, one core")
    number = ctypes.POINTER(ctypes.c_double)
    point = library(NORM).norm
    point.argtypes, point.restype = [ctypes.c_int, number], ctypes.c_double
    block = library(BLOCKS).norms
    block.argtypes = [ctypes.c_int, ctypes.c_size_t, number, number]
    block.restype = None
    proto = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_int, number)
    box = [(0, 1)] * 2
    ways = {
        "Python, through ctypes": (
            proto(lambda n, x: x[0] * x[0] + x[1] * x[1]), 4000),
        "Python": (lambda x: x[0] * x[0] + x[1] * x[1], 4000),
        "pointer by point": (point, 400000),
        "pointer by block": (block, 400000),
        "C text": (tutti.kernel(NORM), 400000),
    }
    found = best({
        name: lambda f=f, m=m: tutti.expect(f, box, m, on="serial")
        for name, (f, m) in ways.items()})
    cost = {name: found[name] / ways[name][1] * 1e9 for name in ways}
    for name, ns in cost.items():
        print("  %-24s %8.2f  %6.0fx the callback" % (
            name, ns, cost["Python, through ctypes"] / ns))


def lattice():
    print("lattice: exp(-|x|^2), n = 4, a standard error of 1e-6 of the value")
    truth = (math.sqrt(math.pi) / 2 * math.erf(1)) ** 4
    text = "exp(-x0*x0 - x1*x1 - x2*x2 - x3*x3)"
    box = [(0, 1)] * 4
    goal = 1e-6 * truth
    found = best({"lattice": lambda: tutti.expect(
        text, box, stderr=goal, method="lattice", on="serial")}, 15)["lattice"]
    e = tutti.expect(text, box, stderr=goal, method="lattice", on="serial")
    samples = 2**18
    one = best({"plain": lambda: tutti.expect(text, box, samples, on="serial")},
               15)["plain"] / samples
    needed = e.f_variance / goal**2
    print("  lattice %.2f ms, %d points, off by %.1e of the value (told: %.1e)"
          % (1e3 * found, e.samples, abs(e.value / truth - 1),
             e.stderr / truth))
    print("  plain   %.0f s for %.2g points: %.0fx"
          % (needed * one, needed, needed * one / found))


def steps():
    print("steps: 2^16 points, root mean square error of 100 seeds, lattice / "
          "plain")
    for n in (2, 4, 10):
        names = ["x%d" % d for d in range(n)]
        for text in (" + ".join(names) + " > %g" % (0.4 * n),
                     " && ".join(x + " > 0.3" for x in names)):
            box = [(0, 1)] * n
            truth = tutti.expect(text, box, 2**26, seed=1000,
                                 method="lattice").value
            off = {}
            for method in ("plain", "lattice"):
                found = [tutti.expect(text, box, 2**16, seed=seed,
                                      method=method).value
                         for seed in range(100)]
                off[method] = math.sqrt(
                    sum((v - truth) ** 2 for v in found) / len(found))
            print("  n = %2d, %s: %.3f" % (
                n, "oblique" if "+" in text else "straight",
                off["lattice"] / off["plain"]))


def sobol():
    try:
        from scipy.stats import qmc
    except ImportError:
        print("sobol: SciPy is not installed")
        return
    k = tutti.kernel(NORM)
    engine = qmc.Sobol(4, seed=1)

    def draw():
        engine.reset()
        x = engine.random(2**14)
        return numpy.einsum("ij,ij->i", x, x).mean()

    found = best({
        "sobol": draw,
        "lattice": lambda: tutti.expect(k, [(0, 1)] * 4, 2**18,
                                        method="lattice", on="serial"),
    })
    a, b = 2**14 / found["sobol"], 2**18 / found["lattice"]
    print("sobol: SciPy %.0f Mpoints/s, the lattice %.0f: %.0fx (n = 4)"
          % (a / 1e6, b / 1e6, b / a))


def vegas():
    """To the error of 1e-6 that the lattice is given above, by what vegas reaches
    in some seconds, whose error falls as one over the root of its points."""
    try:
        import vegas
    except ImportError:
        print("vegas: not installed; bench/peers.py --install does it")
        return

    @vegas.lbatchintegrand
    def f(x):
        return numpy.exp(-(x * x).sum(axis=1))

    integral = vegas.Integrator([[0, 1]] * 4)
    integral(f, nitn=5, neval=100_000)
    began = time.perf_counter()
    found = integral(f, nitn=10, neval=1_000_000)
    taken = time.perf_counter() - began
    error = found.sdev / found.mean
    print("vegas: %.1f s to %.1e of the value, so %.0f s to 1e-6"
          % (taken, error, taken * (error / 1e-6) ** 2))


PARTS = [plain, cores, callbacks, lattice, steps, sobol, vegas]


def main():
    wanted = sys.argv[1:]
    for part in PARTS:
        if not wanted or part.__name__ in wanted:
            part()


if __name__ == "__main__":
    main()
