"""Computes src/kernel/lattice_vector.c: the generating vector of the
lattices, component by component, good for all 2^m points, m = 6 .. 24, at once
(Cools, Kuo, Nuyens: Constructing embedded lattice rules for multivariate
integration, SIAM J. Sci. Comput. 28, 2006), by fast Fourier transforms on the
cyclic group that 5 generates modulo 2^b.

The criterion is the worst-case error in the space of periodic functions with
product weights 1/d^2 whose mixed first derivatives are square integrable: what
the baker's transform makes of functions with mixed second derivatives.

    /usr/bin/python3 tools/lattice.py 250 > src/kernel/lattice_vector.c
"""
import sys

import numpy as np

FIRST, MOST = 6, 24


def bernoulli(x):
    return 2 * np.pi**2 * (x * x - x + 1 / 6)


class Level:
    """The points with denominator 2^b: odd k / 2^b, as +-5^i, i < 2^(b-2)."""

    def __init__(self, b):
        self.b, self.n = b, 2**b
        size = max(1, 2**(b - 2))
        powers = np.ones(size, dtype=np.uint64)
        length = 1
        while length < size:
            step = pow(5, length, self.n)
            powers[length:2 * length] = powers[:length] * np.uint64(step) % np.uint64(self.n)
            length *= 2
        self.powers = powers  # 5^i
        self.twice = 1 if b < 2 else 2  # +- are different points
        self.omega = bernoulli(powers / self.n)
        self.spectrum = np.fft.rfft(self.omega) if size > 1 else None
        self.product = np.ones(size)
        self.where = None

    def errors(self):
        """sum over points of product * omega(k z), by the i of z = 5^i."""
        if self.spectrum is None:
            return self.twice * self.product * self.omega
        # sum_i product[i] omega[i + j]
        f = np.conj(np.fft.rfft(self.product)) * self.spectrum
        return self.twice * np.fft.irfft(f, len(self.product))

    def take(self, j, weight):
        self.product *= 1 + weight * np.roll(self.omega, -j)


def main():
    dimensions = int(sys.argv[1])
    levels = [Level(b) for b in range(1, MOST + 1)]
    zero = 1.0  # the product at the point 0
    vector = []
    for d in range(1, dimensions + 1):
        weight = 1 / d**2
        # theta[m][j]: what z adds at 2^m points; z = 5^j, j < 2^(MOST-2)
        total = np.array([zero * bernoulli(0.0)])
        worst = None
        for level in levels:
            part = level.errors()
            total = np.tile(total, len(part) // len(total)) + part
            if level.b >= FIRST:
                base = sum(l.product.sum() * l.twice for l in levels[:level.b]) + zero
                error = (base + weight * total) / level.n - 1
                ratio = error / error.min() if d > 1 else error / error
                worst = ratio if worst is None else np.maximum(
                    np.tile(worst, len(ratio) // len(worst)), ratio)
        j = int(np.argmin(worst))
        vector.append(int(levels[-1].powers[j]))
        zero *= 1 + weight * bernoulli(0.0)
        for level in levels:
            level.take(j % len(level.product), weight)
        print(d, vector[-1], worst[j], file=sys.stderr)
    print("/* Made by tools/lattice.py. */")
    print('#include "kernel/builtin/lattice.h"\n')
    print("const uint32_t tt_lattice_vector[] = {")
    for i in range(0, dimensions, 7):
        row = " ".join(f"{z},".ljust(9) for z in vector[i:i + 7])
        print("    " + row.rstrip())
    print("};\n")
    print(f"const unsigned tt_lattice_dimensions = {dimensions};")


main()
