"""T6: joblib on tutti.

f(k) = 2 * k, 20,000 times: too small to send anywhere. With tutti's backend
such tasks stay in the caller, in batches, and what is left is joblib's own
book-keeping; tutti.map has none. Written with a misplaced parenthesis,
delayed(f(k)), it dies with "cannot unpack non-iterable function object", and
one wonders why; tutti says it.

    python t06_joblib.py [TASKS]
"""

import sys
import time

import joblib
import tutti
import tutti.joblib  # noqa: F401: adds the backend "tutti"
from joblib import Parallel, delayed

# parallel_config is parallel_backend's name since joblib 1.3.
configure = getattr(joblib, "parallel_config", joblib.parallel_backend)


def f(k):
    return 2 * k


def best(run, times=5):
    """Seconds of the fastest of some runs, and the result."""
    found = float("inf")
    for _ in range(times):
        start = time.perf_counter()
        result = run()
        found = min(found, time.perf_counter() - start)
    return found, result


if __name__ == "__main__":
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 20000
    want = [f(k) for k in range(n)]

    def parallel(**options):
        return Parallel(**options)(delayed(f)(k) for k in range(n))

    def on_tutti():
        with configure("tutti"):
            return parallel(n_jobs=2)

    for name, run in [
        ("loop", lambda: [f(k) for k in range(n)]),
        ("tutti.map", lambda: tutti.map(f, range(n))),
        ("joblib, n_jobs=1", lambda: parallel(n_jobs=1)),
        ("joblib, n_jobs=2", lambda: parallel(n_jobs=2)),
        ("joblib on tutti", on_tutti),
    ]:
        seconds, result = best(run)
        assert result == want
        print("%-18s %8.1f ms" % (name, seconds * 1e3))

    for name, run in [
        ("joblib on tutti", lambda: Parallel(n_jobs=2, backend="tutti")(
            delayed(f(k)) for k in range(n))),
        ("tutti.map", lambda: tutti.map(f(1))),
    ]:
        try:
            run()
        except TypeError as error:
            print("%s: %s" % (name, error))
