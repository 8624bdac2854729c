"""Monte Carlo: tutti.expect."""

import ctypes
import math
import os
import pickle
import random
import signal
import subprocess
import sys
import threading
import time
import warnings

import numpy
import pytest

import tutti

NORM = """
double norm(int n, const double *x)
{
    double sum = 0;
    for (int d = 0; d < n; d++)
        sum += x[d] * x[d];
    return sum;
}"""
UNIT = [(0, 1)] * 2


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    """A cache of the tests' own."""
    old = os.environ.get("XDG_CACHE_HOME")
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))
    yield
    os.environ.pop("XDG_CACHE_HOME")
    if old is not None:
        os.environ["XDG_CACHE_HOME"] = old


def norm(x):
    return sum(t * t for t in x)


def norms(x):
    return (x ** 2).sum(axis=1)


def near(e, truth):
    return abs(e.value - truth) < 5 * e.stderr


def bits(e):
    return pickle.dumps(e)


@pytest.mark.parametrize("n", [1, 2, 3, 10, 40])
@pytest.mark.parametrize("f, more", [
    (NORM, {}), (NORM, {"bits": 32}), (norm, {}),
    (norms, {"vectorized": True}), (norms, {"vectorized": True, "bits": 32}),
])
def test_norm(n, f, more):
    e = tutti.expect(f, [(0, 1)] * n, 20000, **more)
    assert near(e, n / 3)
    assert abs(e.f_variance / (n * 4 / 45) - 1) < 0.05
    assert abs(e.stderr / math.sqrt(e.f_variance / 20000) - 1) < 1e-3
    assert e.samples == 20000
    assert float(e) == e.value and " +- " in repr(e)


@pytest.mark.parametrize("method, limit", [("plain", 20), ("lattice", 28)])
def test_error_bars_cover(method, limit):
    truth = (math.sqrt(math.pi) / 2 * math.erf(1)) ** 2
    found = [tutti.expect("exp(-x0*x0 - x1*x1)", UNIT, 4000, seed=seed,
                          method=method) for seed in range(200)]
    off = [abs(e.value - truth) > 2 * e.stderr for e in found]
    assert 0 < sum(off) <= limit


def test_same_bits_in_any_place():
    k = tutti.kernel(NORM)
    for case in range(12):
        choose = random.Random(case)
        samples = choose.randrange(1, 600000)
        more = {"seed": choose.randrange(2**64),
                "method": choose.choice(["plain", "lattice"])}
        places = ["serial", "auto", "threads:3", "processes:2"]
        found = {bits(tutti.expect(k, UNIT, samples, on=on, **more))
                 for on in places}
        assert len(found) == 1, (case, samples, more)


def test_same_bits_of_python_functions():
    for f, more in [(norm, {}), (norms, {"vectorized": True})]:
        for samples in (1, 100, 4001, 50000):
            found = {bits(tutti.expect(f, UNIT, samples, on=on, workers=w,
                                       **more))
                     for on, w in [("serial", None), ("auto", None),
                                   ("processes", 1), ("processes", 2)]}
            assert len(found) == 1, (f, samples)


def test_lattice_of_python_functions():
    a = tutti.expect(norm, UNIT, 20000, method="lattice", on="serial")
    b = tutti.expect(norm, UNIT, 20000, method="lattice", on="processes:2")
    assert bits(a) == bits(b)
    assert near(a, 2 / 3) and a.stderr < 1e-6


def test_a_pool():
    with tutti.Pool(2) as pool:
        a = tutti.expect(norm, UNIT, 5000, on=pool)
        b = tutti.expect(NORM, UNIT, 5000, on=pool)
    assert bits(a) == bits(tutti.expect(norm, UNIT, 5000, on="serial"))
    assert bits(b) == bits(tutti.expect(NORM, UNIT, 5000, on="serial"))


def test_samples_depend_on_the_seed():
    a, b, c = (tutti.expect(NORM, UNIT, 1000, seed=s).value for s in (0, 1, 0))
    assert a == c != b
    assert tutti.expect(NORM, UNIT, 1e3).value == a


@pytest.mark.parametrize("method", ["plain", "lattice"])
def test_standard_error(method):
    goal = 2e-4 if method == "plain" else 1e-8
    e = tutti.expect(NORM, UNIT, stderr=goal, method=method)
    assert e.stderr <= goal and near(e, 2 / 3)
    assert e.samples < 5e6
    e = tutti.expect(norms, UNIT, stderr=10 * goal, method=method,
                     vectorized=True)
    assert e.stderr <= 10 * goal and near(e, 2 / 3)


