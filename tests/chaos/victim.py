"""Runs what chaos.py asks for, a line of JSON each, and tells what came of
it, until its standard input ends."""

import collections
import faulthandler
import json
import os
import re
import resource
import signal
import sys
import threading
import time
import warnings

import tutti
import trouble

WORKERS = 2

pools = {}  # opened once, as a user's are


def opened(kind, options):
    """The one that has these options."""
    key = kind, *sorted(options.items())
    if key not in pools:
        pools[key] = getattr(tutti, kind)(WORKERS, **options)
    return pools[key]


class Leave(SystemExit):
    """The process is to end, at any instant."""


def leave(*unused):
    raise Leave(0)


first = []  # when the first error of a run came


def failed():
    if not first:
        first.append(time.monotonic())


def outcomes(gets):
    """The results of calls, exceptions in their places."""
    results = []
    for get in gets:
        try:
            results.append(get())
        except (KeyboardInterrupt, Leave):
            raise
        except BaseException as error:
            failed()
            results.append(error)
    return results


def run_map(f, items, options):
    return tutti.map(f, items, on="processes", **options)


def run_auto(f, items, options):
    return tutti.map(f, items, **options)


def run_nested(f, items, options):
    def outer(part):
        return tutti.map(f, part, on="processes", **options)

    half = len(items) // 2
    first, second = tutti.map(outer, [items[:half], items[half:]],
                              on="processes",
                              retries=options.get("retries", 0))
    return first + second


