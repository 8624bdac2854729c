"""tutti.Pool, beyond what CPython's own tests of Pool say."""

import collections
import gc
import itertools
import multiprocessing
import multiprocessing.pool
import os
import pickle
import queue
import signal
import sys
import threading
import time
import warnings

import pytest

import tutti
from conftest import alive


def square(x):
    return x * x


def add(a, b=0):
    return a + b


def odd(x):
    if x % 2 == 0:
        raise ValueError(x)
    return x


def mark(folder, x):
    open(os.path.join(folder, str(x)), "w").close()
    return x


def pid_of(x):
    return os.getpid()


def slow(x):
    time.sleep(x)
    return x


def test_every_call(pool):
    pairs = [(1, 2), (3, 4)]
    assert pool.apply(add, (1,), {"b": 2}) == 3
    assert pool.apply_async(add, (1,), {"b": 2}).get() == 3
    assert pool.map(square, range(50)) == [x * x for x in range(50)]
    assert pool.map_async(square, range(50)).get() == pool.map(
        square, range(50))
    assert pool.starmap(add, pairs) == [3, 7]
    assert pool.starmap_async(add, pairs).get() == [3, 7]
    assert list(pool.imap(square, range(50))) == pool.map(square, range(50))
    assert sorted(pool.imap_unordered(square, range(50))) == pool.map(
        square, range(50))


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_chunks_change_no_result(pool, size):
    expected = [x * x for x in range(20)]
    assert pool.map(square, range(20), size) == expected
    assert pool.map_async(square, iter(range(20)), size).get() == expected
    assert list(pool.imap(square, range(20), size)) == expected
    assert sorted(pool.imap_unordered(square, range(20), size)) == expected
    assert pool.starmap(add, zip(range(20), range(20)), size) == [
        2 * x for x in range(20)]


@pytest.mark.parametrize("items", [
    [], (), range(3), "abc", b"abc", {1, 2}, {"a": 1, "b": 2}, iter([1, 2]),
    collections.deque([1, 2, 3]),
])
def test_iterables(pool, items):
    expected = list(items)
    again = expected if iter(items) is items else items
    assert pool.map(lambda x: x, again) == expected
    assert pool.map_async(lambda x: x, again).get() == expected
    assert list(pool.imap(lambda x: x, again)) == expected


def test_rows_of_an_array(pool):
    numpy = pytest.importorskip("numpy")
    rows = numpy.arange(12).reshape(4, 3)
    for chunksize in None, 2:
        sums = pool.map(sum, rows, chunksize)
        assert [int(x) for x in sums] == [3, 12, 21, 30]


def test_functions_without_a_name(pool):
    k = 3
    assert pool.apply(lambda x: x + k, (1,)) == 4
    assert pool.map(lambda x: x + k, [1, 2], chunksize=1) == [4, 5]
    assert list(pool.imap(lambda x: x + k, [1, 2])) == [4, 5]


def test_the_caller_runs_no_task(pool):
    for _ in range(5):
        pids = set(pool.map(pid_of, range(100)))
        pids.add(pool.apply(os.getpid))
        assert os.getpid() not in pids
        assert pids <= {worker.pid for worker in pool._pool}


def test_callbacks(pool):
    got = []
    pool.apply_async(square, (3,), callback=got.append).wait()
    pool.map_async(square, [1, 2], callback=got.append).wait()
    pool.apply_async(odd, (2,), callback=got.append,
                     error_callback=lambda e: got.append(e.args)).wait()
    assert got == [9, [1, 4], (2,)]


def test_a_callback_that_fails_is_reported(pool, capsys):
    def broken(value):
        raise LookupError("in the callback")

    assert pool.apply_async(square, (3,), callback=broken).get() == 9
    assert "LookupError: in the callback" in capsys.readouterr().err


def test_a_callback_that_exits_is_reported_too(pool, capsys):
    for _ in range(10):  # more than a pool has threads for maps
        result = pool.map_async(square, [3], callback=lambda _: sys.exit("so"))
        assert result.get(60) == [9]
    result = pool.apply_async(square, (3,), callback=lambda _: sys.exit("so"))
    assert result.get(60) == 9
    assert capsys.readouterr().err.count("SystemExit: so") == 11