def test_compiled_functions():
    point = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_int,
                             ctypes.POINTER(ctypes.c_double))
    f = point(lambda n, x: sum(x[d] * x[d] for d in range(n)))
    a = tutti.expect(f, UNIT, 3000, on="serial")
    assert a.value == tutti.expect(NORM, UNIT, 3000).value
    libm = ctypes.CDLL("libm.so.6")
    libm.cbrt.argtypes, libm.cbrt.restype = [ctypes.c_double], ctypes.c_double
    assert near(tutti.expect(libm.cbrt, [(0, 1)], 10000), 0.75)
    with pytest.raises(pickle.PicklingError):
        tutti.expect(libm.cbrt, [(0, 1)], 10000, on="processes:2")


def test_numba():
    numba = pytest.importorskip("numba")
    f = numba.njit(lambda x: x[0] * x[0] + x[1] * x[1])
    assert near(tutti.expect(f, UNIT, 100000), 2 / 3)
    g = numba.cfunc("float64(int32, CPointer(float64))")(
        lambda n, x: x[0] * x[0] + x[1] * x[1])
    assert bits(tutti.expect(f, UNIT, 10000)) == bits(
        tutti.expect(g, UNIT, 10000))


def test_blocks_of_c():
    text = """
    #include <stddef.h>
    void f(int n, size_t m, const double *x, double *out)
    {
        for (size_t j = 0; j < m; j++) {
            out[j] = 0;
            for (int d = 0; d < n; d++)
                out[j] += x[d * m + j] * x[d * m + j];
        }
    }"""
    assert bits(tutti.expect(text, UNIT, 12345)) == bits(
        tutti.expect(NORM, UNIT, 12345))


def test_a_file_that_changes(tmp_path):
    path = tmp_path / "f.c"
    for factor in (1, 3):
        path.write_text("double f(double x) { return %d * x; }" % factor)
        e = tutti.expect("%s:f" % path, [(0, 1)], 10000)
        assert near(e, factor / 2)


@pytest.mark.parametrize("f, rho, more", [
    ("x0 * x0", "x0 < 1 ? 2 * x0 : 0", {}),
    ("x0 < 1 ? x0 * x0 : 0 / (x0 - x0)", "x0 < 1 ? 2 * x0 : 0", {}),
    (lambda x: x[0] ** 2, lambda x: 2 * x[0] if x[0] < 1 else 0, {}),
    (lambda x: x[:, 0] ** 2,
     lambda x: numpy.where(x[:, 0] < 1, 2 * x[:, 0], 0),
     {"vectorized": True}),
    (lambda x: x[0] ** 2,
     lambda x, box: 2 * x[0] if x[0] < box[0][1] / 2 else 0, {}),
    (lambda x: x[:, 0] ** 2,
     lambda x, box, end=2: numpy.where(
         x[:, 0] < box[0, 1] / end, 2 * x[:, 0], 0),
     {"vectorized": True}),
])
def test_density(f, rho, more):
    for method in ("plain", "lattice"):
        e = tutti.expect(f, [(0, 2)], 50000, density=rho, method=method,
                         **more)
        assert near(e, 0.5)
        assert abs(e.f_variance - (1 / 3 - 1 / 4)) < 0.005
        assert abs(e.density - 1) < 5 * e.density_stderr


def test_density_that_is_none():
    with pytest.warns(RuntimeWarning, match="integrates to 2"):
        tutti.expect("x0", [(0, 2)], 1000, density="1")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tutti.expect("x0", [(0, 2)], 1000, density="0.5")
    for rho in ("x0 - 0.001", lambda x: x[0] - 0.001):
        f = "x0" if isinstance(rho, str) else lambda x: x[0]
        with pytest.raises(ValueError, match=r"density is -0\.000.* at \(0\.0"):
            tutti.expect(f, [(0, 1)], 100000, density=rho)


@pytest.mark.parametrize("box, message", [
    ([(0, math.inf)], "finite"), ([(math.nan, 1)], "finite"),
    ([(1, 0)], "wrong way"), ([(0, 0)], "empty"), ([], "0 coordinates"),
    ([(0, 1, 2)], "3 numbers"),
])
def test_boxes(box, message):
    for f in (NORM, norm):
        with pytest.raises(ValueError, match=message):
            tutti.expect(f, box)