def run_threads(f, items, options):
    results = [None, None]

    def work(k):
        results[k] = outcomes([lambda: run_map(f, items[k::2], options)])[0]

    threads = [threading.Thread(target=work, args=(k,)) for k in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    merged = [None] * len(items)
    for k, got in enumerate(results):
        count = len(items[k::2])
        merged[k::2] = got if isinstance(got, list) else [got] * count
    return merged


def run_imap(f, items, options):
    return list(tutti.imap(f, items, on="processes", **options))


def run_submit(f, items, options):
    return outcomes([tutti.submit(f, x).result for x in items])


def run_pool_map(f, items, options):
    return opened("Pool", options).map(f, items)


def run_pool_apply(f, items, options):
    return outcomes([lambda x=x: opened("Pool", options).apply(f, (x,)) for x in items])


def run_pool_async(f, items, options):
    return outcomes([opened("Pool", options).apply_async(f, (x,)).get for x in items])


def run_pool_imap(f, items, options):
    it = opened("Pool", options).imap(f, items)
    return outcomes([it.next for x in items])


def run_pool_fresh(f, items, options):
    with tutti.Pool(WORKERS, **options) as fresh:
        return fresh.map(f, items)


def run_pool_terminate(f, items, options):
    """At an instant that depends on the last run's."""
    pool = tutti.Pool(WORKERS, **options)
    result = pool.map_async(f, items)
    time.sleep(time.time() * 1e6 % 20 * 1e-3)
    pool.terminate()
    pool.join()
    return result.get()


def run_pool_fork(f, items, options):
    """A child that is forked while a pool is open has its own."""
    pool = opened("Pool", options)
    result = pool.map_async(f, items)
    signals = [signal.SIGINT, signal.SIGUSR2]  # the parent's, not the child's
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    child = os.fork()
    if not child:
        child_main(pool)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
    try:
        return result.get()
    finally:
        status = os.waitpid(child, 0)[1]
        if status and not os.WIFSIGNALED(status):
            raise AssertionError("the child ended with %d" % status)


def child_main(pool):
    status = 1
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    for _ in range(4):
        try:
            got = tutti.map(abs, range(-3, 0), on="processes")
            status = 0 if got == [3, 2, 1] else 2
            break
        except Exception:
            status = 3
    os._exit(status)


def run_executor(f, items, options):
    return outcomes([opened("Executor", options).submit(f, x).result for x in items])


def run_executor_map(f, items, options):
    return list(opened("Executor", options).map(f, items))


def run_executor_fresh(f, items, options):
    with tutti.Executor(WORKERS, **options) as fresh:
        return outcomes([fresh.submit(f, x).result for x in items])


FACES = {name[4:]: face for name, face in list(globals().items())
         if name.startswith("run_")}


def function(request):
    """The task of a request, by name or by value."""
    rest = (request["at"], request["trouble"], request["seconds"],
            request["spin"])
    if request["by_name"]:
        import functools

        at, what, seconds, spin = rest
        return functools.partial(trouble.task, at=at, trouble=what,
                                 seconds=seconds, spin=spin)
    return lambda x: trouble.task(x, *rest)


def judge(request, results):
    """(errors, what is wrong or None) of the results of a run."""
    if isinstance(results, BaseException):
        return [tell(None, results)], None
    if len(results) != request["n"]:
        return [], "%d results of %d tasks" % (len(results), request["n"])
    errors = []
    for i, value in enumerate(results):
        if isinstance(value, BaseException):
            errors.append(tell(i, value))
        elif value != i * i:
            return errors, "the result of task %d is %r" % (i, value)
    return errors, None


def tell(index, error):
    """Its classes, the nearest first."""
    classes = " ".join(c.__name__ for c in type(error).__mro__[:-3])
    return index, classes or type(error).__name__, str(error)[:300]


def forget(*unused):
    pass


class Interrupts:
    """Ctrl-C counts inside `with`, once; it is forgotten outside."""

    def __enter__(self):
        signal.signal(signal.SIGINT, self.strike)

    def strike(self, *unused):
        signal.signal(signal.SIGINT, forget)
        raise KeyboardInterrupt

    def __exit__(self, *unused):
        signal.signal(signal.SIGINT, forget)


def run(request):
    f = function(request)
    items = trouble.items(request["n"], request["at"], request["trouble"])
    results = None
    first.clear()
    try:
        with Interrupts():
            results = FACES[request["face"]](f, items, request["options"])
    except Leave:
        raise
    except BaseException as error:
        failed()
        results = error
    errors, wrong = judge(request, results)
    return {"failed": first, "errors": errors, "wrong": wrong}


def unraisable(lost):
    """Python itself loses an interrupt in a __del__, and says so."""
    if not issubclass(lost.exc_type, (KeyboardInterrupt, Leave)):
        sys.__unraisablehook__(lost)


def faces_to_check():
    yield lambda: tutti.map(abs, range(-5, 0), on="processes")
    for one in pools.values():
        yield lambda: list(one.map(abs, range(-5, 0)))


def check(request):
    """Whether all that is open gives right answers again, and what is held."""
    attempts, errors = 0, []
    for call in faces_to_check():
        for attempt in range(4):
            attempts = max(attempts, attempt)
            try:
                got = call()
                if got != [5, 4, 3, 2, 1]:
                    errors.append(("wrong", repr(got)))
                break
            except Exception as error:
                errors.append(tell(None, error)[1:])
    links = []
    for name in os.listdir("/proc/self/fd"):
        try:
            links.append(os.readlink("/proc/self/fd/" + name))
        except OSError:
            pass
    with open("/proc/self/maps") as maps:
        mapped = sum("memfd:" in line for line in maps)
    return {
        "attempts": attempts, "errors": errors,
        "descriptors": collections.Counter(
            re.sub("[0-9]+", "", link) for link in links),
        "named": [link for link in links if link.startswith("/dev/shm")],
        "pools": len(pools), "segments": mapped, "threads": len(os.listdir("/proc/self/task")),
    }


def main():
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, forget)
    signal.signal(signal.SIGUSR2, leave)
    warnings.filterwarnings("ignore", "worker .* was stopped by signal")
    sys.unraisablehook = unraisable
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    reply = {"faces": list(FACES), "version": tutti.__version__}
    while True:
        print(json.dumps(reply), file=out, flush=True)
        line = sys.stdin.readline()
        if not line:
            break
        request = json.loads(line)
        reply = {"run": run, "check": check}[request["do"]](request)


main()
