"""A task that writes over what its worker shares with the place."""

import pathlib
import sys
import time

import pytest

import tutti

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "chaos"))
import trouble


def write_over(x, way, word, value):
    if x == 5:
        for at, size in trouble._rings():
            if way == "word":
                trouble.ctypes.c_uint32.from_address(at + word).value = value
            else:
                trouble._write_over(at, size, way)
    return x * x


def outcome(way, word=0, value=0):
    before = time.monotonic()
    results = tutti.map(lambda x: write_over(x, way, word, value), range(20),
                        on="processes", errors="return", workers=2)
    assert time.monotonic() - before < 20
    for x, result in enumerate(results):
        assert result == x * x or isinstance(result, tutti.WorkerLostError)
    return results


@pytest.mark.parametrize("way", ["all", "zeros", "words", "bytes"])
def test_a_segment_that_was_written_over(way):
    for _ in range(8):
        outcome(way)
    assert tutti.map(abs, [-1, -2], on="processes") == [1, 2]


@pytest.mark.parametrize("value", [0, 1, 2**32 - 1])
def test_each_word_of_its_head(value):
    """The bell, the one that parks, those of the rings: 64 bytes apart, or
    together."""
    for word in [*range(0, 448, 64), *range(448, 900, 4)]:
        outcome("word", word, value)


def silence(word):
    """A task that has the feeder asleep, and does not wake it."""
    time.sleep(0.02)
    for at, _ in trouble._rings():
        trouble.ctypes.c_uint32.from_address(at + word).value = 0
    return "done"


@pytest.mark.parametrize("word", range(64, 960, 64))
def test_a_worker_that_cannot_wake_its_place(word):
    """Nobody waits, and the place sleeps, when the word is gone."""
    with tutti.Executor(1) as executor:
        future = executor.submit(silence, word)
        end = time.monotonic() + 15
        while not future.done():
            assert time.monotonic() < end
            time.sleep(0.01)
        error = future.exception()
        assert error is None or isinstance(error, tutti.WorkerLostError)
