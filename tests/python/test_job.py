"""What a worker is: its state, its streams of random numbers, its limits."""

import logging
import os
import subprocess
import sys
import warnings

import pytest

import tutti
from tutti import _state


def there(f, *args):
    """f(*args) in a worker."""
    return tutti.map(lambda args: f(*args), [args], on="processes:1")[0]


def umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.fixture
def own_umask():
    mask = umask()
    yield
    os.umask(mask)


def test_environment(monkeypatch):
    assert there(lambda: dict(os.environ)) == dict(os.environ)
    monkeypatch.setenv("TUTTI_TEST_SET", "caf\u00e9")
    monkeypatch.delenv("PATH")
    assert there(lambda: dict(os.environ)) == dict(os.environ)
    assert there(os.environ.get, "TUTTI_TEST_SET") == "caf\u00e9"
    program = "import os; print(os.environ.get('TUTTI_TEST_SET') is None)"
    monkeypatch.delenv("TUTTI_TEST_SET")
    assert there(
        subprocess.check_output, [sys.executable, "-c", program]
    ) == b"True\n"


def test_what_a_task_changes_is_put_back(monkeypatch, tmp_path):
    def spoil():
        os.environ["TUTTI_TEST_LEFT"] = "x"
        sys.path.insert(0, "/nowhere")
        os.umask(0o7)
        os.chdir("/")
        warnings.simplefilter("error")
        logging.disable(logging.CRITICAL)
        return os.getpid()

    def look():
        return (
            os.getpid(), os.environ.get("TUTTI_TEST_LEFT"), sys.path[0],
            umask(), os.getcwd(), [f[:1] + f[2:3] for f in warnings.filters],
            logging.root.manager.disable,
        )

    monkeypatch.chdir(tmp_path)
    pid = there(spoil)
    assert there(look) == (pid,) + look()[1:]


def test_umask(own_umask):
    for mask in (0o27, 0o2):
        os.umask(mask)
        assert there(umask) == mask


def test_deleted_folder(script):
    out, _ = script("""
import os, tempfile, tutti
folder = tempfile.mkdtemp()
os.chdir(folder)
os.rmdir(folder)
def f(x):
    try:
        return os.getcwd()
    except FileNotFoundError as error:
        return "as here"
print(tutti.map(f, [1], on="processes"))
""")
    assert out == "['as here']\n"


def test_folder_that_a_worker_cannot_enter():
    with pytest.raises(OSError, match="caller's working directory '/nowhere'"):
        _state._set_folder("/nowhere")


def test_path(monkeypatch, tmp_path):
    (tmp_path / "tt_late.py").write_text("x = 5\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    def load():
        import tt_late

        return tt_late.x, sys.path

    assert there(load) == (5, sys.path)


def test_folder_of_the_path_that_appears(monkeypatch, tmp_path):
    def is_there():
        from importlib import util

        return util.find_spec("tutti_test_late") is not None

    folder = tmp_path / "late"
    monkeypatch.syspath_prepend(str(folder))
    assert not there(is_there)
    folder.mkdir()
    (folder / "tutti_test_late.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert there(is_there)


def test_warning_filters():
    def count():
        with warnings.catch_warnings(record=True) as seen:
            warnings.warn("once", UserWarning)
            warnings.warn("never", DeprecationWarning)
        return [str(one.message) for one in seen]

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.filterwarnings("ignore", message="nev")
        assert there(count) == ["once"]
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="once"):
            there(warnings.warn, "once")


def test_log_levels():
    def look():
        log = logging.getLogger("tutti.test")
        return log.level, log.disabled, logging.root.level, log.manager.disable

    log = logging.getLogger("tutti.test")
    usual = look()
    assert there(look) == usual
    log.setLevel(logging.DEBUG)
    log.disabled = True
    logging.disable(logging.INFO)
    try:
        assert there(look) == look() != usual
    finally:
        log.setLevel(logging.NOTSET)
        log.disabled = False
        logging.disable(logging.NOTSET)
    assert there(look) == usual


def test_the_state_is_pickled_once_while_it_stays(monkeypatch):
    first = _state.snapshot()
    assert _state.snapshot()[1] is first[1]
    monkeypatch.setenv("TUTTI_TEST_SET", "1")
    second = _state.snapshot()
    assert second[0] != first[0] and second[1] != first[1]
    monkeypatch.setattr(sys, "path", sys.path + ["/nowhere"])
    assert _state.snapshot()[0] != second[0]


def test_random_streams_differ(script):
    """Also those of modules that are there before the fork."""
    pytest.importorskip("numpy")
    out, _ = script("""
import ctypes, os, random, time, tutti, numpy
def draw(x):
    time.sleep(0.05)
    libc = ctypes.CDLL(None)
    return (os.getpid(), random.random(), libc.rand(), libc.random(),
            libc.lrand48(), numpy.random.random())
rows = tutti.map(draw, range(8), on="processes:4")
assert len({row[0] for row in rows}) > 1
print([len(set(draws)) for draws in list(zip(*rows))[1:]])
""")
    assert out == "[8, 8, 8, 8, 8]\n"


LIMITED = """
import os, subprocess, sys, tutti
def f(x):
    import ctypes
    libc = ctypes.CDLL(None)
    libc.getenv.restype = ctypes.c_char_p
    return [libc.getenv(name) for name in (b"OMP_NUM_THREADS",
            b"OPENBLAS_NUM_THREADS", b"MKL_NUM_THREADS")], {
            k: v for k, v in os.environ.items() if k.endswith("_THREADS")}
print(tutti.map(f, [1], on="processes"))
"""


def test_blas_and_openmp_have_one_thread(script, monkeypatch):
    for name in _state.LIMITS:
        monkeypatch.delenv(name, raising=False)
    out, _ = script(LIMITED)
    assert out == "[([b'1', b'1', b'1'], {})]\n"
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    out, _ = script(LIMITED)
    assert out == "[([b'3', b'1', b'1'], {'OMP_NUM_THREADS': '3'})]\n"


def test_blas_of_a_worker(script):
    pytest.importorskip("numpy")
    pytest.importorskip("threadpoolctl")
    out, _ = script("""
import tutti
def f(x):
    import numpy, threadpoolctl
    return {pool["num_threads"] for pool in threadpoolctl.threadpool_info()}
print(tutti.map(f, [1], on="processes"))
""")
    assert out in ("[{1}]\n", "[set()]\n")
