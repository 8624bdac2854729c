"""The backend of joblib."""

import doctest
import os
import subprocess
import sys
import threading
import time

import pytest

joblib = pytest.importorskip("joblib")

import tutti  # noqa: E402
import tutti.joblib  # noqa: E402
from joblib import Parallel, delayed  # noqa: E402

new = hasattr(joblib, "parallel_config")  # 1.3
configure = joblib.parallel_config if new else joblib.parallel_backend
generators = pytest.mark.skipif(
    not new, reason="this joblib has no generators of results"
)


@pytest.fixture(autouse=True)
def backend():
    with configure("tutti"):
        yield


def double(k):
    return 2 * k


def slow(k):
    time.sleep(0.01)
    return k, os.getpid()


def test_doctests():
    result = doctest.testmod(tutti.joblib)
    assert result.attempted >= 2 and not result.failed


def test_results_in_order():
    for n in (0, 1, 2, 3, 10, 1000):
        got = Parallel(n_jobs=2)(delayed(double)(k) for k in range(n))
        assert got == [2 * k for k in range(n)]


def test_by_name():
    with configure("threading"):
        got = Parallel(n_jobs=2, backend="tutti", timeout=60)(
            delayed(slow)(k) for k in range(40))
    assert [k for k, _ in got] == list(range(40))
    assert len({pid for _, pid in got}) > 1


def test_arguments_of_all_kinds():
    got = Parallel(n_jobs=2)(
        delayed(int)("11", base=b) for b in range(2, 30))
    assert got == [b + 1 for b in range(2, 30)]
    got = Parallel(n_jobs=2)(
        delayed(f)(x) for f, x in [(abs, -1), (len, "abc"), (str, 5)] * 20)
    assert got == [1, 3, "5"] * 20
    got = Parallel(n_jobs=2)(delayed(lambda k: k + 1)(k) for k in range(50))
    assert got == list(range(1, 51))


@pytest.mark.parametrize("options", [
    {"batch_size": 1}, {"batch_size": 7}, {"pre_dispatch": "all"},
    {"pre_dispatch": 1}, {"pre_dispatch": "3*n_jobs"}, {"n_jobs": -1},
    {"n_jobs": 3}, {"n_jobs": None}, {"n_jobs": 1}, {"timeout": 60},
    {"verbose": 1}, {"max_nbytes": None, "mmap_mode": "r"},
])
def test_options(options, capfd):
    options = {"n_jobs": 2, **options}
    got = Parallel(**options)(delayed(slow)(k) for k in range(30))
    assert [k for k, _ in got] == list(range(30))


def test_how_many_jobs():
    backend = tutti.joblib.TuttiBackend()
    count = tutti.cpu_count()
    assert backend.effective_n_jobs(-1) == count
    assert backend.effective_n_jobs(-count - 5) == 1
    assert backend.effective_n_jobs(3) == 3
    assert backend.effective_n_jobs(None) == 1
    assert joblib.effective_n_jobs(-1) == count
    with pytest.raises(ValueError):
        Parallel(n_jobs=0)(delayed(abs)(k) for k in range(3))


def test_long_tasks_go_to_workers():
    got = Parallel(n_jobs=2)(delayed(slow)(k) for k in range(100))
    theirs = {pid for _, pid in got[50:]}
    assert len(theirs) == 2 and os.getpid() not in theirs


def test_the_first_task_is_long():
    def f(k):
        time.sleep(2)
        return os.getpid()

    pids = Parallel(n_jobs=2)(delayed(f)(k) for k in range(2))
    assert pids[0] == os.getpid() != pids[1]


def test_tiny_tasks_stay():
    got = Parallel(n_jobs=2)(delayed(os.getpid)() for k in range(5000))
    assert set(got) == {os.getpid()}


def test_workers_are_used_again():
    run = Parallel(n_jobs=2, timeout=60)
    first = {pid for _, pid in run(delayed(slow)(k) for k in range(20))}
    second = {pid for _, pid in run(delayed(slow)(k) for k in range(20))}
    assert first == second


def test_as_a_context():
    with Parallel(n_jobs=2) as run:
        for n in (3, 50):
            assert run(delayed(double)(k) for k in range(n)) == [
                2 * k for k in range(n)]


def fail(k):
    if k == 30:
        raise KeyError("thirty")
    time.sleep(0.002)
    return k


@pytest.mark.parametrize("options", [{}, {"timeout": 60}])
def test_exceptions_keep_their_type(options):
    run = Parallel(n_jobs=2, **options)
    with pytest.raises(KeyError, match="thirty"):
        run(delayed(fail)(k) for k in range(100))
    assert run(delayed(double)(k) for k in range(5)) == [0, 2, 4, 6, 8]


def test_input_that_fails():
    def calls():
        for k in range(20):
            yield delayed(slow)(k)
        raise LookupError("input")

    with pytest.raises(LookupError, match="input"):
        Parallel(n_jobs=2)(calls())


@pytest.mark.parametrize("options", [{}, {"timeout": 60}])
def test_a_misplaced_parenthesis(options):
    with pytest.raises(TypeError, match="misplaced parenthesis"):
        Parallel(n_jobs=2, **options)(delayed(double(k)) for k in range(50))


