"""Random streams by task: rng, and what seed= starts anew."""

import ctypes
import os
import random

import pytest

import tutti

numpy = pytest.importorskip("numpy")

libc = ctypes.CDLL(None)
libc.drand48.restype = ctypes.c_double

PLACES = ["serial", "auto"] + ["processes:%d" % n for n in range(1, 9)]


def draw(x):
    """A number from every stream."""
    return (
        random.random(), random.gauss(0, 1),
        float(numpy.random.rand()), float(numpy.random.randn()),
        ctypes.CDLL(None).rand(), ctypes.CDLL(None).random(),
        tutti.task.rng.random(), int(tutti.task.rng.integers(1 << 30)),
    )


@pytest.mark.parametrize("n", [1, 7, 50, 700])
def test_same_bits_everywhere(n):
    answers = [tutti.map(draw, range(n), on=on, seed=7) for on in PLACES]
    for on, answer in zip(PLACES, answers):
        assert answer == answers[0], on
    for stream in zip(*answers[0]):
        assert len(set(stream)) == n
    other = tutti.map(draw, range(n), seed=8)
    assert all(a != b for row in zip(other, answers[0]) for a, b in zip(*row))


def test_same_bits_at_any_grain():
    def slow(x):
        sum(range(x % 7 * 1000))
        return draw(x)

    assert [tutti.map(slow, range(300), on=on, seed=1)
            for on in ("auto", "processes:2")] == [
        tutti.map(draw, range(300), on="serial", seed=1)] * 2


def test_same_bits_when_run_again(tmp_path):
    def f(x):
        drawn = draw(x)
        marker = tmp_path / str(x)
        if x % 5 == 2 and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), 9)
        return drawn

    assert tutti.map(f, range(20), on="processes:2", seed=7, retries=9) == (
        tutti.map(draw, range(20), on="serial", seed=7))


def test_rng_is_a_function_of_seed_and_index(on):
    from numpy.random import Generator, Philox

    got = tutti.map(lambda x: tutti.task.rng.random(3).tolist(), range(5),
                    on=on, seed=2**64 - 1)
    assert got == [
        Generator(Philox(key=2**64 - 1 + (i << 64))).random(3).tolist()
        for i in range(5)]


def test_rng_goes_on_in_a_task_and_outlives_it():
    def f(x):
        first = tutti.task.rng.random()
        assert tutti.task.rng is tutti.task.rng
        return tutti.task.rng, first, tutti.task.rng.random()

    kept = tutti.map(f, range(4), on="serial", seed=1)
    assert len({id(rng) for rng, _, _ in kept}) == 4
    assert len({x for _, a, b in kept for x in (a, b)}) == 8
    bits = tutti.map(lambda x: tutti.task.rng.bit_generator, range(3),
                     on="serial", seed=1)
    assert [numpy.random.Generator(b).random() for b in bits] == [
        first for _, first, _ in kept[:3]]


def test_without_a_seed_every_task_and_map_differs(on):
    def f(x):
        return (tutti.task.rng.random(), random.random(), numpy.random.rand(),
                tutti.task.seed)

    one, two = (tutti.map(f, range(60), on=on) for _ in range(2))
    assert len({drawn[0] for drawn in one + two}) == 120
    assert len({drawn[3] for drawn in one}) == 1
    assert one[0][3] != two[0][3]
    again = tutti.map(lambda x: tutti.task.rng.random(), range(60), on=on,
                      seed=one[0][3])
    assert again == [drawn[0] for drawn in one]


def test_workers_differ_without_a_seed():
    def f(x):
        return (os.getpid(), random.random(), numpy.random.rand(),
                ctypes.CDLL(None).random())

    rows = tutti.map(f, range(200), on="processes:4")
    for column in list(zip(*rows))[1:]:
        assert len(set(column)) == 200


def test_a_million_tasks_do_not_collide():
    from tutti._seed import generator

    last, first = None, []
    for i in range(1 << 20):
        last = generator(5, i, last)
        first.append(last.bit_generator.random_raw())
    assert len(set(first)) == 1 << 20
    bits = numpy.array(first, dtype=numpy.uint64)
    bits = bits.view(numpy.uint8).reshape(-1, 8)
    ones = numpy.unpackbits(bits, axis=1).astype(numpy.int8) * 2 - 1
    limit = 6 * (1 << 20) ** 0.5  # six standard deviations
    assert abs(ones.sum(axis=0)).max() < limit
    for lag in (1, 2, 1024):
        assert abs((ones[lag:] * ones[:-lag]).sum(axis=0)).max() < limit


