"""tutti.map gives what the plain loop gives, in every place."""

import itertools
import math
import sys
import threading

import numpy
import pytest

import tutti


def square(x):
    return x * x


def nested(n):
    return tutti.map(square, range(n))


INPUTS = {
    "empty": [],
    "one": [3],
    "ints": list(range(1000)),
    "range": range(-50, 1000, 7),
    "tuple": (1, 2.5, "text", None, b"bytes"),
    "strings": ["a", "", "\N{SNOWMAN}"] * 50,
    "none": [None] * 100,
    "set": {5},
    "text": "characters",
    "dict": {"k": 1, "l": 2},
    "huge": range(10**20, 10**20 + 5),
}


@pytest.mark.parametrize("name", INPUTS)
def test_equals_the_loop(on, name):
    items = INPUTS[name]
    assert tutti.map(repr, items, on=on) == [repr(x) for x in items]


def test_lambdas_and_closures(on):
    k = 7
    assert tutti.map(lambda x: x + k, range(99), on=on) == list(range(7, 106))


def test_generator(on):
    items = (x for x in range(300))
    assert tutti.map(square, items, on=on) == [x * x for x in range(300)]


def test_generator_that_raises(on):
    def items():
        yield 1
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        tutti.map(square, items(), on=on)


def test_zip_shortest(on):
    assert tutti.map(pow, [2, 3, 4], range(9), on=on) == [1, 3, 16]
    assert tutti.map(pow, [2, 3], itertools.count(), on=on) == [1, 3]
    assert tutti.map(max, "ab", "cd", "ef", on=on) == ["e", "f"]
    assert tutti.map(pow, [], [1], on=on) == []


def test_items_that_are_tuples(on):
    items = [(1, 2), (3, 4)] * 20
    assert tutti.map(sum, items, on=on) == [3, 7] * 20


@pytest.mark.parametrize("shape", [(0,), (50,), (50, 3), (5, 4, 2), (7, 0)])
def test_array_by_rows(on, shape):
    array = numpy.arange(math.prod(shape), dtype="i4").reshape(shape)
    got = tutti.map(numpy.sum, array, on=on)
    assert [int(x) for x in got] == [int(row.sum()) for row in array]
    assert len(got) == shape[0]


def test_array_with_strides_and_objects(on):
    array = numpy.arange(100.0)[::-3]
    assert tutti.map(float, array, on=on) == [float(x) for x in array]
    array = numpy.array(["a", None, 3], dtype=object)
    assert tutti.map(repr, array, on=on) == [repr(x) for x in array]


def test_array_without_rows():
    with pytest.raises(TypeError, match="0-d"):
        tutti.map(abs, numpy.array(3))


def test_builtin_and_method(on):
    assert tutti.map(len, ["a", "bb"], on=on) == [1, 2]
    assert tutti.map("x{}".format, [1, 2], on=on) == ["x1", "x2"]


def test_results_in_order_when_tasks_differ(on):
    import time

    def wait(x):
        time.sleep(0.03 if x % 5 == 0 else 0)
        return x

    assert tutti.map(wait, range(20), on=on, workers=3) == list(range(20))


def test_nested(on):
    expected = [nested(n) for n in range(6)]
    assert tutti.map(nested, range(6), on=on) == expected


def test_from_several_threads(on):
    results = {}

    def use(k):
        results[k] = tutti.map(lambda x: x * k, range(500), on=on)

    threads = [threading.Thread(target=use, args=(k,)) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k in range(6):
        assert results[k] == [x * k for x in range(500)]


def test_task_index_and_worker(on):
    got = tutti.map(lambda x: (tutti.task.index, tutti.task.worker),
                    range(200), on=on)
    assert [index for index, _ in got] == list(range(200))
    workers = {worker for _, worker in got}
    assert workers == {0} if on == "serial" else workers <= set(range(64))


def test_task_index_of_nested_loops():
    def outer(x):
        inner = tutti.map(lambda y: tutti.task.index, range(3), on="serial")
        return tutti.task.index, inner

    assert tutti.map(outer, "ab", on="serial") == [(0, [0, 1, 2]),
                                                   (1, [0, 1, 2])]


@pytest.mark.parametrize("name", ["index", "worker"])
def test_task_outside(name):
    assert not hasattr(tutti.task, name)
    with pytest.raises(AttributeError, match="inside a task only"):
        getattr(tutti.task, name)


def test_items_that_became_fewer():
    items = list(range(10))

    def shrink(x):
        del items[-1]

    with pytest.raises(RuntimeError, match="became fewer"):
        tutti.map(shrink, items, on="serial")


def test_seed_is_the_same_everywhere():
    import random

    def draw(x):
        return random.random(), int(numpy.random.randint(1 << 30))

    state = random.getstate()
    answers = [tutti.map(draw, range(50), on=on, seed=7)
               for on in ("serial", "auto", "processes", "processes:3")]
    assert random.getstate() == state
    assert answers[0] == answers[1] == answers[2] == answers[3]
    assert all(len(set(stream)) == 50 for stream in zip(*answers[0]))
    assert tutti.map(draw, range(50), seed=8) != answers[0]


def test_seed_in_several_threads_and_nested():
    import random
    import time

    def draw(x):
        first = random.random()
        time.sleep(0.0005)  # another thread's turn
        return first, random.random()

    def nested(x):
        return tutti.map(draw, range(2), on="serial", seed=x)

    state = random.getstate()
    expected = [tutti.map(draw, range(30), on="serial", seed=s)
                for s in range(4)]
    answers = [None] * 4

    def work(s):
        answers[s] = tutti.map(draw, range(30), on="serial", seed=s)

    threads = [threading.Thread(target=work, args=(s,)) for s in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == expected
    assert tutti.map(nested, range(4), on="serial", seed=1) == [
        answer[:2] for answer in expected]
    assert random.getstate() == state


def test_explain_and_trace(tmp_path):
    import json

    tutti.map(square, range(1000))
    assert "1000" in tutti.explain() or "1,000" in tutti.explain()
    assert tutti.timeline()
    path = tmp_path / "trace.json"
    tutti.trace(path)
    assert json.loads(path.read_text())


def test_references_are_given_back(on):
    item = object()
    items = [item] * 100
    before = sys.getrefcount(item)
    for _ in range(20):
        tutti.map(id, items, on=on)
        tutti.map(lambda x, y: None, items, range(100), on=on)
        with pytest.raises(TypeError):
            tutti.map(len, items, on=on)
    assert sys.getrefcount(item) == before


def test_memory_stays_flat(script):
    out, _ = script("""
import tutti
def size():
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1])
def use(on):
    tutti.map(str, range(200), on=on)
    try:
        tutti.map(lambda x: 1 // x, [3, 2, 1, 0], on=on)
    except ZeroDivisionError:
        pass
for on in ("processes", "serial", "auto"):
    for i in range(300):
        use(on)
    before = size()
    for i in range(1000 if on != "processes" else 300):
        use(on)
    print(size() - before)
""")
    assert all(pages < 300 for pages in map(int, out.split())), out
