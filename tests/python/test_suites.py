"""CPython's own tests, run against tutti.Pool and tutti.Executor."""

import os

import pytest

from suites import harness

# name: its module, how many tests are listed, seconds that they may take
SUITES = {
    "pool": ("test._test_multiprocessing", 31, 110),
    "futures": ("test.test_concurrent_futures", 79, 600),
}
LISTED = {name: harness.read(name) for name in SUITES}


@pytest.fixture(scope="module")
def found():
    """What a suite's tests came to; each suite is run once."""
    ran = {}

    def outcomes(name):
        module, _, seconds = SUITES[name]
        why = harness.missing(module)
        if why and os.environ.get("CI") != "true":
            pytest.skip(why)
        assert not why, why
        if name not in ran:
            ran[name] = harness.outcomes(name, seconds)
        return ran[name]

    return outcomes


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", SUITES)
def test_all_are_listed(name, found):
    outcomes, output = found(name)
    assert set(outcomes) <= set(LISTED[name]), output
    assert len(LISTED[name]) == SUITES[name][1]


@pytest.mark.parametrize(
    "name, test",
    [(name, test) for name in SUITES for test in sorted(LISTED[name])],
)
def test_of_cpython(name, test, found):
    outcomes, output = found(name)
    wanted = LISTED[name][test]
    if wanted != "pass":
        pytest.skip(wanted[len("skip: "):])
    assert outcomes.get(test, "did not run: " + output) == "pass"
