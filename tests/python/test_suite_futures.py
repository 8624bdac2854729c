"""CPython's tests of concurrent.futures, run against tutti.Executor."""

import os

import pytest

from suites import harness

LISTED = harness.read("futures")


@pytest.fixture(scope="module")
def found():
    why = harness.missing("test.test_concurrent_futures")
    if why and os.environ.get("CI") != "true":
        pytest.skip(why)
    assert not why, why
    return harness.outcomes("futures", 600)


@pytest.mark.timeout(600)
def test_all_are_listed(found):
    outcomes, output = found
    assert set(outcomes) <= set(LISTED), output
    assert len(LISTED) == 79


@pytest.mark.parametrize("test", sorted(LISTED))
def test_of_cpython(test, found):
    outcomes, output = found
    if LISTED[test] != "pass":
        pytest.skip(LISTED[test][len("skip: "):])
    assert outcomes.get(test, "did not run: " + output) == "pass"
