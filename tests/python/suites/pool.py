"""multiprocessing's tests of Pool, with tutti.Pool in its place."""

import multiprocessing
import unittest

from test import _test_multiprocessing as original
from test.support import script_helper

import tutti

multiprocessing.Pool = tutti.Pool  # some tests take it from there
run_python = script_helper.assert_python_ok


def run_with_tutti(*args, **options):
    return run_python(*(
        arg.replace("from multiprocessing import Pool",
                    "from tutti import Pool")
        for arg in args
    ), **options)


script_helper.assert_python_ok = run_with_tutti


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
