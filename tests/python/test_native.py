"""Functions that are compiled already: of ctypes, cffi, Numba, SciPy, Cython.
"""

import ctypes
import ctypes.util
import gc
import importlib
import os
import pickle
import shutil
import subprocess
import sys
import sysconfig
import threading
import weakref

import numpy
import pytest

import tutti

A = numpy.arange(200000.0)
ROWS = numpy.random.default_rng(3).random((70000, 3))
PLACES = ["serial", "threads:3", "auto"]
SOURCE = """
#include <stdint.h>
#include <stddef.h>
double half(double x) { return x / 2; }
int twice(int x) { return 2 * x; }
uint64_t flip(uint64_t x) { return ~x; }
float narrow(float x) { return x + 1; }
double last(int n, double *x, void *user)
{ return x[n - 1] + (user ? *(double *)user : 0); }
double shift(double x, void *user) { return x + *(double *)user; }
void block(size_t n, const double *x, double *out)
{ for (size_t i = 0; i < n; i++) out[i] = x[i] / 2; }
void points(int n, size_t m, const double *x, double *out)
{ for (size_t i = 0; i < m; i++) out[i] = x[i] + x[(n - 1) * m + i]; }
void rows(const double *row, int n, double *out)
{ for (int i = 0; i < n; i++) out[i] = -row[i]; }
void fill(size_t i, double a, double *y) { y[i] = a * i; }
double two(double x, double y) { return x + y; }
"""
D, P = ctypes.c_double, ctypes.POINTER(ctypes.c_double)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("native")
    (folder / "native.c").write_text(SOURCE)
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "native.c", "-o",
                    "native.so"], cwd=str(folder), check=True)
    return str(folder / "native.so")


@pytest.fixture
def library(path):
    return ctypes.CDLL(path)


def typed(f, result, *parameters):
    f.restype, f.argtypes = result, parameters
    return f


@pytest.mark.parametrize("on", PLACES)
def test_ctypes(library, on):
    half = typed(library.half, D, D)
    result = tutti.map(half, A, on=on)
    assert isinstance(result, numpy.ndarray) and (result == A / 2).all()
    assert tutti.reduce(half, A, on=on) == A.sum() / 2
    twice = typed(library.twice, ctypes.c_int, ctypes.c_int)
    small = numpy.arange(9, dtype="int32")
    assert (tutti.map(twice, small, on=on) == 2 * small).all()
    flip = typed(library.flip, ctypes.c_uint64, ctypes.c_uint64)
    bits = numpy.arange(9, dtype="uint64")
    assert (tutti.map(flip, bits, on=on) == ~bits).all()
    narrow = typed(library.narrow, ctypes.c_float, ctypes.c_float)
    assert tutti.map(narrow, bits.astype("f4"), on=on).dtype == "float32"
    last = typed(library.last, D, ctypes.c_int, P, ctypes.c_void_p)
    assert (tutti.map(last, ROWS, on=on) == ROWS[:, 2]).all()
    block = typed(library.block, None, ctypes.c_size_t, P, P)
    assert (tutti.map(block, A, on=on) == A / 2).all()
    points = typed(library.points, None, ctypes.c_int, ctypes.c_size_t, P, P)
    assert (tutti.map(points, ROWS, on=on) == ROWS[:, 0] + ROWS[:, 2]).all()
    rows = typed(library.rows, None, numpy.ctypeslib.ndpointer("f8"),
                 ctypes.c_int, numpy.ctypeslib.ndpointer("f8"))
    assert (tutti.map(rows, ROWS, on=on) == -ROWS).all()


