"""Pool.map, starmap and their asynchronous forms: loops of tutti's in the
pool's workers."""

import multiprocessing
import os
import signal
import threading
import time

import pytest

import tutti


def square(x):
    return x * x


def odd(x):
    if x % 2 == 0:
        raise ValueError(x)
    return x


def slow(x):
    time.sleep(x)
    return x


def test_tasks_of_a_map_know_their_index(pool):
    for size in None, 3:
        assert pool.map(lambda x: tutti.task.index, "abcdefgh", size) == list(
            range(8))
        assert pool.map_async(lambda x: tutti.task.index, "abcdefgh",
                              size).get(60) == list(range(8))


def test_a_map_is_explained(pool):
    pool.map(square, range(123))
    text = tutti.explain()
    assert text.startswith("123 tasks") and "processes" in text


def test_one_result_that_cannot_travel_costs_no_other(pool):
    def task(x):
        return threading.Lock() if x == 2 else x

    for size in None, 5:
        with pytest.raises(tutti.UnpicklableError) as caught:
            pool.map(task, range(5), size)
        assert caught.value.tutti.index == 2
        assert caught.value.tutti.results == [0, 1, tutti.MISSING, 3, 4]


def test_one_argument_that_cannot_travel_costs_no_other(pool):
    items = [0, 1, threading.Lock(), 3, 4]
    for size in None, 5:
        with pytest.raises(tutti.UnpicklableError) as caught:
            pool.map(lambda x: x, items, size)
        assert caught.value.tutti.index == 2
        assert caught.value.tutti.results == [0, 1, tutti.MISSING, 3, 4]


def test_a_map_of_a_function_that_cannot_travel(pool):
    lock = threading.Lock()
    for call in (lambda: pool.map(lambda x: lock, range(9)),
                 lambda: pool.map_async(lambda x: lock, range(9)).get(60)):
        with pytest.raises(tutti.UnpicklableError, match="the function"):
            call()


class Opaque(Exception):
    def __reduce__(self):
        return Opaque, (self.args[0], "too many", "for it")

    def __init__(self, x):
        super().__init__(x)


def be_opaque(x):
    raise Opaque(x)


class Poison:
    def __reduce__(self):
        return poisoned, ()


def poisoned():
    raise LookupError("read")


@pytest.mark.parametrize("task, kind", [
    (lambda x: be_opaque(x), tutti.UnpicklableError),
    (lambda x: exec("raise SystemExit(3)"), SystemExit),
    (lambda x: exec("raise GeneratorExit(3)"), GeneratorExit),
])
def test_failures_of_all_kinds_cost_no_other(pool, task, kind):
    def one_in_three(x):
        return x if x % 3 else task(x)

    for size in None, 1:
        with pytest.raises(kind) as caught:
            pool.map(one_in_three, range(1, 8), size)
        assert caught.value.tutti.index == 2
        assert caught.value.tutti.results[:2] == [1, 2]
        assert caught.value.tutti.results[6] == 7


def test_a_result_that_cannot_be_read_back_costs_no_other(pool):
    with pytest.raises(tutti.UnpicklableError, match="of task 4 c") as caught:
        pool.map(lambda x: x if x % 3 != 1 or x == 1 else Poison(), range(9), 3)
    assert caught.value.tutti.index == 4
    assert caught.value.tutti.arguments == "argument 4"
    assert isinstance(caught.value.__cause__, LookupError)
    assert caught.value.tutti.results == [
        0, 1, 2, 3, tutti.MISSING, 5, 6, tutti.MISSING, 8]