def test_async_result(pool):
    result = pool.apply_async(slow, (0.3,))
    assert not result.ready()
    with pytest.raises(ValueError, match="not ready"):
        result.successful()
    with pytest.raises(multiprocessing.TimeoutError):
        result.get(timeout=0.01)
    result.wait(0.01)
    assert result.get(60) == 0.3
    assert result.ready() and result.successful()
    failed = pool.apply_async(odd, (2,))
    failed.wait()
    assert failed.ready() and not failed.successful()


def test_results_outlive_the_pool():
    result = tutti.Pool(1).apply_async(square, (3,))
    gc.collect()
    assert result.get(60) == 9
    gc.collect()


@pytest.mark.parametrize("size", [None, 1, 3, 100])
def test_a_map_that_fails_keeps_what_was_computed(pool, size):
    with pytest.raises(ValueError) as caught:
        pool.map(odd, range(1, 9), size)
    error = caught.value
    assert error.args == (2,) and error.tutti.index == 1
    assert error.tutti.results[::2] == [1, 3, 5, 7]
    assert error.tutti.results[1::2] == [tutti.MISSING] * 4
    assert type(error.__cause__) is multiprocessing.pool.RemoteTraceback
    assert "raise ValueError(x)" in error.__cause__.tb


def test_exceptions_that_are_results(pool):
    for size in None, 1:
        got = pool.map(ValueError, [1, 2], size)
        assert [type(x) for x in got] == [ValueError, ValueError]
    with pytest.raises(ZeroDivisionError) as caught:
        pool.map(lambda x: ValueError(1 / x), [1, 0])
    assert type(caught.value.tutti.results[0]) is ValueError


def test_all_tasks_run_when_one_fails(pool, tmp_path):
    def task(x):
        mark(str(tmp_path), x)
        return odd(x)

    for size in None, 3:
        with pytest.raises(ValueError):
            pool.map(task, range(10), size)
        assert len(os.listdir(str(tmp_path))) == 10
        for name in os.listdir(str(tmp_path)):
            os.remove(os.path.join(str(tmp_path), name))


@pytest.mark.parametrize("size", [1, 2, 100])
def test_imap_goes_on_behind_a_failure(pool, size):
    outcomes = []
    results = pool.imap(odd, range(1, 6), size)
    while True:
        try:
            outcomes.append(next(results))
        except ValueError as error:
            outcomes.append(error.args)
        except StopIteration:
            break
    assert outcomes == [1, (2,), 3, (4,), 5]


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("call", ["imap", "imap_unordered"])
def test_imap_draws_no_more_than_it_needs(pool, call, size):
    drawn = itertools.count()
    results = getattr(pool, call)(square, (next(drawn) for _ in iter(int, 1)),
                                  size)
    for taken in range(1, 40):
        next(results)
        assert next(drawn) < 2 * taken + 50 * size
    del results


def test_imap_of_what_waits_for_its_results(pool):
    """The next item comes only when the result of the one before is there."""
    line = queue.Queue()
    line.put(2)
    got = []
    for result in pool.imap(square, iter(line.get, None)):
        got.append(result)
        line.put(result if result < 1000 else None)
    assert got == [4, 16, 256, 65536]


@pytest.mark.parametrize("items", [lambda: range(5),
                                   lambda: (x for x in range(5))])
