"""deterministic=True: one thread of linear algebra everywhere."""

import os
import sys
import threading

import pytest

import tutti
from tutti import _held

numpy = pytest.importorskip("numpy")
tool = pytest.importorskip("threadpoolctl")


def threads():
    return [pool["num_threads"] for pool in tool.threadpool_info()]


def look(x):
    return os.getpid(), threads()


@pytest.fixture
def wide(monkeypatch):
    """Libraries that may use two threads, also in workers."""
    for name in _held.LIMITS:
        monkeypatch.setenv(name, "2")
    with tool.threadpool_limits(2):
        if set(threads()) != {2}:
            pytest.skip("no library with a limit that can be set")
        yield


def test_in_any_place(on, wide):
    rows = tutti.map(look, range(20), on=on, deterministic=True)
    assert all(set(counts) == {1} for _, counts in rows)
    assert set(threads()) == {2}
    assert set(tutti.starmap(threads, [()], on="serial")[0]) == {2}


def test_a_failure_gives_back_what_was(wide):
    with pytest.raises(ZeroDivisionError):
        tutti.map(lambda x: x / 0, [1], on="serial", deterministic=True)
    assert set(threads()) == {2}


def test_maps_at_once(wide):
    inner, outer = threading.Event(), threading.Event()

    def wait(x):
        inner.set()
        assert outer.wait(30)
        return threads()

    got = []
    thread = threading.Thread(
        target=lambda: got.extend(
            tutti.map(wait, [1], on="serial", deterministic=True)
        )
    )
    thread.start()
    assert inner.wait(30)
    tutti.map(abs, [1], on="serial", deterministic=True)
    outer.set()
    thread.join()
    assert set(got[0]) == {1} and set(threads()) == {2}


def test_without_threadpoolctl(monkeypatch):
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    with pytest.raises(ImportError, match="deterministic=True needs threadpo"):
        tutti.map(abs, [1], deterministic=True)


def test_the_environment_is_as_before(script, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("MKL_NUM_THREADS", "3")
    out, _ = script("""
import subprocess, tutti
def show(x=0):
    print(subprocess.check_output(
        "echo $OMP_NUM_THREADS,$MKL_NUM_THREADS", shell=True))
tutti.map(show, [1], on="serial", deterministic=True)
show()
tutti.map(show, [1], on="processes:1", deterministic=True)
tutti.map(show, [1], on="processes:1")
""")
    assert out == "b'1,1\\n'\nb',3\\n'\nb'1,1\\n'\nb'1,3\\n'\n"


def test_same_bits():
    a = numpy.random.default_rng(1).random((300, 300))

    def f(k):
        return (a @ (a + k)).tobytes()

    serial = tutti.map(f, range(4), on="serial", deterministic=True)
    assert tutti.map(f, range(4), on="processes",
                     deterministic=True) == serial
