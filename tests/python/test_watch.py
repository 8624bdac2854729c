"""What tasks change and nobody will see; modules that are loaded again."""

import importlib
import os
import warnings

import pytest

import tutti
from tutti import _watch


def told(f, items=range(4), on="processes:2"):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        tutti.map(f, items, on=on)
    return sorted(str(one.message) for one in seen)


def test_a_counter():
    count = 0

    def bump(x):
        nonlocal count
        count += x

    text = told(bump)
    assert text == [
        "variable 'count' of test_a_counter.<locals>.bump was changed in a "
        "worker; changes stay there"
    ]
    assert told(bump) == []  # once


def test_a_list_that_is_filled():
    results, table, fine = [], {}, [1]

    def fill(x):
        results.append(x)
        table[x] = len(fine)

    assert [line.split()[1] for line in told(fill)] == ["'results'", "'table'"]


def test_nothing_changed():
    nan, rows, words = float("nan"), [1, 2], ("a", [1])

    def look(x):
        return nan, rows, words

    assert told(look) == []


MAIN = """
import sys, tutti
counter = 0
seen = []
class Call:
    def __call__(self, x):
        global counter
        counter += 1
def f(x):
    seen.append(x)
tutti.map(Call(), range(3), on="processes")
tutti.map(f, range(3), on="processes")
print(counter, seen)
"""


@pytest.mark.parametrize("how", ["file", "-c", "stdin"])
def test_globals_of_main(script, how):
    out, err = script(MAIN, how)
    assert out == "0 []\n"
    assert err.count("global 'counter' of Call.__call__ was changed") == 1
    assert err.count("global 'seen' of f was changed") == 1


def test_globals_of_a_module(tmp_path, monkeypatch):
    (tmp_path / "tt_counts.py").write_text(
        "n = 0\ncache = {}\n"
        "def f(x):\n    global n\n    n += 1\n    cache[x] = n\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    import tt_counts

    assert [line[:10] for line in told(tt_counts.f)] == ["global 'n'"]


def test_odd_callables():
    class Anything:
        def __getattr__(self, name):
            return self

        def __call__(self, x):
            return x

    assert _watch.watch(abs) is None
    assert _watch.plain(Anything()) is Anything.__call__


def edit(path, text):
    """Writes a module; the time stamp moves on as it does for people."""
    path.write_text(text)
    moment = edit.moment = edit.moment + 10_000_000_000
    os.utime(str(path), ns=(moment, moment))


edit.moment = 1_700_000_000_000_000_000


def test_a_module_that_is_loaded_again(tmp_path, monkeypatch):
    edit(tmp_path / "tt_inner.py", "K = 1\n")
    edit(tmp_path / "tt_outer.py", "import tt_inner\n"
                                   "def f(x): return x + tt_inner.K\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import tt_inner
    import tt_outer

    def both():
        g = lambda x: tt_outer.f(x)  # noqa: E731
        return [
            tutti.map(f, [0, 1], on="processes:1") for f in (tt_outer.f, g)
        ]

    assert both() == [[1, 2], [1, 2]]
    edit(tmp_path / "tt_inner.py", "K = 10\n")
    assert both() == [[1, 2], [1, 2]]  # as here
    importlib.reload(tt_inner)
    assert both() == [[10, 11], [10, 11]]
    edit(tmp_path / "tt_outer.py", "def f(x): return -x\n")
    importlib.reload(tt_outer)
    assert both() == [[0, -1], [0, -1]]
