"""Functions by value, without cloudpickle where that is not needed."""

import functools
import pickle
import sys

import pytest

from tutti import _value, _wire

K = 7


def again(f):
    """f as a worker gets it, by tutti's own means."""
    data = _value.dumps(f)
    assert data is not None
    return pickle.loads(data)


def test_closures_defaults_attributes():
    a, b = 3, [4]

    def f(x: int, y=5, *, z=6):
        "doc"
        return a, b, x, y, z, K

    f.mark = "kept"
    g = again(f)
    assert g(1) == f(1) == (3, [4], 1, 5, 6, 7)
    for name in ("__name__", "__qualname__", "__module__", "__doc__",
                 "__defaults__", "__kwdefaults__", "__annotations__", "mark"):
        assert getattr(g, name) == getattr(f, name)
    assert set(g.__globals__) == {
        "K", "__builtins__", "__name__", "__package__", "__file__"
    }


def test_functions_that_call_each_other():
    def even(n):
        return n == 0 or odd(n - 1)

    def odd(n):
        return n > 0 and even(n - 1)

    def fact(n):
        return n and n * fact(n - 1) or 1

    assert again(even)(10) and not again(odd)(10)
    assert again(fact)(5) == 120


def test_an_empty_cell():
    def outer():
        def f(x):
            return later if x else x

        data = _value.dumps(f)
        later = 1
        return data, later

    f = pickle.loads(outer()[0])
    assert f(0) == 0
    with pytest.raises(NameError):
        f(1)


def helper(x):
    return x + K


MAIN = """
import pickle, sys
import xml.etree.ElementTree
from tutti import _value
K = 1
def inner(x):
    global K
    K += x
    return K
def f(x):
    return inner(x) + inner(x)
def g(text):
    return xml.etree.ElementTree.fromstring(text).tag
def gen(n):
    yield from (i * K for i in range(n))
values = [f, g, gen, lambda x: [inner(y) for y in x]]
sys.stdout.buffer.write(_value.dumps(values))
"""


def test_functions_of_main(script):
    import subprocess

    data = subprocess.check_output([sys.executable, "-c", MAIN])
    code = (
        "import pickle, sys; f, g, gen, h = pickle.load(sys.stdin.buffer);"
        "print(f(1), g('<a/>'), list(gen(3)), h([1, 1]),"
        "f.__globals__ is h.__globals__, 'cloudpickle' in sys.modules)"
    )
    out = subprocess.check_output([sys.executable, "-c", code], input=data)
    assert out == b"5 a [0, 3, 6] [4, 5] True False\n"


def test_only_what_is_used_goes_along():
    lock = __import__("threading").Lock()

    def f(x):
        return x.lock, x.K  # attributes, not the globals of that name

    assert "K" not in again(f).__globals__
    assert lock


def test_many_names():
    """Arguments of instructions that need more than a byte."""
    lines = ["n%d = %d" % (i, i) for i in range(600)]
    names = {"__name__": "__main__"}
    exec("\n".join(lines), names)
    exec("def f(): return sum([%s])" % ", ".join(
        "n%d" % i for i in range(600)), names)
    assert again(names["f"])() == sum(range(600))


def test_wrapped_and_partial():
    @functools.wraps(helper)
    def f(x):
        return helper(x)

    g = again(functools.partial(f, 1))
    assert g() == 8 and g.func.__wrapped__ is helper


def test_what_is_beyond():
    class Point:
        pass

    for value in (Point(), Point, lambda: Point, property(helper)):
        assert _value.dumps(value) is None
    f = pickle.loads(_wire.dumps(lambda: Point))
    assert f().__name__ == "Point"


def test_modules_by_value_are_left_to_cloudpickle():
    cloudpickle = pytest.importorskip("cloudpickle")
    module = sys.modules[__name__]
    cloudpickle.register_pickle_by_value(module)
    try:
        assert _value.dumps(helper) is None
        assert pickle.loads(_wire.dumps(lambda: helper))()(1) == 8
    finally:
        cloudpickle.unregister_pickle_by_value(module)
