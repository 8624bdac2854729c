"""on= that names a Pool or an Executor."""

import os
import time

import pytest

import tutti


def begin(value):
    global MINE
    MINE = value


def add(x, y=0):
    return MINE + x + y, os.getpid()


def make_pool():
    return tutti.Pool(2, begin, (10,))


def make_executor():
    return tutti.Executor(2, initializer=begin, initargs=(10,))


@pytest.fixture(params=[make_pool, make_executor])
def workers(request):
    with request.param() as made:
        yield made


CALLS = [
    lambda n, **on: tutti.map(add, range(n), **on),
    lambda n, **on: tutti.map(add, iter(range(n)), **on),
    lambda n, **on: tutti.map(add, range(n), [0] * n, **on),
    lambda n, **on: tutti.map(add, range(n), deterministic=True, **on),
    lambda n, **on: tutti.starmap(add, [(x,) for x in range(n)], **on),
    lambda n, **on: list(tutti.imap(add, range(n), **on)),
    lambda n, **on: list(tutti.imap(add, range(n), [0] * n, **on)),
    lambda n, **on: sorted(tutti.imap_unordered(add, range(n), **on)),
]


@pytest.mark.parametrize("call", CALLS)
def test_tasks_run_in_its_workers(workers, call):
    if call is CALLS[3]:
        pytest.importorskip("threadpoolctl")
    got = call(200, on=workers)
    assert [value for value, _ in got] == list(range(10, 210))
    pids = {pid for _, pid in got}
    assert pids <= set(workers._own_crew().pids())
    assert call(0, on=workers) == []


def test_it_goes_on(workers):
    """What a map of its workers ends with is not their end."""
    with pytest.raises(ZeroDivisionError) as caught:
        tutti.map(lambda x: 1 // x, [1, 0], on=workers)
    assert caught.value.tutti.index == 1
    got = tutti.map(lambda x: 1 // x, [1, 0], on=workers, errors="return")
    assert got[0] == 1 and isinstance(got[1], ZeroDivisionError)
    with pytest.raises(tutti.WorkerLostError):
        tutti.map(os._exit, [3], on=workers)
    with pytest.raises(ZeroDivisionError):
        list(tutti.imap(lambda x: 1 // x, [1, 0], on=workers))
    endless = tutti.imap(lambda x: time.sleep(0.01) or x, iter(int, 1),
                         on=workers)
    assert next(endless) == 0
    endless.close()
    assert tutti.map(add, [1], on=workers)[0][0] == 11


def test_seed(workers):
    def draw(x):
        return tutti.task.rng.random()

    pytest.importorskip("numpy")
    expected = tutti.map(draw, range(5), seed=3)
    assert tutti.map(draw, range(5), seed=3, on=workers) == expected
    assert list(tutti.imap(draw, range(5), seed=3, on=workers)) == expected


def test_workers_is_a_cap():
    def where(x):
        time.sleep(0.01)
        return os.getpid()

    with tutti.Pool(3) as pool:
        assert len(set(tutti.map(where, range(20), on=pool, workers=1))) == 1
        got = set(tutti.imap(where, range(20), on=pool, workers=9))
        assert 1 < len(got) <= 3


def test_its_limits_hold():
    with tutti.Pool(2, task_timeout=0.3) as pool:
        for call in tutti.map, lambda *a, **on: list(tutti.imap(*a, **on)):
            with pytest.raises(tutti.TaskTimeoutError):
                call(time.sleep, [0, 60], on=pool)
        with pytest.raises(ValueError, match="the pool's own"):
            tutti.imap(abs, [1], on=pool, task_timeout=1)
        assert tutti.map(abs, [-1], on=pool, task_timeout=60) == [1]


@pytest.mark.parametrize("call", [tutti.map, tutti.imap])
def test_what_takes_no_tasks(call):
    pool = tutti.Pool(1)
    pool.close()
    with pytest.raises(ValueError, match="it was closed"):
        call(abs, [1], on=pool)
    pool.terminate()
    with pytest.raises(ValueError, match="it was terminated"):
        call(abs, [1], on=pool)
    pool.join()
    executor = tutti.Executor(1)
    executor.shutdown()
    with pytest.raises(RuntimeError, match="after shutdown"):
        call(abs, [1], on=executor)
    for wrong in None, 3, pool.map, tutti.Pool:
        with pytest.raises(TypeError, match="an open tutti.Pool"):
            call(abs, [1], on=wrong)


def test_a_broken_initializer():
    with tutti.Executor(1, initializer=divmod, initargs=(1, 0)) as executor:
        for _ in range(2):
            with pytest.raises(tutti.InitializerError):
                tutti.map(abs, [1], on=executor)
            with pytest.raises(tutti.InitializerError):
                list(tutti.imap(abs, [1], on=executor))


def test_a_broken_initializer_of_a_pool():
    with tutti.Pool(1, divmod, (1, 0)) as pool:
        for call in pool.map, lambda *a: tutti.map(*a, on=pool):
            with pytest.raises(tutti.InitializerError, match="ZeroDivision"):
                call(abs, [1])


def test_terminated_meanwhile():
    import threading

    with tutti.Pool(2) as pool:
        threading.Timer(0.3, pool.terminate).start()
        with pytest.raises(tutti.WorkerLostError):
            tutti.map(time.sleep, [60, 60], on=pool)


def test_environment_leaves_it(script, monkeypatch):
    monkeypatch.setenv("TUTTI_ON", "serial")
    out, _ = script("""
import os, tutti
def where(x):
    return os.getpid()
with tutti.Pool(2) as pool:
    found = pool.map(where, range(3)) + tutti.map(where, range(3), on=pool)
    found += tutti.map(where, iter(range(3)), on=pool)
    found += tutti.imap(where, range(3), on=pool)
print(os.getpid() in found)
""")
    assert out == "False\n"


def test_only_pools_collect_exceptions(workers):
    for items in range(9), iter(range(9)):
        with pytest.raises(ValueError, match="errors must be"):
            tutti.map(lambda x: 1 // x, items, on=workers, errors="collect")
