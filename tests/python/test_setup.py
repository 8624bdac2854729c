"""Initializers, shared objects, and multiprocessing's own, on their way to a
worker: the two halves of it, with a process between them that knows the caller
as little as a worker does."""

import multiprocessing
import os
import pickle
import subprocess
import sys
import threading

import pytest

import tutti
from tutti import _job, _setup, _wire

WORKER = """
import pickle, sys
from tutti import _worker
worker = _worker.Worker()
for job, functions in pickle.load(sys.stdin.buffer):
    number, state, _, _, setup = pickle.loads(job)
    worker.state.enter(number, state)
    worker._prepare_queue((), setup)
    for data, args in functions:
        print(worker.function(data, ())(*args), flush=True)
"""


@pytest.fixture
def worker():
    """Runs [(job, [(function, arguments)])]; the lines of the results."""

    def run(jobs):
        return subprocess.run(
            [sys.executable, "-c", WORKER], input=pickle.dumps(jobs),
            stdout=subprocess.PIPE, check=True, timeout=60,
        ).stdout.decode().splitlines()

    return run


def dump(f, setup):
    data, buffers = _setup.dump_function(f, setup or _setup.Bare())
    assert not buffers
    return data


def test_nothing_to_set_up(worker):
    setup = _job.dump_setup((None, (), None))
    assert setup is None
    job = _job.Jobs(setup).queue()
    assert worker([(job, [(dump(abs, setup), (-1,))])]) == ["1"]


MAIN = """
import pickle, sys
from tutti import _job, _setup
LOCK = None
COUNT = 5
def begin(value):
    global LOCK, EXTRA
    LOCK = EXTRA = value
def look():
    return LOCK, EXTRA, COUNT
def bump():
    global LOCK
    LOCK += 1
    return LOCK
setup = _job.dump_setup((begin, (7,), None))
jobs = [(_job.Jobs(setup).queue(), [
    (_setup.dump_function(f, setup)[0], ()) for f in (look, bump, bump, look)])]
jobs.append((_job.Jobs(setup).queue(), [
    (_setup.dump_function(look, setup)[0], ())]))
sys.stdout.buffer.write(pickle.dumps(jobs))
"""


def test_what_an_initializer_sets_is_seen(worker):
    jobs = subprocess.check_output([sys.executable, "-c", MAIN])
    assert worker(pickle.loads(jobs)) == [
        "(7, 7, 5)", "8", "9", "(9, 7, 5)", "(9, 7, 5)"
    ]


SHARE = """
import functools, pickle, sys
from tutti import _job, _setup
def look(k):
    return TABLE[k]
class Call:
    def __call__(self, k):
        return TABLE[k]
    def method(self, k):
        return TABLE[k]
setup = _job.dump_setup((None, (), {"TABLE": {1: "one"}}))
sys.stdout.buffer.write(pickle.dumps([(_job.Jobs(setup).queue(), [
    (_setup.dump_function(f, setup)[0], (1,)) for f in (look,
    functools.partial(look), Call(), Call().method, lambda k: TABLE[k])])]))
"""


def test_share(worker):
    jobs = subprocess.check_output([sys.executable, "-c", SHARE])
    assert worker(pickle.loads(jobs)) == ["one"] * 5


