"""A failure keeps what was computed before it."""

import _thread
import os
import pickle
import threading
import time

import pytest

import tutti


def failing(k):
    def f(x):
        if x == k:
            raise ValueError(x)
        return -x

    return f


def failure(error, f, *items, **options):
    with pytest.raises(error) as caught:
        tutti.map(f, *items, **options)
    return caught.value.tutti


def check(told, n, index):
    """All before the failing one, in order; behind it what there is."""
    assert told.index == index
    assert len(told.results) == n
    assert told.results[:index] == [-x for x in range(index)]
    assert told.results[index] is tutti.MISSING
    for i, x in enumerate(told.results[index + 1:], index + 1):
        assert x is tutti.MISSING or x == -i


@pytest.mark.parametrize("n", [1, 10, 1000, 100000])
@pytest.mark.parametrize("where", [0, 0.5, 0.99])
def test_results_before_a_failure(on, n, where):
    k = int(n * where)
    check(failure(ValueError, failing(k), range(n), on=on), n, k)


def test_results_of_several_columns(on):
    told = failure(ZeroDivisionError, divmod, [7] * 9, range(8, -1, -1), on=on)
    assert told.results == [divmod(7, y) for y in range(8, 0, -1)] + [
        tutti.MISSING
    ]


def test_results_when_a_worker_dies():
    def f(x):
        if x == 70:
            os._exit(3)
        return -x

    told = failure(tutti.WorkerLostError, f, range(100), on="processes")
    assert told.index == 70
    assert len(told.results) == 100
    assert all(
        x is tutti.MISSING or x == -i for i, x in enumerate(told.results)
    )


def test_results_when_a_task_takes_too_long():
    def f(x):
        if x == 3:
            time.sleep(60)
        return -x

    told = failure(
        tutti.TaskTimeoutError, f, range(4), task_timeout=0.3, workers=2
    )
    check(told, 4, 3)


def test_results_when_interrupted(on):
    ended = threading.Event()

    def interrupt():
        if not ended.wait(0.5):
            _thread.interrupt_main()

    def f(x):
        time.sleep(0.02)
        return -x

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        told = failure(KeyboardInterrupt, f, range(1000), on=on)
    finally:
        ended.set()
        thread.join()
    assert len(told.results) == 1000
    assert told.results[0] == 0
    assert tutti.MISSING in told.results


def test_an_iterator_that_shrinks_keeps_results():
    items = list(range(10))

    def f(x):
        if x == 5:
            del items[6:]
        return -x

    told = failure(RuntimeError, f, items, on="serial")
    assert told.index is None
    assert told.results == [-x for x in range(6)] + [tutti.MISSING] * 4


def test_within_a_module_that_traces(on):
    import sys

    seen = []
    sys.setprofile(lambda frame, event, arg: seen.append([]))
    try:
        told = failure(ValueError, failing(5), range(10), on=on)
    finally:
        sys.setprofile(None)
    assert told.index == 5
    assert told.results[5] is tutti.MISSING


def test_garbage_is_collected_as_before():
    import gc

    for enabled in (True, False):
        (gc.enable if enabled else gc.disable)()
        try:
            tutti.map(abs, range(10))
            assert gc.isenabled() is enabled
            failure(ValueError, failing(5), range(10))
            assert gc.isenabled() is enabled
        finally:
            gc.enable()


def test_results_stay_where_the_exception_was_raised():
    def inner(x):
        return tutti.map(failing(2), range(4), on="serial")

    told = failure(ValueError, inner, [0], on="processes")
    assert told.results == [tutti.MISSING]
    with pytest.raises(ValueError) as caught:
        inner(0)
    assert len(caught.value.tutti.results) == 4
    copy = pickle.loads(pickle.dumps(caught.value))
    assert copy.tutti.index == 2 and copy.tutti.results == []


def test_missing_is_one():
    assert repr(tutti.MISSING) == "<no result>"
    assert pickle.loads(pickle.dumps(tutti.MISSING)) is tutti.MISSING


def test_the_result_is_the_callers_own():
    import sys

    for n in (0, 1, 5):
        counts = [
            sys.getrefcount(tutti.map(abs, range(n))),
            sys.getrefcount(list(range(n))),
        ]
        assert counts[0] == counts[1]


def test_losses_are_returned():
    def f(x):
        if x == 7:
            os._exit(3)
        return -x

    back = tutti.map(f, range(20), on="processes", workers=2, errors="return")
    assert isinstance(back[7], tutti.WorkerLostError)
    assert back[7].tutti.index == 7
    assert [x for x in back if not isinstance(x, Exception)]


def test_time_limits_are_returned():
    def f(x):
        if x % 3 == 1:
            time.sleep(60)
        return -x

    back = tutti.map(f, range(6), task_timeout=0.3, errors="return")
    assert [isinstance(x, tutti.TaskTimeoutError) for x in back] == [
        False, True, False, False, True, False,
    ]
    assert [back[i] for i in (0, 2, 3, 5)] == [0, -2, -3, -5]
    assert back[4].tutti.index == 4