def test_twisters_of_neighbours_are_not_alike():
    def f(x):
        return [random.random() for _ in range(700)], numpy.random.rand(700)

    rows = [stream for pair in tutti.map(f, range(40), on="serial", seed=1)
            for stream in pair]
    like = numpy.corrcoef(rows) - numpy.eye(len(rows))
    assert abs(like).max() < 6 / 700 ** 0.5


def test_the_caller_s_own_streams_go_on(on):
    def f(x):
        draw(x)
        ctypes.CDLL(None).drand48()

    def streams():
        return (random.random(), random.gauss(0, 1), numpy.random.rand(),
                numpy.random.randn(), libc.random(), libc.drand48())

    def start():
        random.seed(1)
        numpy.random.seed(2)
        libc.srandom(3)
        libc.srand48(4)
        return streams()

    expected = [start(), streams(), streams()]
    assert start() == expected[0]
    tutti.map(f, range(30), on=on, seed=5)
    with pytest.raises(ZeroDivisionError):
        tutti.map(lambda x: f(x) or 1 / 0, range(30), on=on, seed=5)
    assert [streams(), streams()] == expected[1:]


def test_drand48():
    def f(x):
        own = ctypes.CDLL(None)
        own.drand48.restype = ctypes.c_double
        return own.drand48()

    answers = [tutti.map(f, range(30), on=on, seed=5) for on in PLACES[::4]]
    assert answers.count(answers[0]) == len(answers)
    assert len(set(answers[0])) == 30


def test_maps_inside_tasks(on):
    def inner(x):
        return draw(x)

    def outer(x):
        before = draw(x)
        first = tutti.map(inner, range(3), on=where)
        second = tutti.map(inner, range(3), on=where)
        return before, first, second, draw(x)

    where = "serial"
    expected = tutti.map(outer, range(4), on="serial", seed=3)
    where = on
    assert tutti.map(outer, range(4), on=on, seed=3) == expected
    drawn = {row for _, first, second, _ in expected for row in first + second}
    assert len(drawn) == 4 * 6


IMPORTS = """
import sys, tutti
assert "numpy" not in sys.modules
def f(x):
    import numpy
    return float(numpy.random.rand()), float(numpy.random.randn())
a = tutti.map(f, range(6), on="processes:2", seed=7)
assert "numpy" not in sys.modules
b = tutti.map(f, range(6), on="serial", seed=7)
import numpy
own = numpy.random.rand()
print(a == b == tutti.map(f, range(6), on="serial", seed=7), own, len(set(a)))
"""


def test_numpy_imported_in_a_task(script):
    out = [script(IMPORTS)[0].split() for _ in range(2)]
    assert [line[0] + line[2] for line in out] == ["True6"] * 2
    assert out[0][1] != out[1][1]  # the caller's was never seeded


def test_another_kind_of_generator_is_left_alone(script):
    out, _ = script("""
import numpy, tutti
if not hasattr(numpy.random, "set_bit_generator"):
    print("True")
else:
    numpy.random.set_bit_generator(numpy.random.Philox(key=1))
    got = tutti.map(lambda x: numpy.random.rand(), range(3), on="serial",
                    seed=1)
    expected = numpy.random.Generator(numpy.random.Philox(key=1)).random(3)
    print(got == list(expected))
""")
    assert out == "True\n"


def test_untouched_it_costs_no_import(script):
    out, _ = script("""
import sys, tutti
tutti.map(lambda x: tutti.task.index, range(10))
tutti.map(lambda x: tutti.task.index, range(10), on="processes:2")
print("numpy" in sys.modules, "random" in sys.modules)
""")
    assert out == "False False\n"


def test_without_numpy(script):
    out, _ = script("""
import sys
sys.modules["numpy"] = None
import tutti
try:
    tutti.map(lambda x: tutti.task.rng, [1], on="serial")
except ImportError as error:
    print(error)
""")
    assert "needs NumPy" in out


def test_outside_a_task():
    for name in "rng", "seed":
        with pytest.raises(AttributeError, match="inside a task"):
            getattr(tutti.task, name)


@pytest.mark.parametrize("where", ["extension", "slowly"])
def test_states_as_the_generators_own_functions_set_them(where):
    """What is written in place is what the slow way gives."""
    from tutti import _seed, _tutti

    if where == "slowly":
        *words, position = random.getstate()[1]
        wrong = bytes(4 * 624)
        assert not _tutti.twister(0, random._inst, wrong, position,
                                  _seed._forget_normal, _seed._set_python)
    try:
        drawn = tutti.map(lambda x: random.random(), range(3), on="serial",
                          seed=1)
    finally:
        _seed._find_python()
    assert drawn == tutti.map(lambda x: random.random(), range(3),
                              on="processes", seed=1)
