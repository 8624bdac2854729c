"""Which task is named when a worker dies of a result."""

import os

import pytest

import tutti
from tutti import _tutti


class Bad:
    """It ends whoever pickles it, if it is the one."""

    def __init__(self, x, bad):
        self.x, self.bad = x, bad

    def __reduce__(self):
        if self.x == self.bad:
            os._exit(3)
        return int, (self.x,)


@pytest.mark.parametrize("bad", [0, 1, 17, 998, 999, 1000, 2999])
def test_the_result_whose_dump_kills(bad):
    f = lambda x: Bad(x, bad)
    tutti.map(abs, range(3000), on="processes")  # ranges are long from now on
    with pytest.raises(tutti.WorkerLostError) as caught:
        tutti.map(f, range(3000), on="processes", workers=1)
    assert caught.value.tutti.index == bad
    assert "task %d" % bad in str(caught.value)


def test_the_others_are_not_lost():
    f = lambda x: Bad(x, 17)
    results = tutti.map(f, range(40), on="processes", errors="return")
    assert isinstance(results.pop(17), tutti.WorkerLostError)
    assert results == [x for x in range(40) if x != 17]


def test_a_result_before_the_task_that_raises():
    def f(x):
        if x == 30:
            raise KeyError(x)
        return Bad(x, 12)

    with pytest.raises(tutti.WorkerLostError) as caught:
        tutti.map(f, range(31), on="processes", workers=1)
    assert caught.value.tutti.index == 12


@pytest.mark.parametrize("n", [2, 999, 1000, 1001, 2500])
def test_results_are_as_before(n):
    shared = ["one"]
    results = tutti.map(lambda x: (x, shared, str(x)), range(n),
                        on="processes")
    assert results == [(x, shared, str(x)) for x in range(n)]
    assert type(results) is list


def test_marks_are_idle_where_batches_begin():
    marks = list(_tutti.marks(list(range(1, 2001)), 0))
    assert [i for i, x in enumerate(marks) if x is None] == [0, 1000, 2000]
    with pytest.raises(TypeError):
        _tutti.marks((1, 2), 0)
