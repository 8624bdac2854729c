"""Results that cannot be read back, among others that can."""

import random

import numpy
import pytest
import tutti
from tutti import MISSING, _salvage, _wire


class Poison:
    """Cannot be read."""

    def __reduce__(self):
        return poisoned, ([1, "two"],)


def poisoned(value):
    raise LookupError("read")


class Refuses:
    """Is there before it says that it cannot be."""

    def __init__(self, whole):
        self.whole = whole

    def __setstate__(self, state):
        self.__dict__.update(state)
        if not self.whole:
            raise LookupError("read")

    def __eq__(self, other):
        return self.whole == other.whole


def read(values, *more):
    data, blocks = _wire.dump((_wire._mark(values, 0), *more) if more
                              else _wire._mark(values, 0))
    return _salvage.read_each(data, blocks, _wire.survive)


def check(values, places):
    found, bad, more = read(values)
    assert sorted(bad) == sorted(places) and more is None
    assert all(type(error) is LookupError for error in bad.values())
    assert len(found) == len(values)
    for i, value in enumerate(values):
        if i in places:
            assert found[i] is MISSING
        else:
            numpy.testing.assert_equal(found[i], value)


def make(random, depth=0):
    """Any value; the same strings, lists and tuples come again."""
    kind = random.randrange(12 if depth < 3 else 6)
    values = [None, kind, "text", b"bytes", 1.5, Refuses]
    if kind < len(values):
        return values[kind]
    count = random.choice([0, 1, 2, 3, 4, 7])
    items = [make(random, depth + 1) for _ in range(count)]
    if kind == 6:
        return tuple(items)
    if kind == 7:
        return {str(i): item for i, item in enumerate(items)}
    if kind == 8:
        return set(range(count))
    if kind == 9:
        return Refuses([items])
    return items


@pytest.mark.parametrize("n", [2, 3, 50, 998, 999, 1000, 1001, 2500])
def test_all_others_are_read(n):
    source = random.Random(n)
    values = [make(source) for _ in range(n)]
    places = {source.randrange(n) for _ in range(1 + n // 10)}
    for i in places:
        values[i] = [make(source), {"bad": Poison()}, make(source)]
    check(values, places)
    check(["first"] + [Poison()] * (n - 1), set(range(1, n)))


def test_buffers_stay_with_their_own():
    def large(i):
        return numpy.full(20000, i)

    values = [large(0), [large(1), Poison(), large(2)], large(3), b"x" * 99999]
    check(values, {1})


def test_what_itself_holds_is_read():
    loop = []
    loop.append((loop,))
    found, bad, _ = read([loop, Poison(), loop, (loop, 1)])
    assert list(bad) == [1]
    assert found[0][0][0] is found[0] is found[2] is found[3][0]


def test_half_of_an_object_is_none():
    half = Refuses(False)
    check([1, half, Refuses(True), [half], 2], {1, 3})


def test_what_comes_behind_is_read():
    found, bad, more = read([1, Poison(), 3], {"key": [1, 2]})
    assert (found, list(bad), more) == ([1, MISSING, 3], [1], {"key": [1, 2]})


def test_others_than_results_are_left_alone():
    for value in 1, {}, Poison(), ([Poison()], 3, Poison()), [[Poison()]][:0]:
        found = _salvage.read_each(*_wire.dump(value), _wire.survive)
        assert found is None or found == ([], {}, None)
    found, bad, more = _salvage.read_each(
        *_wire.dump([Poison()]), _wire.survive)
    assert (found, list(bad), more) == ([MISSING], [0], None)


class Set:
    """Has its state set by a function."""

    def __init__(self, state):
        self.state = state

    def __reduce__(self):
        return Set, (None,), self.state, None, None, set_state

    def __eq__(self, other):
        return self.state == other.state


def set_state(found, state):
    if state == "bad":
        raise LookupError("set")
    found.state = state


def test_what_sets_a_state_may_fail():
    bad = Set("bad")
    check([1, Set("good"), bad, "text", Set((1, "text")), [bad]], {2, 5})
    check([1, (bad, "text"), "text", (Set("good"), bad)], {1, 3})


def test_what_holds_half_of_an_object_is_none():
    half = Refuses(False)
    half.inner = [half, "inner"]
    half.pair = half, "pair"
    check([0, half, half.inner, "inner", half.pair, "pair", Refuses], {1, 2, 4})


def test_a_tuple_in_itself_spoils_no_neighbour():
    held = [Poison()]
    held.append((held,))
    check(["a", held[1], "b", held, ["c"]], {1, 3})


def test_an_interrupt_is_none_of_it():
    class Interrupts:
        def __reduce__(self):
            return interrupt, ()

    with pytest.raises(KeyboardInterrupt):
        read([1, Interrupts(), 2])


def interrupt():
    raise KeyboardInterrupt


def test_errors_are_returned():
    def task(x):
        return Poison() if x == 4 else x

    results = tutti.map(task, range(90), on="processes:2", errors="return")
    error = results.pop(4)
    assert results == [x for x in range(90) if x != 4]
    assert type(error) is tutti.UnpicklableError
    assert str(error).startswith("the result of task 4 cannot be read back: ")
    assert error.tutti.index == 4 and error.tutti.arguments == "argument 4"


def test_errors_are_returned_from_windows():
    def task(x):
        return Poison() if x % 1000 == 7 else "%d" % x

    results = tutti.map(
        task, iter(range(3000)), on="processes:2", errors="return")
    for i, result in enumerate(results):
        if i % 1000 == 7:
            assert result.tutti.index == i
            assert result.tutti.arguments == "argument %d" % i
        else:
            assert result == "%d" % i


def test_the_lowest_is_raised():
    with pytest.raises(tutti.UnpicklableError, match="task 5 c") as caught:
        tutti.map(lambda x: Poison() if x in (5, 6) else x, range(8),
                  on="processes:1")
    assert caught.value.tutti.index == 5
    assert caught.value.tutti.results[:5] == list(range(5))
