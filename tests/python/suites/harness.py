"""Runs a suite: python harness.py NAME LIST OUT. Imported: reads the lists."""

import faulthandler
import importlib
import json
import os
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
VERSION = 3, 11  # whose tests the lists name
A_TEST = 60  # seconds


def read(name):
    """The list of a suite: id -> "pass" or "skip: reason"."""
    with open(os.path.join(HERE, name + ".txt")) as f:
        rows = [line.split(None, 1) for line in f if line.strip()]
    listed = {test: wanted.strip() for test, wanted in rows}
    assert len(listed) == len(rows), "an id stands twice in %s.txt" % name
    for wanted in listed.values():
        assert wanted == "pass" or wanted.startswith("skip: ")
    return listed


def missing(module):
    """Why a suite's tests cannot be run here; None: they can."""
    if sys.version_info[:2] != VERSION:
        return "the lists are for the tests of Python %d.%d" % VERSION
    try:
        importlib.import_module(module)
    except ImportError as error:
        return "%s: install libpython%d.%d-testsuite" % (error, *VERSION)
    return None


def outcomes(name, seconds):
    """Runs the suite `name` in another process: id -> its outcome, and what
    it printed."""
    ran = subprocess.run(
        [sys.executable, os.path.join(HERE, "harness.py"), name],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds,
        universal_newlines=True, stdin=subprocess.DEVNULL,
    )
    found = {}
    for line in ran.stdout.splitlines():
        if line.startswith("outcome: "):
            test, outcome = json.loads(line[len("outcome: "):])
            found[test] = outcome
    return found, ran.stdout


def from_tutti(run, line):
    """run(), whose scripts import from tutti what `line` imports."""
    ours = "from tutti" + line[line.index(" import") :]

    def run_with_tutti(*args, **options):
        return run(*(arg.replace(line, ours) for arg in args), **options)

    return run_with_tutti


def id_of(test):
    return ".".join(test.id().split(".")[-2:])


class Result(unittest.TestResult):
    """Tells each outcome as soon as it is known."""

    def say(self, test, outcome):
        faulthandler.cancel_dump_traceback_later()
        line = json.dumps([id_of(test), outcome])
        print("\noutcome: " + line, flush=True)

    def startTest(self, test):
        super().startTest(test)
        faulthandler.dump_traceback_later(A_TEST, exit=True)

    def addSuccess(self, test):
        self.say(test, "pass")

    def addSkip(self, test, reason):
        self.say(test, "skip: " + reason)

    def addFailure(self, test, error):
        self.say(test, "fail: " + self._exc_info_to_string(error, test))

    addError = addFailure

    def addSubTest(self, test, subtest, error):
        if error is not None:
            self.addFailure(test, error)

    def addExpectedFailure(self, test, error):
        self.say(test, "pass")

    def addUnexpectedSuccess(self, test):
        self.say(test, "fail: it should not pass")


def main(name):
    listed = read(name)
    skipped = {test for test in listed if listed[test] != "pass"}
    loaded = unittest.defaultTestLoader.loadTestsFromName(name)
    suite = unittest.TestSuite()
    for group in loaded:
        suite.addTest(type(group)(
            test for test in group if id_of(test) not in skipped
        ))
    suite.run(Result())


if __name__ == "__main__":
    main(sys.argv[1])
