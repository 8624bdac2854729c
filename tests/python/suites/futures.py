"""concurrent.futures' tests of ProcessPoolExecutor, with tutti.Executor in its
place, and of Future, with tutti.Future."""

import multiprocessing

from test import test_concurrent_futures as original

import tutti
from harness import from_tutti
from tutti._fault import RemoteTraceback

original.assert_python_ok = from_tutti(
    original.assert_python_ok, "from concurrent.futures import Executor")

# The cause of a task's exception, by its private name there.
original.futures.process._RemoteTraceback = RemoteTraceback


# FutureTests, too, are about ours.
original.Future = tutti.Future
original.PENDING_FUTURE = original.create_future(state=original.PENDING)
original.RUNNING_FUTURE = original.create_future(state=original.RUNNING)
original.CANCELLED_FUTURE = original.create_future(state=original.CANCELLED)
original.CANCELLED_AND_NOTIFIED_FUTURE = original.create_future(
    state=original.CANCELLED_AND_NOTIFIED)
original.EXCEPTION_FUTURE = original.create_future(
    state=original.FINISHED, exception=OSError())
original.SUCCESSFUL_FUTURE = original.create_future(
    state=original.FINISHED, result=42)


class Mixin(original.ExecutorMixin):
    executor_type = tutti.Executor
    ctx = ""

    def get_context(self):
        return multiprocessing.get_context("spawn")


class Initializer(
    original.InitializerMixin, Mixin, original.BaseTestCase
):
    pass


class FailingInitializer(
    original.FailingInitializerMixin, Mixin, original.BaseTestCase
):
    pass


class Shutdown(
    original.ProcessPoolShutdownTest, Mixin, original.BaseTestCase
):
    pass


class Wait(original.WaitTests, Mixin, original.BaseTestCase):
    pass


class AsCompleted(original.AsCompletedTests, Mixin, original.BaseTestCase):
    pass


class Executor(
    original.ProcessPoolExecutorTest, Mixin, original.BaseTestCase
):
    pass


class Deadlock(original.ExecutorDeadlockTest, Mixin, original.BaseTestCase):
    pass


class Future(original.FutureTests):
    pass
