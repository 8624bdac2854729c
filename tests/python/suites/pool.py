"""multiprocessing's tests of Pool, with tutti.Pool in its place."""

import multiprocessing
import unittest

from test import _test_multiprocessing as original
from test.support import script_helper

import tutti
from harness import from_tutti

multiprocessing.Pool = tutti.Pool  # some tests take it from there
script_helper.assert_python_ok = from_tutti(
    script_helper.assert_python_ok, "from multiprocessing import Pool")


def unpicklable_result():
    return (x for x in ())


# Theirs is a lambda, which comes back from tutti's workers.
original.unpickleable_result = unpicklable_result


class Mixin(original.ProcessesMixin):
    Pool = staticmethod(tutti.Pool)


class TestPool(original._TestPool, Mixin, unittest.TestCase):
    pass


class TestPoolWorkerErrors(
    original._TestPoolWorkerErrors, Mixin, unittest.TestCase
):
    pass


class TestPoolWorkerLifetime(
    original._TestPoolWorkerLifetime, Mixin, unittest.TestCase
):
    pass