def test_ctypes_as_kernel(library):
    k = tutti.kernel(typed(library.half, D, D))
    assert k(5) == 2.5 and k.signature == "double f(double x)"
    assert (tutti.map(k, range(4)) == [0, 0.5, 1, 1.5]).all()
    fill = tutti.kernel(
        typed(library.fill, None, ctypes.c_size_t, D, P))
    y = numpy.zeros(5)
    fill.launch(5, 2, y)
    assert (y == [0, 2, 4, 6, 8]).all()
    k = tutti.kernel(library.twice, signature="int twice(int)")
    assert k(4) == 8 and k.name == "twice"
    k = tutti.kernel(typed(library.rows, None, P, ctypes.c_int, P), width=3)
    assert (tutti.map(k, ROWS) == -ROWS).all()
    with pytest.raises(pickle.PicklingError, match="of this process"):
        pickle.dumps(k)
    with pytest.raises(tutti.Error, match="another process cannot have it"):
        tutti.map(k, ROWS, on="processes:2")
    fresh = ctypes.CDLL(library._name).half
    with pytest.raises(TypeError, match="set its argtypes and restype"):
        tutti.kernel(fresh)
    with pytest.raises(ValueError, match="not an accepted signature"):
        tutti.kernel(typed(library.two, D, D, D))
    with pytest.raises(TypeError, match="expects C text"):
        tutti.kernel(len)


def test_ctypes_called_as_any_function(library):
    """What no form fits is called item by item, as before."""
    half = typed(library.half, D, D)
    assert tutti.map(half, [1, 2.0]) == [0.5, 1.0]
    assert tutti.map(half, numpy.arange(3)) == [0, 0.5, 1]
    two = typed(library.two, D, D, D)
    assert tutti.map(two, A[:3], A[:3]) == [0, 2, 4]
    assert tutti.starmap(two, [(1, 2)]) == [3]
    untyped = ctypes.CDLL(library._name).twice
    assert tutti.map(untyped, [1, 2]) == [2, 4]


def test_ctypes_that_ctypes_must_call(library):
    """What checks results, or needs the interpreter's lock; and a NULL."""
    half = typed(ctypes.CDLL(library._name).half, D, D)
    half.errcheck = lambda result, f, given: -result
    assert tutti.map(half, A[:3], on="serial") == [0, -0.5, -1]
    assert tutti.reduce(half, A[:3], on="serial") == -1.5
    locked = typed(ctypes.PyDLL(library._name).half, D, D)
    assert tutti.map(locked, A[:3], on="serial") == [0, 0.5, 1]
    with pytest.raises(TypeError, match="expects C text"):
        tutti.kernel(locked)
    with pytest.raises(ValueError, match="NULL"):
        tutti.kernel(ctypes.cast(None, ctypes.CFUNCTYPE(D, D)))


def test_ctypes_callback():
    """One that is Python inside takes the lock by itself."""
    seen = set()

    @ctypes.CFUNCTYPE(D, D)
    def f(x):
        seen.add(threading.get_ident())
        return x + 1

    a = numpy.arange(20000.0)
    assert (tutti.map(f, a, on="threads:3") == a + 1).all()
    assert seen


def test_low_level_callable(library):
    scipy = pytest.importorskip("scipy")
    last = typed(library.last, D, ctypes.c_int, P, ctypes.c_void_p)
    plain = scipy.LowLevelCallable(last)
    by = D(10)
    moved = scipy.LowLevelCallable(
        last, ctypes.cast(ctypes.pointer(by), ctypes.c_void_p))
    shift = scipy.LowLevelCallable(
        typed(library.shift, D, D, ctypes.c_void_p),
        ctypes.cast(ctypes.pointer(by), ctypes.c_void_p))
    for on in PLACES:
        assert (tutti.map(plain, ROWS, on=on) == ROWS[:, 2]).all()
        assert (tutti.map(moved, ROWS, on=on) == ROWS[:, 2] + 10).all()
        assert (tutti.map(shift, A, on=on) == A + 10).all()
    assert tutti.kernel(shift)(1) == 11
    with pytest.raises(TypeError, match="is mapped over one array"):
        tutti.map(plain, [1.0])
    with pytest.raises(TypeError, match="takes float64, got an array of"):
        tutti.map(plain, ROWS.astype("f4"))