def test_a_type_error_of_the_task_is_its_own():
    with pytest.raises(TypeError, match="bad operand"):
        Parallel(n_jobs=2)(delayed(abs)("a") for k in range(3))


def test_timeout():
    begin = time.monotonic()
    with pytest.raises(TimeoutError) as caught:
        Parallel(n_jobs=2, timeout=0.3)(
            delayed(time.sleep)(s) for s in (0, 60, 0))
    assert isinstance(caught.value, tutti.TaskTimeoutError)
    assert time.monotonic() - begin < 50
    assert Parallel(n_jobs=2, timeout=30)(
        delayed(double)(k) for k in range(3)) == [0, 2, 4]


def test_a_worker_that_dies():
    with pytest.raises(tutti.WorkerLostError):
        Parallel(n_jobs=2, timeout=60)(
            delayed(os._exit)(1) for k in range(3))
    assert Parallel(n_jobs=2, timeout=60)(
        delayed(double)(k) for k in range(3)) == [0, 2, 4]


def test_what_cannot_travel():
    with pytest.raises(tutti.UnpicklableError):
        Parallel(n_jobs=2, timeout=60)(
            delayed(abs)(threading.Lock()) for k in range(3))


def test_large_arrays_arrive_writable():
    numpy = pytest.importorskip("numpy")

    def f(a):
        a += 1
        return a.sum(), a

    data = numpy.zeros(1 << 18)
    for total, a in Parallel(n_jobs=2, timeout=60)(
            delayed(f)(data) for k in range(4)):
        assert total == 1 << 18 and a.shape == data.shape
    assert data.sum() == 0


def nested(k):
    inner = Parallel(n_jobs=2)(delayed(slow)(k * j) for j in range(5))
    return [value for value, _ in inner], {pid for _, pid in inner}


@pytest.mark.parametrize("options", [{}, {"timeout": 60}])
def test_nested(options):
    got = Parallel(n_jobs=2, **options)(delayed(nested)(k) for k in range(6))
    assert [values for values, _ in got] == [
        [k * j for j in range(5)] for k in range(6)]
    for _, pids in got:
        assert len(pids) == 1 or os.getpid() in pids


def threads(name):
    """Of a library that is loaded in this process."""
    import numpy  # noqa: F401
    from threadpoolctl import threadpool_info

    return {one["num_threads"] for one in threadpool_info()}, os.getenv(name)


def test_limits_of_threads():
    pytest.importorskip("threadpoolctl")
    pytest.importorskip("numpy")
    with configure("tutti", n_jobs=2, inner_max_num_threads=1):
        for found, _ in Parallel(timeout=60)(
                delayed(threads)("OMP_NUM_THREADS") for _ in range(4)):
            assert found <= {1}
    with configure("tutti", n_jobs=2, inner_max_num_threads=2):
        for found, said in Parallel(timeout=60)(
                delayed(threads)("OMP_NUM_THREADS") for _ in range(4)):
            assert found <= {2} and said == "2"


@generators
@pytest.mark.parametrize("kind", ["generator", "generator_unordered"])
def test_generators(kind):
    got = Parallel(n_jobs=2, return_as=kind)(
        delayed(slow)(k) for k in range(50))
    assert not isinstance(got, list)
    values = [k for k, _ in got]
    assert sorted(values) == list(range(50))
    assert kind == "generator_unordered" or values == list(range(50))


@generators
def test_a_generator_that_is_dropped():
    got = Parallel(n_jobs=2, return_as="generator")(
        delayed(slow)(k) for k in range(10000))
    assert next(got)[0] == 0
    with pytest.warns(UserWarning):
        del got
    assert Parallel(n_jobs=2)(
        delayed(double)(k) for k in range(3)) == [0, 2, 4]


@generators
def test_a_generator_that_fails():
    got = Parallel(n_jobs=2, return_as="generator")(
        delayed(fail)(k) for k in range(100))
    with pytest.raises(KeyError, match="thirty"):
        list(got)


def test_in_threads():
    got = {}

    def run(name):
        with configure("tutti"):
            got[name] = [k for k, _ in Parallel(n_jobs=2)(
                delayed(slow)(k) for k in range(30))]

    made = [threading.Thread(target=run, args=(n,)) for n in range(3)]
    for thread in made:
        thread.start()
    for thread in made:
        thread.join()
    assert got == {n: list(range(30)) for n in range(3)}


def test_grid_search():
    pytest.importorskip("sklearn", reason="python3-sklearn is not installed")
    done = subprocess.run([sys.executable, "-c", """
import warnings
warnings.simplefilter("ignore")
import joblib, tutti.joblib
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.svm import SVC
X, y = load_iris(return_X_y=True)
def search(**options):
    made = GridSearchCV(SVC(), {"C": [.1, 1, 10, 100], "kernel": [
        "linear", "rbf"]}, **options)
    return made.fit(X, y).cv_results_["mean_test_score"].tolist()
want = search()
with joblib.parallel_backend("tutti"):
    assert search(n_jobs=2) == want
"""], stderr=subprocess.PIPE, universal_newlines=True, timeout=100)
    assert done.returncode == 0 and done.stderr == "", done.stderr
