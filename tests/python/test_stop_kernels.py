"""Ctrl-C in kernels and numbers that would run for minutes: it is raised soon,
nothing is left behind, the next call works."""

import contextlib
import ctypes
import os
import signal
import subprocess
import threading
import time

import pytest

import tutti

numpy = pytest.importorskip("numpy")

SOON = 10  # seconds, where the whole would take a minute or more

SPIN = """#include <time.h>
static void spin(void)
{
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    do
        clock_gettime(CLOCK_MONOTONIC, &b);
    while ((b.tv_sec - a.tv_sec) * 1e9 + (b.tv_nsec - a.tv_nsec) < 1e6);
}
"""
VALUE = SPIN + "double f(double x) { if (x >= 0) spin(); return x; }"
LATE = SPIN + "double f(double x) { if (x >= 4000) spin(); return x; }"
ROW = SPIN + "double f(const double *x, int n) { spin(); return x[n - 1]; }"
POINTS = SPIN + """void f(int n, size_t m, const double *x, double *out)
{
    for (size_t i = 0; i < m; i++, spin())
        out[i] = x[i] * n;
}"""
BLOCK = SPIN + """void f(size_t n, const double *x, double *out)
{
    for (size_t i = 0; i < n; i++, spin())
        out[i] = x[i];
}"""
EACH = SPIN + "void f(size_t i, double *out) { spin(); out[i] = 1; }"

N = 200000  # milliseconds, on one CPU
CUBE = [(0, 1)] * 2


@contextlib.contextmanager
def struck(after=0.3):
    """The body is interrupted, soon."""
    when = []

    def strike():
        when.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(after, strike)
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            yield
            time.sleep(60)
        assert time.monotonic() - when[0] < SOON
    finally:
        timer.cancel()
        timer.join()


@pytest.fixture(scope="module")
def x():
    return numpy.arange(float(N))


@pytest.mark.parametrize("text", [VALUE, LATE, BLOCK])
def test_called(text, x):
    k = tutti.kernel(text)
    with struck():
        k(x)
    assert (k(-x[:100]) == -x[:100]).all()


@pytest.mark.parametrize("on", ["serial", "auto", "threads:2", "openmp:2"])
@pytest.mark.parametrize("text", [VALUE, LATE, BLOCK])
def test_map(text, on, x):
    k = tutti.kernel(text)
    with struck():
        tutti.map(k, x, on=on)
    assert (tutti.map(k, x[:10], on=on) == x[:10]).all()


@pytest.mark.parametrize("text", [ROW, POINTS])
def test_rows(text, x):
    k = tutti.kernel(text)
    with struck():
        tutti.map(k, x.reshape(-1, 2))


def test_range():
    k = tutti.kernel(VALUE)
    with struck():
        tutti.map(k, range(N))


def test_launch():
    k = tutti.kernel(EACH)
    y = numpy.zeros(N)
    with struck():
        k.launch(N, y)
    assert 0 < y.sum() < N
    before = y.copy()
    time.sleep(0.05)
    assert (y == before).all()  # nobody writes there any more


@pytest.mark.parametrize("on", ["serial", "threads:2", "processes:2"])
def test_reduce(on):
    k = tutti.kernel(VALUE)
    with struck(1 if on.startswith("processes") else 0.3):
        tutti.reduce(k, range(100 * N), on=on)
    assert tutti.reduce(k, range(10), on=on) == 45


@pytest.mark.parametrize("how", [
    dict(samples=N, on="serial"), dict(samples=N, on="threads:2"),
    dict(samples=100 * N, on="serial"), dict(samples=N, method="lattice"),
    dict(stderr=1e-9),
    dict(samples=N, density="double d(const double *x, int n) { return 1; }"),
])
@pytest.mark.parametrize("text", [ROW, POINTS])
def test_expect(text, how):
    if "density" in how:
        how = dict(how, density=tutti.kernel(how["density"]))
    k = tutti.kernel(text)
    tutti.expect(k, CUBE, 1, density=how.get("density"))  # is compiled
    with struck():
        tutti.expect(k, CUBE, **how)


@pytest.fixture(scope="module")
def native(tmp_path_factory):
    folder = tmp_path_factory.mktemp("native")
    (folder / "f.c").write_text(VALUE)
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", "f.so", "f.c"],
                   cwd=str(folder), check=True)
    f = ctypes.CDLL(str(folder / "f.so")).f
    f.restype, f.argtypes = ctypes.c_double, [ctypes.c_double]
    return f


def test_native(native, x):
    with struck():
        tutti.map(native, x)
    with struck():
        tutti.expect(native, [(0, 1)], samples=N)
    assert (tutti.map(native, x[:10]) == x[:10]).all()


def test_a_handler_that_raises_nothing_ends_nothing():
    k = tutti.kernel(VALUE)
    seen = []
    before = signal.signal(signal.SIGINT, lambda *_: seen.append(1))
    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
    try:
        timer.start()
        assert (k(numpy.arange(400.)) == numpy.arange(400.)).all()
    finally:
        timer.join()
        signal.signal(signal.SIGINT, before)
    assert seen


def slow_compiler(folder, monkeypatch):
    """A compiler that leaves temporary files, has children, and stays."""
    script = folder / "slowcc"
    script.write_text(
        '#!/bin/sh\n: > "$TMPDIR/cc1.s"\nsleep 100 &\necho $! > %s/child\n'
        'sleep 100\n' % folder
    )
    script.chmod(0o755)
    monkeypatch.setenv("CC", str(script))
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))


def ends(pid):
    try:
        with open("/proc/%d/stat" % pid) as file:
            return ") Z" in file.read()
    except OSError:
        return True


@pytest.mark.parametrize("use", ["kernel", "expect"])
def test_compiler(use, tmp_path, monkeypatch):
    f = tutti.kernel("double f(double x) { return x + 41; }")
    slow_compiler(tmp_path, monkeypatch)
    with struck():
        if use == "kernel":
            tutti.kernel("double f(double x) { return x + 42; }")
        else:
            tutti.expect(f, [(0, 1)], samples=1000)
    assert not os.listdir(str(tmp_path / "cache" / "tutti" / "kernels"))
    child = int((tmp_path / "child").read_text())
    end = time.monotonic() + 10
    while not ends(child):
        assert time.monotonic() < end
        time.sleep(0.01)
    monkeypatch.undo()
    assert tutti.kernel("double f(double x) { return x + 42; }")(1) == 43
    assert tutti.expect(f, [(0, 1)], samples=1000).samples == 1000