def test_cffi(path):
    cffi = pytest.importorskip("cffi")
    ffi = cffi.FFI()
    ffi.cdef("double half(double); double last(int n, double *x, void *user);"
             "void block(size_t n, const double *x, double *out);"
             "uint64_t flip(uint64_t x); double two(double, double);")
    library = ffi.dlopen(path)
    for on in PLACES:
        assert (tutti.map(library.half, A, on=on) == A / 2).all()
        assert (tutti.map(library.last, ROWS, on=on) == ROWS[:, 2]).all()
        assert (tutti.map(library.block, A, on=on) == A / 2).all()
    bits = numpy.arange(9, dtype="uint64")
    assert (tutti.map(library.flip, bits) == ~bits).all()
    assert tutti.map(library.half, [3.0]) == [1.5]
    assert tutti.map(library.two, [1.0], [2.0]) == [3]
    scipy = pytest.importorskip("scipy")
    by = ffi.new("double *", 10)
    low = scipy.LowLevelCallable(library.last, ffi.cast("void *", by))
    assert (tutti.map(low, ROWS) == ROWS[:, 2] + 10).all()


def test_numba_cfunc():
    numba = pytest.importorskip("numba")
    f = numba.cfunc("float64(float64)")(lambda x: x / 2)
    g = numba.cfunc("float64(intc, CPointer(float64))")(
        lambda n, x: x[n - 1])
    for on in PLACES:
        assert (tutti.map(f, A, on=on) == A / 2).all()
        assert (tutti.map(g, ROWS, on=on) == ROWS[:, 2]).all()

    @numba.cfunc("void(intp, float64, CPointer(float64))")
    def fill(i, a, y):
        y[i] = a * i

    y = numpy.zeros(4)
    tutti.kernel(fill).launch(4, 3, y)
    assert (y == [0, 3, 6, 9]).all()


def test_numba_njit():
    numba = pytest.importorskip("numba")

    @numba.njit
    def f(x):
        return x * 0.5 if x > 3 else 0.0

    @numba.njit
    def g(row):
        return row.sum()

    @numba.njit
    def pair(x):
        return x, x

    wanted = numpy.where(A > 3, A / 2, 0)
    for on in PLACES:
        assert (tutti.map(f, A, on=on) == wanted).all()
    few = tutti.map(f, A[:9])
    assert few.dtype == "float64" and (few == wanted[:9]).all()
    many = numpy.random.default_rng(4).random((100001, 3))
    assert numpy.allclose(tutti.map(g, many), many.sum(axis=1))
    assert numpy.allclose(tutti.map(g, many[:5]), many[:5].sum(axis=1))
    assert tutti.map(f, [4.0, 1.0]) == [2.0, 0.0]
    assert tutti.map(pair, A[:2]) == [(0, 0), (1, 1)]
    assert tutti.map(g, [many[0], many[1]]) == [g(many[0]), g(many[1])]
    assert tutti.reduce(f, A, "max") == wanted.max()


def test_numba_exceptions():
    numba = pytest.importorskip("numba")

    @numba.njit
    def inverse(x):
        if x == 77:
            raise KeyError("77")
        return 1 / x

    @numba.njit
    def first(row):
        if row[0] < 0.001:
            raise ValueError("too small")
        return row[0]

    @numba.njit
    def fickle(x):
        if x == 5 and numpy.random.random() < 0.5:
            raise ValueError("now and then")
        return x

    for n in (10, 200000):
        x = numpy.arange(1.0, n)
        assert (tutti.map(inverse, x[:70]) == 1 / x[:70]).all()
        with pytest.raises(ZeroDivisionError):
            tutti.map(inverse, x - 1)
        with pytest.raises(ZeroDivisionError):
            tutti.reduce(inverse, x - 1)
    with pytest.raises(KeyError, match="77"):
        tutti.map(inverse, x, on="threads")
    x[76] = 76
    assert (tutti.map(inverse, x) == 1 / x).all()
    rows = numpy.ones((200000, 3))
    rows[123456, 0] = 0
    with pytest.raises(ValueError, match="too small"):
        tutti.map(first, rows)
    with pytest.raises(ValueError, match="too small"):
        tutti.expect(first, [(0, 1), (0, 1)], 100000)
    assert tutti.expect(first, [(1, 2)], 100000).value > 1.4
    with pytest.raises((ValueError, RuntimeError), match="now and|again for 5"):
        tutti.map(fickle, numpy.full(200000, 5.0))


