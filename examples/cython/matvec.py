"""Runs rows.pyx: numbered workers, and the product against NumPy's."""

import sys

import numpy as np
import rows

n = int(sys.argv[1]) if len(sys.argv) > 1 else 1001
rng = np.random.default_rng(1)
a, x = rng.random((n, n)), rng.random(n)

for on in ("serial", "threads:3", "openmp:3", "auto"):
    y, worker = np.empty(n), np.full(n, -1, dtype=np.intc)
    try:
        rows.matvec(a, x, y, worker, on)
    except RuntimeError as error:
        print("%-10s %s" % (on, error))
        continue
    counts = np.bincount(worker)
    shares = ", ".join("worker %d: %d rows" % pair
                       for pair in enumerate(counts) if pair[1])
    print("%-10s equal: %s; %s" % (on, np.allclose(y, a @ x), shares))
