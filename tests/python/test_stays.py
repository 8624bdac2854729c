"""What cannot travel, or has nowhere to go, runs in the caller and says so."""

import functools
import threading
import time
import warnings

import pytest

import tutti
from tutti._culprit import culprit

LOCK = threading.Lock()


def spin(x):
    end = time.perf_counter() + 0.001
    while time.perf_counter() < end:
        pass
    return x


def warnings_of(f, items=range(400), times=10):
    """Of some maps: on a busy machine workers are not always wanted."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        for _ in range(times):
            if not seen:
                tutti.map(f, items)
    return [one for one in seen if issubclass(one.category, RuntimeWarning)]


def test_a_function_is_named_once():
    lock = threading.Lock()

    def guarded(x):
        with lock:
            return spin(x)

    seen = warnings_of(guarded)
    text = str(seen[0].message)
    assert len(seen) == 1 and seen[0].filename == __file__
    assert "guarded" in text and "cannot pickle '_thread.lock'" in text
    assert "its variable 'lock', <unlocked _thread.lock" in text
    assert not warnings_of(guarded, times=2)


def test_an_item_is_named():
    def look(x):
        return spin(x)

    items = [threading.Lock() if i % 90 == 50 else i for i in range(400)]
    text = str(warnings_of(look, items)[0].message)
    assert "argument <unlocked _thread.lock" in text


def test_no_warning_where_nothing_wants_to_travel():
    lock = threading.Lock()
    assert not warnings_of(lambda x: lock is None, range(10))


class Holder:
    def __init__(self):
        self.fine = 1
        self.inner = {"deep": [LOCK]}

    def run(self, x):
        return x


def helper(x):
    return LOCK


@pytest.mark.parametrize("value, words", [
    (Holder().run, "its object, .*: the attribute 'inner', .*: "
                   "the value of 'deep', .*: an item, <unlocked"),
    (functools.partial(print, LOCK), "an argument, <unlocked"),
    ((lambda: (lambda x: LOCK))(), "the global 'LOCK', <unlocked"),
    (lambda x=LOCK: x, "a default, <unlocked"),
    (LOCK.acquire, "its object, <unlocked"),
    (abs, "^$"),
])
def test_culprit(value, words):
    import re

    assert re.search(words, culprit(value)), culprit(value)


def test_the_error_names_the_part():
    with pytest.raises(tutti.UnpicklableError, match="the attribute 'inner'"):
        tutti.map(Holder().run, [1], on="processes")


FROZEN = """
import sys, time, warnings
%s
import tutti
def f(x):
    time.sleep(0.005)
    return x
seen = []
warnings.simplefilter("always")
warnings.showwarning = lambda text, *rest: seen.append(str(text))
end = time.monotonic() + 40
while not seen and time.monotonic() < end:
    assert tutti.map(f, range(200)) == list(range(200))
for _ in range(2):
    tutti.map(f, range(200))
print(len(seen), seen[0])
"""


@pytest.mark.parametrize("line", ["sys.frozen = True", "sys.executable = ''"])
def test_no_interpreter_to_start(script, line):
    out, _ = script(FROZEN % line)
    assert out.startswith("1 tutti runs in this process only")
