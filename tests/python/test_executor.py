"""tutti.Executor, tutti.submit and their futures."""

import asyncio
import doctest
import gc
import os
import signal
import threading
import time
from concurrent import futures
from concurrent.futures.process import BrokenProcessPool

import pytest

import tutti
from conftest import alive
from tutti import _executor, _fault, _future


@pytest.fixture
def executor():
    with tutti.Executor(max_workers=2) as made:
        yield made


def until(true, seconds=30):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def fail(x):
    raise KeyError(x)


def test_doctests():
    for module in _executor, _future:
        result = doctest.testmod(module, extraglobs={"tutti": tutti})
        assert result.attempted >= 2 and not result.failed


def test_results_come_from_workers(executor):
    assert executor.submit(pow, 2, 5).result() == 32
    assert executor.submit(int, "ff", base=16).result() == 255
    pids = {executor.submit(os.getpid).result() for _ in range(5)}
    assert os.getpid() not in pids and len(pids) <= 2


def test_is_what_the_standard_library_has(executor):
    assert isinstance(executor, futures.Executor)
    future = executor.submit(abs, -1)
    assert isinstance(future, futures.Future)
    assert isinstance(future, tutti.Future)
    assert future.result(timeout=60) == 1
    assert (future.done(), future.running(), future.cancelled()) == (
        True, False, False)
    assert future.exception() is None
    assert "state=finished returned int" in repr(future)


def test_own_exceptions_come_with_the_workers_traceback(executor):
    future = executor.submit(fail, 7)
    with pytest.raises(KeyError) as caught:
        future.result()
    assert caught.value.args == (7,)
    assert "raise KeyError(x)" in str(caught.value.__cause__)
    assert future.exception() is caught.value


def test_what_cannot_travel_is_the_futures(executor):
    for future in (
        executor.submit(abs, threading.Lock()),
        executor.submit(lambda lock=threading.Lock(): 0),
        executor.submit(lambda: threading.Lock()),
    ):
        assert isinstance(future.exception(), tutti.UnpicklableError)
    assert executor.submit(abs, -1).result() == 1


def test_a_call_in_the_place_of_its_function(executor):
    for call in (tutti.submit, executor.submit):
        with pytest.raises(TypeError, match="misplaced parenthesis"):
            call(abs(-1))


def test_futures_without_an_audience_are_lean(executor):
    made = [executor.submit(abs, -n) for n in range(10)]
    assert [future.result() for future in made] == list(range(10))
    assert not any("_condition" in vars(future) for future in made)


def test_wait_and_as_completed(executor):
    made = [executor.submit(abs, -n) for n in range(20)]
    early = made[0].result()  # some have an end before somebody looks
    done, left = futures.wait(made)
    assert early == 0 and len(done) == 20 and not left
    made = [executor.submit(time.sleep, s) for s in (0.3, 0, 0, 0)]
    assert list(futures.as_completed(made))[-1] is made[0]
    slow = executor.submit(time.sleep, 0.5)
    done, left = futures.wait([slow, made[0]],
                              return_when=futures.FIRST_COMPLETED)
    assert left == {slow}


