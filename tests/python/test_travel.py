"""What fails on its way to a worker and back ends in a typed error, at once."""

import itertools
import os
import signal
import threading

import pytest

import tutti

HERE = os.getpid()


class Own(BaseException):
    pass


def recurse():
    return recurse()


def act(how):
    if how == "raise":
        raise RuntimeError("mine")
    if how == "exit":
        raise SystemExit(3)
    if how == "base":
        raise Own("mine")
    if how == "recurse":
        recurse()
    if how == "leave":
        os._exit(3)
    if how == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)


def rebuild(how):
    act(how)
    return 1


class BadDump:
    def __init__(self, how):
        self.how = how

    def __reduce__(self):
        act(self.how)
        return int, ()


class BadLoad:
    def __init__(self, how):
        self.how = how

    def __reduce__(self):
        return rebuild, (self.how,)


class BadDumpError(BadDump, Exception):
    pass


class BadLoadError(BadLoad, Exception):
    pass


BAD = {"dump": BadDump, "load": BadLoad}
BAD_ERROR = {"dump": BadDumpError, "load": BadLoadError}
GENTLE = "raise", "exit", "base", "recurse"
DEADLY = "leave", "crash"


def mapped(f, items, **options):
    """The exception of a map whose second task is bad; the next one is fine."""
    options.setdefault("on", "processes:2")
    with pytest.raises(tutti.Error) as caught:
        tutti.map(f, items, **options)
    assert tutti.map(abs, [-1, 2], on="processes:2") == [1, 2]
    return caught.value


@pytest.mark.parametrize("where", ["dump", "load"])
@pytest.mark.parametrize("how", GENTLE)
def test_arguments(where, how):
    error = mapped(lambda x: 7, [1, BAD[where](how), 2])
    assert type(error) is tutti.UnpicklableError
    assert error.tutti.index == 1
    assert error.__cause__ is not None


@pytest.mark.parametrize("where", ["dump", "load"])
@pytest.mark.parametrize("how", GENTLE)
def test_results(where, how):
    error = mapped(lambda x: BAD[where](how) if x == 1 else x, [0, 1, 2])
    assert type(error) is tutti.UnpicklableError
    if "and behind" not in str(error):  # results that came together
        assert error.tutti.index == 1
    assert error.__cause__ is not None


@pytest.mark.parametrize("where", ["dump", "load"])
@pytest.mark.parametrize("how", GENTLE)
def test_exceptions(where, how):
    def f(x):
        if x == 1:
            raise BAD_ERROR[where](how)
        return x

    error = mapped(f, [0, 1, 2])
    assert type(error) is tutti.UnpicklableError
    assert "BadDumpError" in str(error) or "BadLoadError" in str(error)
    assert error.tutti.index == 1
    assert "raise BAD_ERROR[where](how)" in str(error.__cause__)


@pytest.mark.parametrize("how", GENTLE)
def test_functions(how):
    bad = BadDump(how)
    error = mapped(lambda x: bad and x, [0, 1, 2])
    assert type(error) is tutti.UnpicklableError
    assert "function" in str(error)
    late = BadLoad(how)
    error = mapped(lambda x: late and x, [0, 1, 2])
    assert "cannot run this function" in str(error)


@pytest.mark.parametrize("how", DEADLY)
def test_what_ends_a_worker(how):
    late = BadLoad(how)

    def raises(x):
        if x == 1:
            raise BadDumpError(how)
        return x

    for f, items in (
        (lambda x: 7, [1, late, 2]),
        (lambda x: BadDump(how) if x == 1 else x, [0, 1, 2]),
        (raises, [0, 1, 2]),
        (lambda x: late and x, [0, 1, 2]),
    ):
        error = mapped(f, items)
        assert isinstance(error, tutti.WorkerLostError), (f, error)
        assert "status 3" in str(error) or "SIGSEGV" in str(error)


def test_a_worker_that_is_lost_is_a_result_among_others():
    back = tutti.map(
        lambda x: BadDump("leave") if x == 5 else x, range(8),
        on="processes:2", errors="return",
    )
    lost = [x for x in back if isinstance(x, Exception)]
    assert lost and all(type(x) is tutti.WorkerLostError for x in lost)
    assert [x for x in back[:5] if type(x) is int]


