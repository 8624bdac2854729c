"""Kernels from C text: maps, reductions, launches, travel."""

import array
import math
import os
import pickle
import signal
import subprocess
import sys
import threading
import time

import numpy
import pytest

import tutti

SQUARE = "double f(double x) { return x * x + 1; }"
NORM = """
#include <math.h>
double norm(const double *row, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += row[i] * row[i];
    return sqrt(sum);
}"""
TYPES = {
    "float64": "double", "float32": "float", "int64": "int64_t",
    "int32": "int32_t", "uint64": "uint64_t", "uint32": "uint32_t",
}
PLACES = ["serial", "threads:2", "auto", "processes:2"]


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    """A cache of the tests' own."""
    old = os.environ.get("XDG_CACHE_HOME")
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))
    yield
    os.environ.pop("XDG_CACHE_HOME")
    if old is not None:
        os.environ["XDG_CACHE_HOME"] = old


@pytest.mark.parametrize("name", TYPES)
def test_types(name):
    k = tutti.kernel("%s f(%s x) { return x * 3 + 1; }" % ((TYPES[name],) * 2))
    a = numpy.arange(1000).astype(name)
    result = tutti.map(k, a)
    assert result.dtype == name
    assert (result == a * 3 + 1).all()
    assert (tutti.map(k, range(1000)) == result).all()
    assert (tutti.map(k, list(range(1000))) == result).all()
    assert k(7) == 22
    assert tutti.reduce(k, a) == result.sum()
    assert tutti.reduce(k, range(1000), "max") == result.max()
    assert tutti.reduce(None, a, "min") == 0


@pytest.mark.parametrize("on", PLACES)
def test_forms(on):
    a = numpy.random.default_rng(1).random((3000, 4))
    norms = numpy.sqrt((a * a).sum(axis=1))
    k = tutti.kernel(NORM)
    assert numpy.allclose(tutti.map(k, a, on=on), norms)
    assert tutti.map(k, a.reshape(30, 100, 4), on=on).shape == (30, 100)
    k = tutti.kernel("""
        void points(int n, size_t m, const double *x, double *out)
        {
            for (size_t i = 0; i < m; i++) {
                out[i] = 0;
                for (int d = 0; d < n; d++)
                    out[i] += x[d * m + i] * (d + 1);
            }
        }""")
    assert numpy.allclose(tutti.map(k, a, on=on), a @ [1, 2, 3, 4])
    k = tutti.kernel("""
        void rows(const double *row, int n, double *out)
        {
            for (int i = 0; i < n; i++)
                out[i] = row[n - 1 - i];
        }""")
    assert (tutti.map(k, a, on=on) == a[:, ::-1]).all()
    k = tutti.kernel("""
        void block(size_t n, const double *x, float *out)
        {
            for (size_t i = 0; i < n; i++)
                out[i] = x[i];
        }""")
    assert (tutti.map(k, a, on=on) == a.astype("float32")).all()
    k = tutti.kernel("double f(int n, double *x, void *user)"
                     "{ return x[n - 1] + (user != 0); }")
    assert (tutti.map(k, a, on=on) == a[:, -1]).all()


def test_width():
    k = tutti.kernel(
        "void ends(const int *row, int n, int *out)"
        "{ out[0] = row[0]; out[1] = row[n - 1]; }", width=2)
    a = numpy.arange(30, dtype="int32").reshape(10, 3)
    for on in "serial", "processes:2":
        assert (tutti.map(k, a, on=on) == a[:, [0, 2]]).all()
    assert (k(a[3]) == [9, 11]).all()
    with pytest.raises(ValueError, match="width must be 1 or more"):
        tutti.kernel(NORM, width=0)


def test_called():
    k = tutti.kernel(SQUARE)
    assert k(2) == 5 and type(k(2)) is float
    assert k(numpy.float32(2)) == 5
    assert (k(numpy.array([1.0, 2.0])) == [2, 5]).all()
    assert (k([1, 2]) == [2, 5]).all()
    assert (k(range(3)) == [1, 2, 5]).all()
    norm = tutti.kernel(NORM)
    assert norm([3, 4]) == 5 and type(norm([3, 4])) is float
    assert (norm([[3, 4], [6, 8]]) == [5, 10]).all()
    with pytest.raises(TypeError, match="must be a number of type float64"):
        k(numpy.datetime64("2000-01-01"))
    whole = tutti.kernel("int f(int x) { return x; }")
    with pytest.raises(OverflowError, match="does not fit int32"):
        whole(1 << 31)
    with pytest.raises(TypeError, match="number of type int32, got float"):
        whole(1.5)
    assert repr(k) == "<tutti.kernel double f(double x)>"
    assert (k.name, k.form, k.item, k.result) == (
        "f", "scalar", "float64", "float64")