def test_many_threads_wait_for_one_future(executor):
    future = executor.submit(time.sleep, 0.2)
    got = []
    threads = [
        threading.Thread(target=lambda: got.append(future.result()))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == [None] * 8


def test_callbacks(executor, caplog):
    seen = []
    future = executor.submit(time.sleep, 0.1)
    future.add_done_callback(seen.append)
    future.add_done_callback(lambda _: 1 / 0)
    future.add_done_callback(seen.append)
    until(lambda: len(seen) == 2)
    assert seen == [future, future]
    future.add_done_callback(seen.append)
    assert len(seen) == 3
    assert "ZeroDivisionError" in caplog.text


def test_a_callback_may_submit_and_wait(executor):
    seen = []

    def again(done):
        seen.append(executor.submit(abs, -done.result()).result())

    executor.submit(abs, -3).add_done_callback(again)
    until(lambda: seen)
    assert seen == [3]


def test_timeout(executor):
    future = executor.submit(time.sleep, 1)
    for ask in (future.result, future.exception):
        with pytest.raises(futures.TimeoutError):
            ask(timeout=0.05)
    until(lambda: future.running() or future.done())
    assert future.result() is None


def test_cancel(executor):
    busy = [executor.submit(time.sleep, 0.5) for _ in range(2)]
    until(lambda: all(future.running() for future in busy))
    waiting = [executor.submit(abs, n) for n in range(20)]
    last = waiting[-1]
    seen = []
    last.add_done_callback(seen.append)
    assert last.cancel() and last.cancel() and last.cancelled()
    assert seen == [last]
    for ask in (last.result, last.exception):
        with pytest.raises(futures.CancelledError):
            ask()
    assert not busy[0].cancel()
    done, left = futures.wait(waiting)
    assert not left and last in done
    assert [future.result() for future in waiting[:-1]] == list(range(19))


def test_map(executor):
    assert list(executor.map(pow, [2, 3, 4], [5, 2])) == [32, 9]
    for chunksize in (1, 3, 100):
        got = executor.map(abs, range(-10, 0), chunksize=chunksize)
        assert list(got) == list(range(10, 0, -1))
    with pytest.raises(ValueError):
        executor.map(abs, [1], chunksize=0)
    with pytest.raises(ValueError):
        executor.map(abs, [1], buffersize=0)


def test_map_gives_what_comes_before_an_error(executor):
    got = executor.map(divmod, [7, 8, 9], [2, 0, 2])
    assert next(got) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        next(got)


def test_map_draws_no_more_than_its_buffer(executor):
    drawn = []

    def numbers():
        n = 0
        while True:
            drawn.append(n)
            yield n
            n += 1

    got = executor.map(abs, numbers(), buffersize=3)
    assert [next(got) for _ in range(4)] == [0, 1, 2, 3]
    assert len(drawn) <= 7
    got.close()


def test_map_timeout(executor):
    with pytest.raises(futures.TimeoutError):
        list(executor.map(time.sleep, [0, 2], timeout=0.2))


def test_initializer():
    def begin(*values):
        os.environ["BEGUN"] = repr(values)

    with tutti.Executor(2, initializer=begin, initargs=(1, "a")) as executor:
        got = set(executor.map(os.getenv, ["BEGUN"] * 8))
    assert got == {"(1, 'a')"}
    assert "BEGUN" not in os.environ


def test_initializer_that_raises():
    def begin():
        raise ValueError("no way to begin")

    with tutti.Executor(1, initializer=begin) as executor:
        error = executor.submit(abs, 1).exception()
        assert isinstance(error, tutti.InitializerError)
        assert isinstance(error, BrokenProcessPool)
        assert "no way to begin" in str(error)
        with pytest.raises(tutti.InitializerError, match="no way to begin"):
            executor.submit(abs, 1)


def test_an_error_comes_where_nothing_can_be_imported(executor, monkeypatch):
    """As without descriptors: no class is made to look whether it is one."""

    def make():
        raise OSError("too many open files")

    monkeypatch.delitem(vars(_fault), "InitializerError", raising=False)
    monkeypatch.setitem(_fault._made_late, "InitializerError", make)
    with pytest.raises(ZeroDivisionError):
        executor.submit(divmod, 1, 0).result(30)


def test_share():
    with tutti.Executor(1, share={"TABLE": [1, 2, 3]}) as executor:
        assert executor.submit(lambda: TABLE[1]).result() == 2  # noqa: F821


@pytest.mark.parametrize("way", [
    lambda: os.kill(os.getpid(), signal.SIGKILL),
    lambda: os._exit(3),
])
def test_a_dead_worker_fails_its_task_only(executor, way):
    made = [executor.submit(abs, -n) for n in range(50)]
    made.insert(25, executor.submit(way))
    error = made.pop(25).exception()
    assert isinstance(error, tutti.WorkerLostError)
    assert isinstance(error, BrokenProcessPool)
    assert [future.result() for future in made] == list(range(50))
    assert executor.submit(abs, -1).result() == 1


def test_a_worker_killed_from_outside(executor):
    pid = executor.submit(os.getpid).result()
    future = executor.submit(lambda: (time.sleep(0.2), os.getpid())[1])
    until(future.running)
    os.kill(pid, signal.SIGKILL)
    try:
        assert future.result(30) != pid  # it ran in the other one
    except tutti.WorkerLostError:
        pass
    assert executor.submit(abs, -1).result(30) == 1


def test_task_timeout():
    with tutti.Executor(1, task_timeout=0.2) as executor:
        slow = executor.submit(time.sleep, 60)
        quick = executor.submit(abs, -1)
        assert isinstance(slow.exception(30), tutti.TaskTimeoutError)
        assert quick.result(30) == 1


def test_max_tasks_per_child():
    with tutti.Executor(1, max_tasks_per_child=2) as executor:
        pids = [executor.submit(os.getpid).result() for _ in range(6)]
    assert pids[0] == pids[1] and pids[2] == pids[3] and pids[4] == pids[5]
    assert len(set(pids)) == 3


@pytest.mark.parametrize("arguments, error", [
    ({"max_workers": 0}, ValueError), ({"max_workers": -1}, ValueError),
    ({"initializer": 1}, TypeError),
    ({"max_tasks_per_child": 0}, ValueError),
    ({"max_tasks_per_child": 1.5}, TypeError),
    ({"max_workers": "two"}, TypeError), ({"max_workers": 2.5}, TypeError),
    ({"task_timeout": 0}, ValueError),
    ({"task_timeout": float("nan")}, ValueError),
    ({"task_timeout": "a"}, TypeError),
])
def test_bad_arguments(arguments, error):
    with pytest.raises(error, match=next(iter(arguments))):
        tutti.Executor(**arguments)


def test_shutdown(executor):
    made = [executor.submit(time.sleep, 0.05) for _ in range(6)]
    pids = {executor.submit(os.getpid).result()}
    executor.shutdown()
    assert all(future.done() for future in made)
    until(lambda: not any(map(alive, pids)))
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(abs, 1)
    executor.shutdown()


def test_shutdown_cancels(executor):
    made = [executor.submit(time.sleep, 0.1) for _ in range(50)]
    executor.shutdown(cancel_futures=True)
    cancelled = [future for future in made if future.cancelled()]
    assert 20 < len(cancelled) < 50
    assert all(future.done() for future in made)


def test_terminate_workers(executor):
    future = executor.submit(time.sleep, 60)
    until(future.running)
    executor.terminate_workers()
    assert isinstance(future.exception(30), tutti.WorkerLostError)
    with pytest.raises(RuntimeError):
        executor.submit(abs, 1)


def test_a_forgotten_executor_still_does_its_tasks():
    executor = tutti.Executor(2)
    made = [executor.submit(abs, -n) for n in range(20)]
    pid = executor.submit(os.getpid).result()
    del executor
    gc.collect()
    assert [future.result() for future in made] == list(range(20))
    until(lambda: not alive(pid))


def test_await(executor):
    async def main():
        loop = asyncio.get_running_loop()
        return (
            await tutti.submit(abs, -1),
            await executor.submit(abs, -2),
            await loop.run_in_executor(executor, abs, -3),
            await asyncio.wrap_future(tutti.submit(abs, -4)),
            await asyncio.gather(*map(asyncio.wrap_future, (
                executor.submit(abs, -n) for n in range(5)))),
        )

    assert asyncio.run(main()) == (1, 2, 3, 4, [0, 1, 2, 3, 4])


def test_await_raises(executor):
    async def main():
        await executor.submit(fail, 1)

    with pytest.raises(KeyError):
        asyncio.run(main())


def test_submit():
    made = [tutti.submit(pow, 2, n) for n in range(20)]
    assert [future.result() for future in made] == [2**n for n in range(20)]
    pids = {tutti.submit(os.getpid).result() for _ in range(20)}
    assert len(pids) <= tutti.cpu_count() and os.getpid() not in pids


def test_idle_processes_leave(script):
    out, err = script("""
import os, time, tutti
from tutti import _executor
_executor.IDLE = 0.3
pid = tutti.submit(os.getpid).result()
slow = tutti.submit(time.sleep, 1)
slow.result()
end = time.monotonic() + 30
def gone():
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True
while not (gone() and not _executor._shared) and time.monotonic() < end:
    time.sleep(0.05)
print(gone(), tutti.submit(abs, -1).result())
""")
    assert (out, err) == ("True 1\n", "")


EXIT = """
import sys, time, tutti
def late(x):
    time.sleep(0.5)
    print("task", x)
%s
print("end")
"""


@pytest.mark.parametrize("how", ["file", "-c"])
@pytest.mark.parametrize("line", [
    "tutti.submit(late, 1)",
    "tutti.Executor(2).submit(late, 1)",
    "e = tutti.Executor(2); e.submit(late, 1)",
    "e = tutti.Executor(2); e.submit(late, 1); e.shutdown(wait=False)",
])
def test_exit_waits_for_tasks(script, how, line):
    out, err = script(EXIT % line, how)
    assert (out, err) == ("end\ntask 1\n", "")


def test_no_task_after_the_exit(script):
    out, err = script("""
import atexit, tutti
def last():
    try:
        tutti.submit(abs, 1)
    except RuntimeError as error:
        print(error)
atexit.register(last)
print(tutti.submit(abs, -1).result())
""")
    assert out == (
        "1\ncannot schedule new futures after interpreter shutdown\n")
    assert err == ""


def test_in_a_forked_child(script):
    out, err = script("""
import os, tutti, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # forks beside threads
executor = tutti.Executor(1)
print(tutti.submit(abs, -1).result(), executor.submit(abs, -2).result(),
      flush=True)
child = os.fork()
if child == 0:
    print(tutti.submit(abs, -3).result(), executor.submit(abs, -4).result(),
          flush=True)
    os._exit(0)
print(os.waitpid(child, 0)[1], executor.submit(abs, -5).result())
""")
    assert (out, err) == ("1 2\n3 4\n0 5\n", "")


def test_futures_of_another_process(script):
    out, err = script("""
import os, time, tutti, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # forks beside threads
future = tutti.submit(time.sleep, 1)
child = os.fork()
if child == 0:
    try:
        future.result()
    except RuntimeError as error:
        print(error, flush=True)
    os._exit(0)
os.waitpid(child, 0)
print(future.result())
""")
    assert "forked from" in out and out.endswith("None\n") and err == ""


def test_an_interrupt_while_a_result_is_awaited(script):
    process = script.start("""
import tutti, time
print(tutti.submit(abs, -1).result(), flush=True)
try:
    tutti.submit(time.sleep, 2).result()
except KeyboardInterrupt:
    print("interrupted", tutti.submit(abs, -2).result(), flush=True)
""")
    with process:
        assert process.stdout.readline() == "1\n"
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (out, err) == ("interrupted 2\n", "")


def test_a_future_cancelled_while_somebody_waits():
    with tutti.Executor(1) as executor:
        slow = executor.submit(time.sleep, 1)
        until(slow.running)
        future = executor.submit(abs, -1)
        got = []

        def wait():
            try:
                future.result()
            except futures.CancelledError:
                got.append(time.monotonic())

        thread = threading.Thread(target=wait)
        thread.start()
        time.sleep(0.1)
        assert future.cancel()
        thread.join(30)
        assert got and not slow.cancelled()


def test_wait_is_told_of_a_cancellation():
    with tutti.Executor(1) as executor:
        slow = executor.submit(time.sleep, 1)
        until(slow.running)
        future = executor.submit(abs, -1)
        threading.Timer(0.2, future.cancel).start()
        done, left = futures.wait([future], timeout=30)
        assert done == {future} and future.cancelled()


def test_a_callback_may_make_another_executor(executor):
    got = []

    def again(_):
        with tutti.Executor(1) as other:
            got.append(other.submit(abs, -3).result())

    with tutti.Executor(1) as first:
        first.submit(time.sleep, 0.2).add_done_callback(again)
    until(lambda: got)
    assert got == [3]


def test_tasks_that_submit():
    def outer(n):
        return tutti.submit(abs, -n).result()

    with tutti.Executor(2) as executor:
        assert list(executor.map(outer, range(4))) == [0, 1, 2, 3]


def test_few_descriptors_are_left(script):
    out, err = script("""
import os, resource, tutti
usual = resource.getrlimit(resource.RLIMIT_NOFILE)
errors = OSError, tutti.WorkerLostError
assert tutti.Executor(1).submit(abs, -1).result() == 1  # all is imported
for spare in range(14):
    lowest = os.dup(0)
    os.close(lowest)
    executor = tutti.Executor(1)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + spare, usual[1]))
    try:
        print(executor.submit(abs, -2).result(timeout=30))
    except errors as error:
        print("Too many open files" in str(error))
    resource.setrlimit(resource.RLIMIT_NOFILE, usual)
    assert executor.submit(abs, -3).result(timeout=30) == 3
    executor.shutdown()
""")
    said = out.split()
    assert said[0] == "True" and said[-1] == "2", out
    assert set(said) == {"True", "2"} and err == ""
