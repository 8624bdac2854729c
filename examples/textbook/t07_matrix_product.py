"""T7: two matrices of whole numbers, multiplied by blocks of rows.

NumPy multiplies integers in one thread, without BLAS. The text splits the rows
over joblib's jobs, which must divide evenly; here any shape will do: a task is
a block of rows, the right matrix goes along with the function, once. And
tutti.linalg.matmul, as exact, needs neither tasks nor blocks.

    python t07_matrix_product.py [N]
"""

import sys
import time

import numpy

import tutti
import tutti.linalg

BLOCK = 32  # rows


def blocks_of(matrix):
    return [matrix[i:i + BLOCK] for i in range(0, len(matrix), BLOCK)]


def parallel_dot(left, right):
    return numpy.concatenate(
        tutti.map(lambda rows: rows @ right, blocks_of(left)))


def timed(name, f):
    began = time.perf_counter()
    result = f()
    print("%-22s %8.1f ms" % (name, 1e3 * (time.perf_counter() - began)))
    return result


def main():
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    rng = numpy.random.default_rng(7)
    left = rng.integers(-1000, 1000, (n + 1, n))  # rows that divide by nothing
    right = rng.integers(-1000, 1000, (n, n - 1))
    timed("tutti.map, cold", lambda: parallel_dot(left, right))
    expected = timed("NumPy", lambda: left @ right)
    found = timed("tutti.map", lambda: parallel_dot(left, right))
    exact = timed("tutti.linalg.matmul", lambda: tutti.linalg.matmul(left, right))
    print("equal:", numpy.array_equal(found, expected)
          and numpy.array_equal(exact, expected))


if __name__ == "__main__":
    main()