def test_share_in_a_module(worker, tmp_path, monkeypatch):
    (tmp_path / "tt_user.py").write_text("def look(): return TABLE\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    import tt_user

    setup = _job.dump_setup((None, (), {"TABLE": 9}))
    job = _job.Jobs(setup).queue()
    assert worker([(job, [(dump(tt_user.look, setup), ())])]) == ["9"]


def use(lock, value, queue, event, pipe, barrier):
    global PIPE
    with lock:
        with value.get_lock():
            value.value += 1
    queue.put(os.getpid())
    event.set()
    pipe.send("sent")
    queue.close()
    queue.join_thread()
    return value.value


def begin(*args):
    use(*args)
    globals()["args"] = args


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver", None])
def test_objects_of_multiprocessing(worker, method):
    context = multiprocessing.get_context(method)
    here, there = context.Pipe()
    objects = (
        context.Lock(), context.Value("i", 5), context.Queue(),
        context.Event(), there, context.Barrier(2),
    )
    setup = _job.dump_setup((begin, objects, None))
    job = _job.Jobs(setup).queue()
    for k in (6, 7):  # two workers
        look = dump(_wire.load, setup)
        worker([(job, [(look, (pickle.dumps(1),))])])
        lock, value, queue, event, _, _ = objects
        assert value.value == k
        assert queue.get(timeout=10) > 0
        assert event.is_set()
        assert here.recv() == "sent"
        assert lock.acquire(timeout=10)
        lock.release()
    setup.close()


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_lock_holds_between_processes(worker, method):
    context = multiprocessing.get_context(method)
    lock = context.Lock()

    def try_lock():
        return [lock.acquire(timeout=0.1)]

    setup = _job.dump_setup((None, (), {"x": lock}))
    job = _job.Jobs(setup).queue()
    jobs = [(job, [(dump(try_lock, setup), ())])]
    with lock:
        assert worker(jobs) == ["[False]"]
    assert worker(jobs) == ["[True]"]
    assert not lock.acquire(timeout=0.1)  # that one kept it
    lock.release()


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_functions_of_a_map_bring_them(method):
    context = multiprocessing.get_context(method)
    value = context.Value("i", 0)

    def add(x):
        with value.get_lock():
            value.value += x

    tutti.map(add, range(100), on="processes:2")
    assert value.value == 4950


def test_functions_of_a_pool_bring_them():
    value = multiprocessing.Value("i", 0)
    lock = multiprocessing.Lock()
    queue = multiprocessing.Queue()

    def add(x):
        with lock, value.get_lock():
            value.value += x
        queue.put(x)

    with tutti.Pool(2) as pool:
        pool.map(add, range(50))
        pool.map(add, range(50))
        assert value.value == 2450
        assert sum(queue.get(timeout=30) for _ in range(100)) == 2450


def test_threads_move_a_lock_once():
    from tutti import _semaphore

    for _ in range(20):
        locks = [multiprocessing.Lock() for _ in range(4)]
        files = []

        def move():
            files.append([
                _semaphore._file_of(lock, lock._semlock.handle)
                for lock in locks
            ])

        threads = [threading.Thread(target=move) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert files[0] == files[1]


def test_a_descriptor_is_kept_once():
    value = multiprocessing.get_context("spawn").Value("i", 0)
    bare = _setup.Bare()

    def look():
        return value

    for _ in range(20):
        _setup.dump_function(look, bare)
    assert len(bare.baggage.kept) == 1


def test_proxies_of_managers():
    with multiprocessing.Manager() as manager:
        table = manager.dict()
        tutti.map(table.__setitem__, range(3), range(3), on="processes:2")
        assert table.copy() == {0: 0, 1: 1, 2: 2}


def test_items_do_not_bring_them():
    lock = multiprocessing.get_context("spawn").Lock()
    with pytest.raises(tutti.UnpicklableError, match="inheritance"):
        tutti.map(bool, [lock], on="processes")


def test_lock_that_a_child_has_already():
    lock = multiprocessing.get_context("fork").Lock()
    pid = os.fork()
    if not pid:
        lock.acquire()
        os.pause() if hasattr(os, "pause") else __import__("time").sleep(60)
        os._exit(0)
    try:
        with pytest.raises(tutti.UnpicklableError, match="forked before.*spawn"):
            _job.dump_setup((print, (1, lock), None))
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)


def test_what_cannot_travel_is_named():
    lock = threading.Lock()
    for setup, words in (
        ((print, (1, lock), None), "argument 1, <unlocked _thread.lock"),
        ((None, (), {"LOCK": lock}), "share's 'LOCK', <unlocked _thread.lock"),
        ((lock.acquire, (), None), "the initializer <built-in method acquire"),
    ):
        with pytest.raises(tutti.UnpicklableError, match=words):
            _job.dump_setup(setup)


def test_descriptors_are_given_back():
    before = len(os.listdir("/proc/self/fd"))
    value = multiprocessing.get_context("spawn").Value("i", 5)
    setup = _job.dump_setup((print, (value,), None))
    during = len(os.listdir("/proc/self/fd"))
    setup.close()
    assert len(os.listdir("/proc/self/fd")) < during
    lock = multiprocessing.get_context("fork").Lock()
    before = len(os.listdir("/proc/self/fd"))
    setup = _job.dump_setup((print, (lock,), None))
    setup.close()
    del lock, setup
    assert len(os.listdir("/proc/self/fd")) == before


def test_an_initializer_that_raises():
    from tutti._worker import Worker

    def fail():
        raise KeyError("mine")

    setup = _job.dump_setup((fail, (), None))
    with pytest.raises(Exception, match="initializer failed: KeyError: 'mine'"):
        Worker()._prepare_queue((), setup.data)


@pytest.mark.parametrize("name, waits", [
    ("multiprocessing.context", "multiprocessing.reduction"),
    ("multiprocessing.reduction", "socket"),
    ("multiprocessing.synchronize", "_multiprocessing"),
])
def test_a_module_that_another_thread_imports(script, name, waits):
    """As one does that makes the first WorkerLostError."""
    out, err = script("""
import sys, threading
from importlib.machinery import PathFinder
import tutti

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name != "{1}":
            return None
        spec = PathFinder.find_spec(name, path, target)
        run = spec.loader.exec_module
        spec.loader.exec_module = lambda m: (held.set(), go.wait(20), run(m))
        return spec

held, go = threading.Event(), threading.Event()
with tutti.Executor(1) as executor:
    executor.submit(abs, -1).result()
    sys.meta_path.insert(0, Finder())
    thread = threading.Thread(target=__import__, args=("{0}",))
    thread.start()
    assert held.wait(20)
    print("{0}" in sys.modules, executor.submit(lambda: bool(sys)).exception(30))
    go.set()
    thread.join()
""".format(name, waits))
    assert (out, err) == ("True None\n", "")