def test_nor_one_beside_a_task_that_fails(pool):
    def task(x):
        return [x, Poison(), 1 // 0 if x == 0 else x][x % 3]

    with pytest.raises(ZeroDivisionError) as caught:
        pool.map(task, range(6), 6)
    assert caught.value.tutti.index == 0
    lost = tutti.MISSING
    assert caught.value.tutti.results == [lost, lost, 2, 3, lost, 5]


def test_what_ran_beside_a_dead_worker_is_not_run_again(pool, tmp_path):
    def task(x):
        with open(str(tmp_path / "ran"), "a") as f:
            f.write("%d\n" % x)
        if x == 5:
            os.kill(os.getpid(), signal.SIGKILL)
        return x

    with pytest.raises(tutti.WorkerLostError, match="it ran task 5") as caught:
        pool.map(task, range(12), 4)
    error = caught.value
    assert error.tutti.index == 5 and error.tutti.arguments == "argument 5"
    lost = tutti.MISSING
    assert error.tutti.results == [0, 1, 2, 3, lost, lost, *range(6, 12)]
    ran = sorted(map(int, (tmp_path / "ran").read_text().split()))
    assert ran == list(range(12))


def test_more_maps_than_threads(pool):
    results = [pool.map_async(square, range(i)) for i in range(40)]
    for i, result in enumerate(results):
        assert result.get(60) == [x * x for x in range(i)]
    assert pool._maps._threads <= 8


def test_maps_that_end_with_their_pool():
    pool = tutti.Pool(2)
    results = [pool.map_async(slow, [0.001] * 9) for _ in range(12)]
    pool.close()
    pool.join()
    assert all(result.ready() for result in results)
    assert [result.get() for result in results] == [[0.001] * 9] * 12
    pool = tutti.Pool(2)
    results = [pool.map_async(slow, [60] * 4) for _ in range(12)]
    time.sleep(0.1)
    pool.terminate()
    pool.join()
    for result in results:
        with pytest.raises((tutti.WorkerLostError, ValueError),
                           match="terminated"):
            result.get(60)


def test_map_async_waits_and_times_out(pool):
    result = pool.map_async(slow, [0.3] * 2)
    assert not result.ready()
    with pytest.raises(multiprocessing.TimeoutError):
        result.get(timeout=0.01)
    result.wait(0.01)
    result.wait(60)
    assert result.ready() and result.successful()
    got = []
    failed = pool.map_async(odd, [1, 2], error_callback=got.append)
    with pytest.raises(ValueError):
        failed.get(60)
    assert got[0].args == (2,) and not failed.successful()


def test_exit_while_maps_run(script):
    out, err = script("""
import time, tutti
pool = tutti.Pool(2)
results = [pool.map_async(time.sleep, [60] * 4) for _ in range(10)]
time.sleep(0.1)
print("out")
""")
    assert out == "out\n" and "Error" not in err


def test_a_child_forked_while_a_map_runs(pool):
    result = pool.map_async(slow, [0.2] * 2)
    time.sleep(0.05)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            with pytest.raises(tutti.WorkerLostError, match="forked"):
                result.get()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert result.get(60) == [0.2] * 2


def until(path):
    while not os.path.exists(path):
        time.sleep(0.001)


def test_a_map_does_not_wait_for_a_worker_that_is_busy_elsewhere(
        pool, tmp_path):
    for i, call in enumerate((pool.apply_async, pool.map_async)):
        path = str(tmp_path / str(i))
        busy = call(until, [path])
        time.sleep(0.05)
        assert pool.map(square, range(50)) == [x * x for x in range(50)]
        assert pool.apply(square, (3,)) == 9
        assert not busy.ready()
        open(path, "w").close()
        busy.get(60)


@pytest.mark.parametrize("call", ["apply_async", "map_async"])
def test_workers_are_shared_by_calls_of_several_threads(pool, tmp_path, call):
    path = str(tmp_path / "enough")

    def task(x):
        if not os.path.exists(path):
            time.sleep(0.02)
        return x

    if call == "map_async":
        results = [pool.map_async(task, range(2000))]
    else:
        results = [pool.apply_async(task, (x,)) for x in range(2000)]
    time.sleep(0.05)
    assert pool.map(square, range(10)) == [x * x for x in range(10)]
    if call == "map_async":
        assert pool.apply(square, (3,)) == 9
    assert not results[-1].ready()
    open(path, "w").close()
    for result in results:
        result.get(60)


def test_what_the_initializer_and_tasks_changed_stays(tmp_path):
    """Also behind apply(), in whose loop the workers were meanwhile."""
    def begin(path):
        os.chdir(path)
        os.environ["TUTTI_TEST"] = "begun"

    def look(x):
        return os.getcwd(), os.environ.get("TUTTI_TEST")

    def change(x):
        os.environ["TUTTI_TEST"] = "changed"

    with tutti.Pool(1, begin, (str(tmp_path),)) as pool:
        for _ in range(2):
            assert set(pool.map(look, range(3))) == {(str(tmp_path), "begun")}
            assert pool.apply(look, (0,)) == (str(tmp_path), "begun")
        pool.map(change, [0])
        pool.map(change, [0])
        assert pool.map(look, [0]) == [(str(tmp_path), "changed")]


class Counter:
    def __init__(self):
        self.n = 0

    def __call__(self, x):
        return self.n


def test_a_function_is_sent_once_and_an_object_as_it_is(pool):
    numpy = pytest.importorskip("numpy")
    big, counter = numpy.ones(1 << 17), Counter()
    weigh = eval("lambda x: big.sum() + x", {"big": big})
    for i in range(3):
        assert pool.map(weigh, range(3)) == [(1 << 17) + i for i in range(3)]
        counter.n = i
        assert pool.map(counter, range(3)) == [i] * 3
    jobs = pool._crew._jobs
    kept = len(jobs._maps)
    del weigh
    assert len(jobs._maps) == kept - 1
    assert pool.map(counter.__call__, [1]) == [2]


def slow_here(x):
    """Begins short, so that many are dealt at once, and is not."""
    if x:
        time.sleep(0.02)
    return os.getpid()


def test_what_takes_long_is_dealt_again(pool):
    for _ in range(2):
        pool.map(slow_here, [0] * 1000)
    pids = pool.map(slow_here, [1] * 30)
    assert len(set(pids[:15])) == 2  # the first worker's range
    for _ in range(2):
        tutti.map(slow_here, [0] * 1000, on="processes:2")
    pids = tutti.map(slow_here, [1] * 30, on="processes:2")
    assert len(set(pids[:15])) == 2


@pytest.mark.parametrize("dies", [0, 3, 14])
def test_a_worker_that_dies_where_ranges_are_dealt_again(pool, tmp_path, dies):
    def task(x):
        if x >= 0:
            with open(str(tmp_path / "ran"), "a") as f:
                f.write("%d\n" % x)
            time.sleep(0.02)
        if x == dies:
            os.kill(os.getpid(), signal.SIGKILL)
        return x

    for _ in range(2):
        pool.map(task, [-1] * 1000)
    with pytest.raises(tutti.WorkerLostError, match="ran task %d" % dies) as e:
        pool.map(task, range(30))
    assert e.value.tutti.index == dies
    ran = list(map(int, (tmp_path / "ran").read_text().split()))
    assert sorted(ran) == list(range(30))
    results = e.value.tutti.results
    assert results[dies] is tutti.MISSING
    assert results.count(tutti.MISSING) <= 3
    assert all(got in (x, tutti.MISSING) for x, got in enumerate(results))


def test_the_first_failure_where_ranges_are_dealt_again():
    def task(x):
        if x >= 0:
            time.sleep(0.02)
        if x in (7, 22):
            raise ValueError(x)
        return x

    for _ in range(2):
        tutti.map(task, [-1] * 1000, on="processes:2")
    with pytest.raises(ValueError) as caught:
        tutti.map(task, range(30), on="processes:2")
    assert caught.value.tutti.index == 7
    assert caught.value.tutti.results[:7] == list(range(7))