def test_numba_objects():
    numba = pytest.importorskip("numba")

    @numba.jit(forceobj=True)
    def f(x):
        return x + 1

    with pytest.warns(RuntimeWarning, match="compiled f to object mode"):
        assert tutti.map(f, A[:3]) == [1, 2, 3]


def test_numba_functions_are_let_go():
    numba = pytest.importorskip("numba")

    def used(make, call):
        f = numba.njit(make())
        call(f)
        return weakref.ref(f)

    for make, call in (
        (lambda: lambda x: x * 2, lambda f: tutti.map(f, A[:9])),
        (lambda: lambda x: x * 2, lambda f: tutti.map(f, A)),
        (lambda: lambda x: x * 2, lambda f: tutti.reduce(f, A)),
        (lambda: lambda row: row.sum(),
         lambda f: tutti.map(f, numpy.ones((100000, 2)))),
        (lambda: lambda x: x[0], lambda f: tutti.expect(f, [(0, 1)], 1000)),
    ):
        gone = used(make, call)
        gc.collect()
        assert gone() is None

    f = numba.njit(lambda x: x * 2)
    assert (tutti.map(f, A) == A * 2).all()
    made = dict(vars(f)["_tutti_compiled"])
    assert (tutti.map(f, A) == A * 2).all()
    assert made and made == vars(f)["_tutti_compiled"]  # not compiled again
    assert pickle.loads(pickle.dumps(f))(3) == 6


CYTHON = """
cdef api double half(double x) noexcept nogil:
    return x / 2
cdef api double last(int n, double *x, void *user) noexcept nogil:
    return x[n - 1]
cdef api void block(size_t n, const double *x, double *out) noexcept nogil:
    cdef size_t i
    for i in range(n):
        out[i] = x[i] / 2
cdef api object thing(object x):
    return x
"""


@pytest.mark.skipif(not shutil.which("cython3"), reason="no cython3 here")
def test_cython(tmp_path, monkeypatch):
    text = CYTHON
    source = tmp_path / "capsules.pyx"
    source.write_text(text)
    command = ["cython3", "-3", str(source)]
    if subprocess.run(command, stderr=subprocess.DEVNULL).returncode:
        source.write_text(text.replace(" noexcept", ""))  # before Cython 3
        subprocess.run(command, check=True)
    subprocess.run(
        ["cc", "-O1", "-shared", "-fPIC", "-w", "capsules.c", "-o",
         "capsules.so", "-I" + sysconfig.get_path("include")],
        cwd=str(tmp_path), check=True)
    monkeypatch.syspath_prepend(str(tmp_path))
    api = importlib.import_module("capsules").__pyx_capi__
    for on in PLACES:
        assert (tutti.map(api["half"], A, on=on) == A / 2).all()
        assert (tutti.map(api["last"], ROWS, on=on) == ROWS[:, 2]).all()
        assert (tutti.map(api["block"], A, on=on) == A / 2).all()
    assert tutti.kernel(api["half"])(3) == 1.5
    with pytest.raises(ValueError, match="not an accepted signature"):
        tutti.map(api["thing"], A)
    with pytest.raises(TypeError, match="is mapped over one array"):
        tutti.map(api["half"], [1.0])
    del sys.modules["capsules"]


def test_without_the_lock(library):
    """Other threads of Python's go on while C runs."""
    k = tutti.kernel("double f(double x) { for (int i = 0; i < 2000; i++)"
                     " x = x * 0.999 + 1e-9; return x; }")
    turns, over = [0], threading.Event()

    def spin():
        while not over.wait(0.001):
            turns[0] += 1

    thread = threading.Thread(target=spin)
    thread.start()
    tutti.map(k, numpy.ones(100000), on="serial")
    before = turns[0]
    over.set()
    thread.join()
    assert before > 5


def test_nothing_is_imported():
    code = ("import sys, tutti, functools; tutti.map(functools.partial(abs), "
            "[1]); print([m for m in ('numpy', 'ctypes', 'numba', 'cffi', "
            "'scipy', 'tutti._native') if m in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True,
                          text=True, timeout=60, env=dict(os.environ))
    assert done.stdout == "[]\n", done.stderr