def test_any_list_calls_it():
    k = tutti.kernel(SQUARE)
    assert list(tutti.imap(k, [1, 2])) == [2, 5]
    with tutti.Pool(2) as pool:
        assert pool.map(k, [1.0, 2.0]) == [2, 5]
        assert (tutti.map(k, numpy.arange(4.0), on=pool) == [1, 2, 5, 10]).all()
        assert tutti.reduce(k, numpy.arange(4.0), on=pool) == 18


class Wrapped:
    """As data frames and tensors are arrays."""

    def __init__(self, a):
        self.a = a

    def __array__(self, dtype=None, copy=None):
        return self.a


def test_memory_as_it_comes():
    k = tutti.kernel(SQUARE)
    a = numpy.arange(24.0).reshape(4, 6)
    assert (tutti.map(k, a[:, ::-2]) == a[:, ::-2] ** 2 + 1).all()
    assert (tutti.map(k, a.T) == a.T ** 2 + 1).all()
    odd = numpy.frombuffer(b"x" + a.tobytes(), "f8", offset=1)
    assert (tutti.map(k, odd) == (a ** 2 + 1).ravel()).all()
    a.flags.writeable = False
    assert tutti.map(k, a).shape == (4, 6)
    assert tutti.map(k, numpy.array(3.0)) == 10
    assert (tutti.map(k, memoryview(a)) == a ** 2 + 1).all()
    assert (tutti.map(k, array.array("d", [1, 2])) == [2, 5]).all()
    assert (tutti.map(k, Wrapped(a)) == a ** 2 + 1).all()
    assert (tutti.map(k, (x for x in (1, 2))) == [2, 5]).all()
    assert tutti.map(k, numpy.empty(0)).shape == (0,)
    assert tutti.map(k, []).shape == (0,)
    assert tutti.map(k, range(0)).shape == (0,)
    assert tutti.map(k, numpy.empty((0, 3)), on="processes:2").shape == (0, 3)
    assert tutti.map(tutti.kernel(NORM), numpy.empty((0, 3))).shape == (0,)


@pytest.mark.parametrize("items, kind, said", [
    (numpy.arange(3), TypeError, r"takes float64, got an array of int64"),
    (numpy.arange(3).astype(">f8"), TypeError, "got an array of >f8"),
    (["a"], TypeError, "takes numbers of type float64"),
    (5, TypeError, "takes an array or numbers of type float64, got int"),
    (range(1 << 60, 2 << 60, (1 << 58) + 1), ValueError, "holds exactly"),
])
def test_refuses_items(items, kind, said):
    with pytest.raises(kind, match=said):
        tutti.map(tutti.kernel(SQUARE), items)


@pytest.mark.parametrize("item, fits, not_", [
    ("double", range(2**53 - 1, 2**53 + 1), range(2**53, 2**53 + 2)),
    ("double", range(-2**60, 2**60, 2**50), range(1, 2**60, 2**50)),
    ("float", range(-2**24, -2**24 + 2), range(-2**24 - 1, -2**24)),
    ("int32_t", range(2**31 - 2, 2**31), range(2**31 - 1, 2**31 + 1)),
    ("uint32_t", range(1, -1, -1), range(1, -2, -1)),
    ("int64_t", range(-2**63, -2**63 + 2), range(2**70, 2**70 + 2)),
    ("uint64_t", range(2**62, 2**62 + 2), range(-1, 1)),
])
def test_ranges_hold_exactly(item, fits, not_):
    k = tutti.kernel("%s f(%s x) { return x; }" % (item, item))
    for on in "serial", "processes:2":
        assert tutti.map(k, fits, on=on).tolist() == list(fits)
        for call in tutti.map, tutti.reduce:
            with pytest.raises(ValueError, match="holds exactly"):
                call(k, not_, on=on)
    assert k(fits).tolist() == list(fits)
    with pytest.raises(ValueError, match="holds exactly"):
        k(not_)