@pytest.mark.parametrize("given, kind, message", [
    ({"samples": 0}, ValueError, "must be 1 to"),
    ({"samples": 1.5}, TypeError, "whole"),
    ({"seed": -1}, ValueError, "seed"), ({"seed": 2**64}, ValueError, "seed"),
    ({"stderr": 0}, ValueError, "stderr"),
    ({"stderr": math.nan}, ValueError, "stderr"),
    ({"method": "sobol"}, ValueError, "method"),
    ({"bits": 31}, ValueError, "bits"),
    ({"f": ""}, ValueError, "expression:2:1: error"),
    ({"f": "x0; return 1"}, ValueError, "expression:1:3: error"),
    ({"f": lambda x: x[:, 0] * 1j, "vectorized": True}, TypeError, "complex"),
    ({"bits": 32, "method": "lattice"}, ValueError, "53"),
    ({"vectorized": True}, TypeError, "vectorized"),
    ({"density": norm}, TypeError, "both"), ({"box": 3}, TypeError, "box"),
    ({"f": 3}, TypeError, "function"), ({"workers": 0}, ValueError, "workers"),
])
def test_arguments(given, kind, message):
    call = {"f": NORM, "box": UNIT, "samples": 100, **given}
    with pytest.raises(kind, match=message):
        tutti.expect(call.pop("f"), call.pop("box"), **call)


def test_the_compiler_says_what_is_wrong():
    with pytest.raises(ValueError, match="expression:1:6: error: .*x2"):
        tutti.expect("x0 + x2", UNIT)


def nan_above(x):
    return math.nan if x[0] > 0.99 else x[0]


@pytest.mark.parametrize("f, more", [
    ("x0 > 0.99 ? NAN : x0", {}), (nan_above, {}),
    (lambda x: numpy.where(x[:, 0] > 0.99, numpy.inf, 0), {"vectorized": True}),
])
def test_values_that_are_no_numbers(f, more):
    for on in ("serial", "auto", "processes:2"):
        with pytest.raises(ValueError,
                           match=r"f is (nan|inf) at \(0\.99.*sample 221"):
            tutti.expect(f, UNIT, 10000, on=on, **more)


@pytest.mark.parametrize("f, kind, message", [
    (lambda x: None, TypeError, "returned None"),
    (lambda x: "a", TypeError, "returned 'a'"),
    (lambda x: 1 / 0, ZeroDivisionError, ""),
])
def test_functions_that_fail(f, kind, message):
    for on in ("serial", "processes:2"):
        with pytest.raises(kind, match=message):
            tutti.expect(f, UNIT, 1000, on=on)


@pytest.mark.parametrize("f, message", [
    (lambda x: (x ** 2).sum(), "shape"),
    (lambda x: x, "shape"),
    (lambda x: x[:, 0] - x[:, 0].mean(), "not vectorized"),
    (lambda x: x[::-1, 0], "not vectorized"),
])
def test_what_is_not_vectorized(f, message):
    with pytest.raises(ValueError, match=message):
        tutti.expect(f, UNIT, 1000, vectorized=True)


@pytest.mark.parametrize("rho", [None, lambda x: 2 * x[:, 0]])
def test_a_function_that_changes_its_points(rho):
    def clips(x):
        numpy.maximum(x, 0.5, out=x)
        return x[:, 0]

    def doubles(x):
        x *= 2
        return x[:, 0]

    def found(f):
        return tutti.expect(f, UNIT, 50000, density=rho, vectorized=True).value

    assert found(clips) == found(lambda x: numpy.maximum(x, 0.5)[:, 0])
    assert found(doubles) == found(lambda x: (2 * x)[:, 0])


def test_without_numpy():
    code = """
import sys
sys.modules["numpy"] = None
import tutti
e = tutti.expect(lambda x: x[0] * x[0] + x[1] * x[1], [(0, 1)] * 2, 5000,
                 on="serial")
assert isinstance(e.value, float)
print(e.value)
"""
    done = subprocess.run([sys.executable, "-c", code], timeout=60,
                          stdout=subprocess.PIPE)
    f = tutti.expect(lambda x: x[0] * x[0] + x[1] * x[1], UNIT, 5000)
    assert float(done.stdout) == f.value


def test_interrupt():
    def press():
        time.sleep(0.3)
        signal.raise_signal(signal.SIGINT)

    thread = threading.Thread(target=press)
    began = time.monotonic()
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        tutti.expect(NORM, UNIT, 2**60)
    thread.join()
    assert time.monotonic() - began < 30