@pytest.mark.parametrize("call", ["imap", "imap_unordered"])
def test_imap_of_many_readers(pool, call, items):
    results = getattr(pool, call)(square, items())
    got = []
    readers = [threading.Thread(target=lambda: got.extend(results))
               for _ in range(3)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(60)
    assert sorted(got) == [0, 1, 4, 9, 16]


def test_imap_next_with_a_timeout(pool):
    results = pool.imap(slow, [0.3])
    with pytest.raises(multiprocessing.TimeoutError):
        results.next(timeout=0.01)
    assert results.next(timeout=60) == 0.3
    with pytest.raises(StopIteration):
        results.next(timeout=60)
    blocked = threading.Event()
    results = pool.imap(square, iter(blocked.wait, True))
    with pytest.raises(multiprocessing.TimeoutError):
        results.next(timeout=0.01)
    blocked.set()
    with pytest.raises(StopIteration):
        results.next(timeout=60)


def test_imap_of_an_iterable_that_fails(pool):
    def items():
        yield 1
        raise LookupError("items")

    results = pool.imap(square, items())
    assert next(results) == 1
    with pytest.raises(LookupError, match="items"):
        next(results)
    with pytest.raises(StopIteration):
        next(results)
    results = pool.imap_unordered(square, items())
    with pytest.raises(LookupError, match="items"):
        list(results)


@pytest.mark.parametrize("items", [range(60), None])
@pytest.mark.parametrize("join", [False, True])
def test_imap_that_is_read_after_close(items, join):
    pool = tutti.Pool(2)
    results = pool.imap(square, items or (x for x in range(60)))
    pool.close()
    if join:
        pool.join()
    assert list(results) == [x * x for x in range(60)]
    pool.join()


@pytest.mark.parametrize("lazy", [False, True])
def test_imap_that_nobody_reads_is_run(tmp_path, lazy):
    pool = tutti.Pool(2)
    folder = str(tmp_path)
    items = (x for x in range(60)) if lazy else range(60)
    pool.imap_unordered(lambda x: mark(folder, x), items)
    pool.close()
    pool.join()
    assert len(os.listdir(folder)) == 60


@pytest.mark.parametrize("lazy", [False, True])
def test_imap_that_is_left_half_read_ends(lazy):
    pool = tutti.Pool(2)
    items = itertools.count() if lazy else range(10 ** 9)
    for result in pool.imap(square, items):
        if result > 100:
            break
    pool.close()
    pool.join()


@pytest.mark.parametrize("lazy", [False, True])
def test_imap_of_a_terminated_pool_is_not_just_shorter(lazy):
    pool = tutti.Pool(2)
    results = pool.imap(square, (x for x in range(500)) if lazy
                        else range(500))
    assert next(results) == 0
    time.sleep(0.05)
    pool.terminate()
    with pytest.raises(tutti.WorkerLostError, match="terminated"):
        list(results)
    pool.join()


def test_a_closed_pool(tmp_path):
    pool = tutti.Pool(2)
    with pytest.raises(ValueError, match="still running"):
        pool.join()
    results = [pool.apply_async(slow, (0.05,)) for _ in range(8)]
    pool.close()
    for call in (pool.apply, pool.apply_async):
        with pytest.raises(ValueError, match="Pool not running.*closed"):
            call(square, (1,))
    for call in (pool.map, pool.map_async, pool.imap, pool.imap_unordered,
                 pool.starmap, pool.starmap_async):
        with pytest.raises(ValueError, match="Pool not running"):
            call(square, [1])
    with pytest.raises(ValueError, match="Pool not running"):
        pool.__enter__()
    pids = [worker.pid for worker in pool._pool]
    pool.join()
    assert [result.get() for result in results] == [0.05] * 8
    assert not any(alive(pid) for pid in pids)
    pool.close()
    pool.terminate()
    pool.join()


def test_a_terminated_pool():
    pool = tutti.Pool(2)
    pids = [worker.pid for worker in pool._pool]
    assert len(pids) == 2
    results = [pool.apply_async(slow, (60,)) for _ in range(4)]
    pool.terminate()
    pool.join()
    for result in results:
        with pytest.raises(tutti.WorkerLostError, match="terminated"):
            result.get(60)
    assert not any(alive(pid) for pid in pids)
    with pytest.raises(ValueError, match="Pool not running.*terminated"):
        pool.map(square, [1])


def test_a_map_ends_when_its_pool_is_terminated():
    pool = tutti.Pool(2)
    threading.Timer(0.3, pool.terminate).start()
    with pytest.raises((tutti.WorkerLostError, ValueError)):
        pool.map(slow, [60] * 4)
    pool.join()


def test_with_ends_the_pool():
    with tutti.Pool(2) as pool:
        pids = [worker.pid for worker in pool._pool]
    pool.join()
    assert not any(alive(pid) for pid in pids)


def test_a_pool_that_is_dropped_warns_and_ends():
    pool = tutti.Pool(2)
    pids = [worker.pid for worker in pool._pool]
    with pytest.warns(ResourceWarning, match="unclosed running"):
        del pool
        gc.collect()
    until = time.monotonic() + 30
    while any(alive(pid) for pid in pids):
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_closed_pool_that_is_dropped_does_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pool = tutti.Pool(1)
        pool.close()
        del pool
        gc.collect()


def test_workers_share_the_first_ranges():
    """Each worker gets a range before one gets a second."""
    def task(x):
        return os.getpid()

    for _ in range(20):
        with tutti.Pool(4) as pool:
            assert len(set(pool.map(task, range(1, 9)))) == 4


def test_a_worker_hands_back_what_it_has_not_begun(pool):
    def task(x):
        if x:
            time.sleep(x)
        return os.getpid()

    pool.map(task, [0] * 1000)  # known to be short now: large chunks
    pids = pool.map(task, [0.03] * 10 + [0] * 10)
    assert len(set(pids[:10])) == 2


def test_tasks_that_raise_stop_iteration(pool):
    """A loop in C would take that for its end."""
    def stop(x):
        if x == 3:
            raise StopIteration(x)
        return x

    for size in None, 2:
        with pytest.raises(StopIteration) as caught:
            pool.map(stop, range(6), size)
        assert caught.value.tutti.index == 3
        assert caught.value.tutti.results == [0, 1, 2, tutti.MISSING, 4, 5]


def test_processes():
    with tutti.Pool() as pool:
        assert pool._processes == tutti.cpu_count()
    with tutti.Pool(3) as pool:
        assert len(pool._pool) == 3
        assert all(worker.is_alive() for worker in pool._pool)
        assert "state=RUN pool_size=3" in repr(pool)


def hello(*words):
    global GREETING
    GREETING = words


def greeting():
    return GREETING


def test_initializer():
    with tutti.Pool(2, hello, ("a", "b")) as pool:
        assert pool.apply(greeting) == ("a", "b")
        assert set(pool.map(lambda x: greeting(), range(8))) == {("a", "b")}


def test_share():
    def lookup(x):
        return TABLE[x]  # noqa: F821

    with tutti.Pool(2, share={"TABLE": {1: "one", 2: "two"}}) as pool:
        assert pool.map(lookup, [1, 2, 1]) == ["one", "two", "one"]


def test_share_in_main(script):
    out, _ = script("""
import tutti
def lookup(x):
    return TABLE[x]
pool = tutti.Pool(2, share={"TABLE": [10, 20]})
print(pool.map(lookup, [0, 1]), pool.apply(lookup, (1,)))
pool.close()
pool.join()
""")
    assert out == "[10, 20] 20\n"


def test_maxtasksperchild():
    with tutti.Pool(1, maxtasksperchild=2) as pool:
        pids = [pool.apply(os.getpid) for _ in range(6)]
        assert len(set(pids)) == 3
        assert len(set(pool.map(pid_of, range(6), chunksize=1))) >= 3
        assert pool.map(square, range(100)) == [x * x for x in range(100)]


def test_task_timeout():
    with tutti.Pool(2, task_timeout=0.3) as pool:
        with pytest.raises(tutti.TaskTimeoutError):
            pool.apply(slow, (60,))
        with pytest.raises(tutti.TaskTimeoutError, match="task 1"):
            pool.map(slow, [0, 60])
        assert pool.map(square, range(10)) == [x * x for x in range(10)]


def die(path=None):
    if path is not None and os.path.exists(path):
        return "lived"
    if path is not None:
        open(path, "w").close()
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_dies_costs_its_task_only(pool):
    others = [pool.apply_async(slow, (0.2,)) for _ in range(3)]
    with pytest.raises(tutti.WorkerLostError):
        pool.apply(die)
    assert [other.get(60) for other in others] == [0.2] * 3


def test_a_map_whose_worker_dies(pool):
    for size in None, 1:
        with pytest.raises(tutti.WorkerLostError) as caught:
            pool.map(lambda x: die() if x == 5 else x, range(10), size)
    error = caught.value
    assert error.tutti.index == 5 and "it ran task 5" in str(error)
    for i, result in enumerate(error.tutti.results):
        assert result in (i, tutti.MISSING)
    assert error.tutti.results[5] is tutti.MISSING


def test_retries(tmp_path):
    with tutti.Pool(2, retries=1) as pool:
        assert pool.apply(die, (str(tmp_path / "once"),)) == "lived"
        assert pool.map(die, [str(tmp_path / "again")]) == ["lived"]


def test_arguments_that_cannot_travel(pool):
    """multiprocessing raises what their pickling raised; so do we."""
    for call in (lambda: pool.apply(square, (threading.Lock(),)),
                 lambda: pool.map(square, [threading.Lock()]),
                 lambda: pool.map(square, [threading.Lock()], 1),
                 lambda: list(pool.imap(square, [threading.Lock()]))):
        with pytest.raises(TypeError) as caught:
            call()
        assert isinstance(caught.value, tutti.UnpicklableError)
        assert "cannot pickle" in str(caught.value)


def test_results_that_cannot_travel(pool):
    for call in (lambda: pool.apply(threading.Lock),
                 lambda: pool.apply_async(threading.Lock).get(),
                 lambda: pool.map(lambda x: threading.Lock(), [1]),
                 lambda: list(pool.imap(lambda x: threading.Lock(), [1]))):
        with pytest.raises(multiprocessing.pool.MaybeEncodingError) as caught:
            call()
        assert isinstance(caught.value, tutti.UnpicklableError)
        assert caught.value.exc and caught.value.value


@pytest.mark.parametrize("call, kind, sentence", [
    (lambda pool: pool.map(3, [1]), TypeError, "expected a function, got 3"),
    (lambda pool: pool.map(square, 3), TypeError, "an iterable .* got 3"),
    (lambda pool: pool.imap(square, 3), TypeError, "an iterable .* got 3"),
    (lambda pool: pool.map(square, [1], 0), ValueError, "Chunksize .* not 0"),
    (lambda pool: pool.imap(square, [1], 0), ValueError, "Chunksize .* not 0"),
    (lambda pool: pool.map(add, [1], [2]), TypeError, "starmap"),
    (lambda pool: pool.apply(square, 3), TypeError, "one argument is"),
    (lambda pool: pool.map(items_of, [1]), TypeError, "generator"),
    (lambda pool: tutti.Pool(0), ValueError, "at least 1, got 0"),
    (lambda pool: tutti.Pool("4"), TypeError, "whole number, got '4'"),
    (lambda pool: tutti.Pool(1, 3), TypeError, "initializer .* got 3"),
    (lambda pool: tutti.Pool(1, hello, 3), TypeError, "tuple"),
    (lambda pool: tutti.Pool(1, maxtasksperchild=0), ValueError, "positive"),
    (lambda pool: tutti.Pool(1, share=[1]), TypeError, "share must be"),
    (lambda pool: pickle.dumps(pool), NotImplementedError, "cannot be passed"),
])
def test_misuse(pool, call, kind, sentence):
    with pytest.raises(kind, match=sentence) as caught:
        call(pool)
    assert "\n" not in str(caught.value)


def items_of(x):
    yield x


def set_and_add(lock, value, queue_):
    global BESIDE
    BESIDE = lock, value, queue_


def count(x):
    lock, value, results = BESIDE
    with lock:
        value.value += x
    results.put(x)


def test_what_multiprocessing_makes_works_beside():
    lock, value = multiprocessing.Lock(), multiprocessing.Value("i", 0)
    results = multiprocessing.Queue()
    with tutti.Pool(2, set_and_add, (lock, value, results)) as pool:
        pool.map(count, range(10))
        assert value.value == 45
        assert sorted(results.get(timeout=60) for _ in range(10)) == list(
            range(10))
    results.close()
    with multiprocessing.Manager() as manager, tutti.Pool(2) as pool:
        shared = manager.list()
        pool.starmap(add_to, [(shared, x) for x in range(4)], 1)
        assert sorted(shared) == [0, 1, 2, 3]
    with multiprocessing.pool.ThreadPool(2) as threads:
        assert threads.map(square, [1, 2]) == [1, 4]


def add_to(shared, x):
    shared.append(x)


def test_a_forked_child_has_no_pool(pool):
    assert pool.apply(square, (3,)) == 9
    child = os.fork()
    if child == 0:
        status = 1
        try:
            for call in (lambda: pool.apply(square, (3,)),
                         lambda: pool.apply_async(square, (3,)),
                         lambda: pool.map(square, [3])):
                with pytest.raises(RuntimeError, match="forked"):
                    call()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert pool.map(square, [3]) == [9]


@pytest.mark.parametrize("how", ["file", "-c", "stdin"])
def test_no_guard_is_needed(script, how):
    out, err = script("""
import tutti
def square(x):
    return x * x
pool = tutti.Pool(2)
print(pool.map(square, range(5)), pool.apply(square, (7,)))
""", how)
    assert out == "[0, 1, 4, 9, 16] 49\n" and err == ""