def test_refuses():
    k = tutti.kernel(SQUARE)
    with pytest.raises(TypeError, match="mapped over one array, got 2"):
        tutti.map(k, [1], [2])
    with pytest.raises(ValueError, match="two dimensions or more"):
        tutti.map(tutti.kernel(NORM), numpy.arange(3.0))
    with pytest.raises(ValueError, match="with a value a row or more"):
        tutti.map(tutti.kernel(NORM), numpy.empty((3, 0)))
    with pytest.raises(OverflowError, match="a number does not fit"):
        tutti.map(tutti.kernel("int f(int x) { return x; }"), [1 << 40])
    with pytest.raises(TypeError, match="numbers of type int32, got a list of float64"):
        tutti.map(tutti.kernel("int f(int x) { return x; }"), [1.5])
    with pytest.raises(ValueError, match="nowhere"):
        tutti.map(k, range(3), on="nowhere")
    with pytest.raises(ValueError, match="workers must be 1"):
        tutti.map(k, range(3), workers=0)
    with pytest.raises(ValueError, match="errors must be"):
        tutti.map(k, range(3), errors="hide")


@pytest.mark.parametrize("text, kind, said", [
    ("double f(double x) { return y; }", ValueError, "kernel text:1:.*'y'"),
    ("\n\ndouble f(double x)\n{ return x +; }", ValueError, "kernel text:4:"),
    ("double f(short x) { return x; }", ValueError,
     "kernel text:1: 'double f.short x.' is not an accepted signature"),
    ("int f(int x) { return x; } int g(int x) { return x; }", ValueError,
     "2 functions could be meant: f, g; name one"),
    ("double f(double x) { return nowhere(x); } double nowhere(double);",
     ValueError, "nowhere"),
    ("x * x", ValueError, "is no C text, and names no function"),
    ("no-such-file.c:f", ValueError, "no-such-file.c"),
    ("libm.so.6:cbrt", ValueError, "needs its C signature"),
    (7, TypeError, "expects C text, a path, or a compiled function"),
])
def test_refuses_texts(text, kind, said):
    with pytest.raises(kind, match=said):
        tutti.kernel(text)


def test_names():
    text = "int f(int x) { return x; } int g(int x) { return 2 * x; }"
    assert tutti.kernel(text, "g")(3) == 6
    helped = "static int half(int x) { return x / 2; }" + text[:26]
    assert tutti.kernel(helped).name == "f"
    with pytest.raises(ValueError, match="no function 'h'.*it has f, g"):
        tutti.kernel(text, "h")
    floor = tutti.kernel("libm.so.6:floor", signature="double floor(double)")
    assert floor(2.7) == 2
    assert (tutti.map(floor, numpy.array([2.5, 3.5]),
                      on="processes:2") == [2, 3]).all()


def test_files(tmp_path, monkeypatch):
    (tmp_path / "twice.h").write_text("#define BY 2\n")
    (tmp_path / "twice.c").write_text(
        '#include "twice.h"\ndouble twice(double x) { return BY * x; }\n')
    monkeypatch.chdir(tmp_path)
    for k in (tutti.kernel("twice.c:twice"), tutti.kernel("twice.c", "twice")):
        assert k(4) == 8
        assert (tutti.map(k, [1, 2], on="processes:2") == [2, 4]).all()
    text = '#include "twice.h"\ndouble f(double x) { return BY * x; }'
    assert tutti.kernel(text)(3) == 6