def test_auto_keeps_what_cannot_be_sent():
    """In the caller nothing travels."""
    items = [BadDump("raise")] * 5
    assert tutti.map(lambda x: x.how, items) == ["raise"] * 5
    bad = BadDump("exit")
    assert tutti.map(lambda x: bad.how, [1] * 5) == ["exit"] * 5


class TwoArguments(Exception):
    def __init__(self, one, two):
        super().__init__("%s and %s" % (one, two))


class NoAttributes(Exception):
    __slots__ = ()

    def __setattr__(self, name, value):
        raise AttributeError(name)


class BadText(Exception):
    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __str__


@pytest.mark.parametrize(
    "make, comes_back",
    [
        (lambda: TwoArguments(1, 2), False),
        (lambda: NoAttributes("x"), True),
        (lambda: BadText("x"), True),
        (lambda: Own("x"), True),
        (lambda: SystemExit("bye"), True),
        (lambda: GeneratorExit("x"), True),
        (lambda: RecursionError("x"), True),
        (lambda: KeyError("x"), True),
        (lambda: UnicodeDecodeError("utf-8", b"x", 0, 1, "why"), True),
        (lambda: OSError(2, "gone", "file"), True),
    ],
)
def test_kinds_of_exceptions(make, comes_back):
    kind = type(make())

    def f(x):
        if x == 1:
            raise make()
        return x

    with pytest.raises(kind if comes_back else tutti.UnpicklableError) as info:
        tutti.map(f, range(3), on="processes:2")
    error = info.value
    if kind is not NoAttributes:
        assert error.tutti.index == 1
    assert "raise make()" in str(error.__cause__)
    if comes_back and kind is not BadText:
        assert str(error) == str(make())


def deep(n=100000):
    nest = []
    for _ in range(n):
        nest = [nest]
    return nest


def test_what_is_nested_too_deep():
    error = mapped(lambda x: 7, [0, deep()])
    assert type(error) is tutti.UnpicklableError and error.tutti.index == 1
    error = mapped(lambda x: deep(), [0])
    assert type(error) is tutti.UnpicklableError and error.tutti.index == 0


def test_interrupts_are_no_failures():
    """Ctrl-C while something is pickled is Ctrl-C."""

    class Interrupted:
        def __reduce__(self):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tutti.map(lambda x: 7, [1, Interrupted()], on="processes:2")
    assert tutti.map(abs, [-1], on="processes:2") == [1]


def test_values_that_change_size(on):
    """What pickle gives back may be of another type."""

    class Shrinks:
        def __reduce__(self):
            return int, (5,)

    back = tutti.map(lambda x: x, [Shrinks()] * 4, on="processes")
    assert back == [5] * 4


@pytest.mark.parametrize("how", ["raise", "exit"])
def test_iterators_of_bad_items(how):
    items = itertools.chain(range(500), [BadDump(how)], range(10**6))
    error = mapped(lambda x: 7, items, on="processes:2")
    assert type(error) is tutti.UnpicklableError
    assert error.tutti.index == 500


@pytest.mark.parametrize("on", ["processes:2", "pool"])
@pytest.mark.parametrize("bad", ["argument", "result"])
def test_others_of_a_range_are_run(on, bad):
    """The error names the one that cannot travel, or stands for it."""
    f = (lambda x: 7) if bad == "argument" else (
        lambda x: threading.Lock() if x == 7 else 7)
    items = [0] * 7 + [BadLoad("raise") if bad == "argument" else 7] + [0] * 20
    with tutti.Pool(2) as pool:
        place = pool if on == "pool" else on
        tutti.map(f, [0] * 1000, on=place)  # it is known to be short
        results = tutti.map(f, items, on=place, errors="return")
        assert results[:7] + results[8:] == [7] * 27
        assert type(results[7]) is tutti.UnpicklableError
        assert "task 7" in str(results[7])
        with pytest.raises(tutti.UnpicklableError) as caught:
            pool.map(f, items, chunksize=9)
        assert caught.value.tutti.index == 7
        results = caught.value.tutti.results
        assert [results[i] for i in range(28) if i != 7] == [7] * 27