def test_no_compiler(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(OSError, match="no C compiler.*apt-get install gcc"):
        tutti.kernel("double f(double x) { return x + 0.125; }")


@pytest.mark.parametrize("form", ["scalar", "row"])
def test_same_bits(form):
    """In all places, with any workers, of an array and of a range."""
    n = 200003
    if form == "scalar":
        k = tutti.kernel("double f(double x) { return 1 / (x + 0.7); }")
        a = numpy.arange(float(n))
    else:
        k = tutti.kernel(NORM)
        a = numpy.random.default_rng(2).random((n, 3)) - 0.5
    for op in "sum", "prod", "min", "max":
        for count in (5, 513, 70001, n):
            sums = {tutti.reduce(k, a[:count], op, on=on).hex()
                    for on in ("serial", "threads:1", "threads:3", "auto",
                               "processes:2", "processes:3")}
            if form == "scalar":
                sums |= {tutti.reduce(k, range(count), op, on=on).hex()
                         for on in ("serial", "threads:2", "processes:2")}
            assert len(sums) == 1
    exact = float(numpy.asarray(tutti.map(k, a)).astype("longdouble").sum())
    assert tutti.reduce(k, a) == pytest.approx(exact, rel=1e-14)


def test_reduces():
    assert tutti.reduce(None, numpy.array([1.0, numpy.nan, 3.0]), "max") != 3
    assert tutti.reduce(None, numpy.array([True, True])) == 2
    assert tutti.reduce(None, numpy.array([200, 100], "uint8")) == 300
    assert tutti.reduce(None, numpy.array([1 << 63, 1 << 63], "uint64")) == 0
    assert tutti.reduce(None, numpy.arange(10.0)[::-3], "prod") == 0
    assert tutti.reduce(None, numpy.arange(4.0), on="processes:2") == 6
    assert tutti.reduce(None, range(5)) == 10
    assert tutti.reduce(None, iter([3, 4]), "prod") == 12
    assert math.isnan(tutti.reduce(None, [2.0, math.nan, 1.0], "min"))
    assert math.isnan(tutti.reduce(float, ["2", "nan", "3"], "max"))
    assert tutti.reduce(abs, [-3, 2], "max", on="processes:2") == 3
    assert tutti.reduce(abs, [], "prod") == 1
    k = tutti.kernel(SQUARE)
    assert tutti.reduce(k, [], "sum") == 0
    assert tutti.reduce(k, numpy.empty(0), "prod", on="processes:2") == 1
    for nothing in ([], numpy.empty(0)):
        with pytest.raises(ValueError, match="min of no values|empty"):
            tutti.reduce(k, nothing, "min")
    with pytest.raises(ValueError, match="op must be 'sum'"):
        tutti.reduce(k, [1], "mean")
    with pytest.raises(TypeError, match="must be an array of"):
        tutti.reduce(None, numpy.array(["a"]))
    rows = tutti.kernel("void f(const int *row, int n, int *out) {}")
    with pytest.raises(TypeError, match="gives rows"):
        tutti.reduce(rows, numpy.ones((2, 2), "int32"))


def test_launch():
    k = tutti.kernel(
        "void f(size_t i, double a, const float *x, int64_t *y)"
        "{ y[i] = a * x[i]; }")
    x = numpy.arange(1000, dtype="float32")
    for on in "serial", "threads:2", "auto":
        y = numpy.zeros(1000, "int64")
        assert k.launch(1000, 3, x, y, on=on) is None
        assert (y == 3 * x).all()
    k.launch(0, 3, x, y)
    with pytest.raises(TypeError, match="argument 2 after i.*float32"):
        k.launch(9, 3, y, y)
    with pytest.raises(TypeError, match="argument 1 after i must be a number"):
        k.launch(9, x, x, y)
    with pytest.raises(ValueError, match="2 arguments after i, 3 expected"):
        k.launch(9, 3, x)
    with pytest.raises(ValueError, match="contiguous"):
        k.launch(9, 3, x, y[::2])
    odd = numpy.zeros(37, "uint8")[1:].view("float32")
    with pytest.raises(ValueError, match=r"aligned: copy it by \.copy\(\)"):
        k.launch(9, 3, odd, y)
    k.launch(9, 3, odd.copy(), y)
    y.flags.writeable = False
    with pytest.raises(ValueError, match="argument 3 after i is read-only"):
        k.launch(9, 3, x, y)
    with pytest.raises(ValueError, match="n must be 0 or more"):
        k.launch(-1, 3, x, y)
    with pytest.raises(tutti.Error, match="arrays of this process"):
        k.launch(9, 3, x, numpy.zeros(9, "int64"), on="processes:2")
    with pytest.raises(TypeError, match="has no result: run it by launch"):
        tutti.map(k, x)
    with pytest.raises(ValueError, match="is run for no index"):
        tutti.kernel(SQUARE).launch(3)


def test_pickles():
    k = tutti.kernel(SQUARE)
    assert pickle.loads(pickle.dumps(k))(2) == 5
    assert tutti.map(lambda x: k(x), [1, 2], on="processes:2") == [2, 5]


def test_threads_make_kernels():
    """One text in many threads at once, and others beside it."""
    found = []

    def work(i):
        k = tutti.kernel("double f(double x) { return x + %d; }" % (i % 3))
        found.append(k(i) - i % 3 == i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 12


def test_crash_is_told():
    k = tutti.kernel("int f(int x) { if (x == 3) __builtin_trap();"
                     " return x; }")
    with pytest.raises(tutti.WorkerLostError):
        tutti.map(k, range(10), on="processes:2")


def test_task_timeout():
    k = tutti.kernel("int f(int x) { for (volatile int i = 0; x == 3; i++); "
                     "return x; }")
    with pytest.raises(tutti.TaskTimeoutError):
        tutti.map(k, range(10), task_timeout=0.3)


def test_interrupt():
    """Between ranges, in the caller's thread."""
    k = tutti.kernel("double f(double x) { for (int i = 0; i < 20000; i++)"
                     " x = x * 0.999 + 1e-9; return x; }")
    a = numpy.ones(1000000)
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    for on in "serial", "threads:2":
        timer = threading.Timer(
            0.3, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            tutti.map(k, a, on=on)
        assert time.monotonic() - began < 10
        timer.join()


def test_progress():
    seen = []
    k = tutti.kernel("double f(double x) { for (int i = 0; i < 20000; i++)"
                     " x = x * 0.999 + 1e-9; return x; }")
    k._made.map(numpy.empty(20000), numpy.ones(20000), 1, 1, "serial", None,
                lambda done, n: seen.append((done, n)))
    assert seen[-1] == (20000, 20000)

    def broken(done, n):
        raise KeyError(done)

    with pytest.raises(KeyError):
        k._made.map(numpy.empty(20000), numpy.ones(20000), 1, 1, "serial",
                    None, broken)


def test_forced_place(tmp_path):
    code = """if True:
        import numpy, tutti
        k = tutti.kernel("double f(double x) { return x + 1; }")
        a = numpy.arange(3000000.0)
        assert (tutti.map(k, a) == a + 1).all()
        print(tutti.reduce(k, a), tutti.reduce(k, range(100)),
              tutti.reduce(None, a))
    """
    said = set()
    for on in "serial", "processes:2", "threads:2":
        done = subprocess.run(
            [sys.executable, "-c", code], env=dict(os.environ, TUTTI_ON=on),
            capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        said.add(done.stdout)
    assert len(said) == 1


def test_import_stays_light():
    code = ("import sys, tutti; tutti.kernel('int f(int x) { return x; }')(1);"
            "print('numpy' in sys.modules, 'ctypes' in sys.modules)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True,
                          text=True, timeout=60)
    assert done.stdout == "False False\n", done.stderr


def test_processes_race_for_an_empty_cache(tmp_path):
    """64 at once: no failure, one result."""
    code = ("import tutti; k = tutti.kernel("
            "'double f(double x) { return x * 1.25; }'); print(k(4))")
    env = dict(os.environ, XDG_CACHE_HOME=str(tmp_path))
    racers = [
        subprocess.Popen([sys.executable, "-c", code], env=env,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(64)
    ]
    ended = [racer.communicate(timeout=240) for racer in racers]
    assert {racer.returncode for racer in racers} == {0}, ended
    assert {out for out, _ in ended} == {b"5.0\n"}
    left = os.listdir(tmp_path / "tutti" / "kernels")
    assert len([name for name in left if name.endswith(".list")]) == 1
    assert not [name for name in left if name.startswith("build.")]


@pytest.mark.parametrize("on", ["serial", "threads:2"])
def test_nobody_is_lost_in_this_process(on):
    k = tutti.kernel("double f(double x) { return x + 1; }")
    assert list(tutti.map(k, range(3), on=on, retries=1)) == [1, 2, 3]
    with pytest.raises(ValueError, match="task_timeout"):
        tutti.map(k, range(3), on=on, task_timeout=1)
