"""tutti: one loop, run where it pays.

>>> import tutti
>>> tutti.map(abs, range(-3, 3))
[3, 2, 1, 0, 1, 2]

tutti.map starts in the caller, like the list comprehension that it replaces,
and spreads to other processes when its measurements say that this pays.
tutti.explain() tells what it decided, and why.
"""

from . import _tutti
from ._tutti import task
from ._tutti import version as __version__

# What is seldom used comes with its module.
_late = {
    "Error": "_fault",
    "Executor": "_executor",
    "Future": "_future",
    "InitializerError": "_fault",
    "MISSING": "_fault",
    "Pool": "_pool",
    "TaskTimeoutError": "_fault",
    "UnpicklableError": "_fault",
    "UnreadableError": "_fault",
    "WorkerLostError": "_fault",
    "expect": "_expect",
    "imap": "_lazy",
    "imap_unordered": "_lazy",
    "kernel": "_kernel",
    "reduce": "_kernel",
    "submit": "_executor",
    "wordcount": "_wordcount",
}

__all__ = [
    "cpu_count",
    "explain",
    "map",
    "starmap",
    "task",
    "timeline",
    "trace",
    *_late,
]


def __getattr__(name):
    if name in ("array", "linalg"):
        from importlib import import_module

        return import_module("tutti." + name)
    if name not in _late:
        raise AttributeError("module 'tutti' has no attribute %r" % name)
    from importlib import import_module

    value = getattr(import_module("tutti." + _late[name]), name)
    return globals().setdefault(name, value)


def map(f, *iterables, on="auto", workers=None, retries=0, task_timeout=None,
        seed=None, errors="raise", progress=False, deterministic=False):
    """[f(x) for x in iterable], in parallel where that pays.

    f depends on its arguments only: whether its side effects are seen in the
    caller is unspecified (on="serial" keeps all of them, on="processes" none).

    f:            called once an item; with several iterables, with an item of
                  each, until the shortest ends. An array is iterated by rows.
                  Or a tutti.kernel, over an array, a range or numbers; or, over
                  an array, a function that is compiled already (ctypes, cffi,
                  Numba, SciPy's LowLevelCallable, Cython's capsules): these
                  run on threads without the interpreter, and give an array.
    on:           the place: "auto" (the caller, and processes when they pay),
                  "serial", "processes", "processes:4"; or an open Pool or
                  Executor: its workers, with its initializer, share and
                  limits, run all tasks. TUTTI_ON in the environment overrides
                  the places of all loops.
    workers:      at most so many, the caller included where it takes part;
                  None: tutti.cpu_count().
    retries:      how often a task is run again whose worker died; "auto" then
                  means "processes".
    task_timeout: seconds for one task, which is then stopped; "auto" then
                  means "processes", and other places refuse it.
    seed:         a whole number: the streams of `random`, NumPy's global
                  generator, C's rand() and drand48() start anew in every task,
                  from the seed and the task's index alone: the same numbers
                  in any place, with any workers, also in maps inside a task.
                  The caller's own streams go on as if nothing had been drawn.
                  Seeded maps of several threads run one after the other: a
                  task must not wait for another thread's.
                  tutti.task.rng needs no seed to differ in every task; with
                  one it is the same wherever the task runs.
    errors:       "raise" the exception of the lowest task that failed, with
                  its own type (the tasks before it have run); or "return"
                  exceptions as the results of their tasks.
    progress:     draw a bar on a terminal's standard error.
    deterministic: hold BLAS and OpenMP to one thread while the map runs, in
                  the caller as in the workers, so that linear algebra gives
                  the same bits in any place. Needs threadpoolctl.

    Returns a list of the results, in the order of the items.
    Raises what f raises; WorkerLostError, TaskTimeoutError, UnpicklableError;
    ValueError and TypeError for arguments. The attribute `tutti` of what it
    raises has the task's index, its arguments as text, and results, a list of
    all that were there, with tutti.MISSING for the others.
    Threads: any, several at once, and from inside a task.
    Costs a few microseconds more than the list comprehension.

    >>> tutti.map(pow, [2, 3, 4], [5, 2, 3])
    [32, 9, 64]
    >>> tutti.map(lambda n: n / 0, [1], errors="return")
    [ZeroDivisionError('division by zero')]
    """
    if not progress and not deterministic:
        return _tutti.map(f, iterables, on, workers, retries, task_timeout,
                          errors, None, seed, False)
    return _map(f, iterables, on, workers, retries, task_timeout, errors,
                progress, False, seed, deterministic)


def starmap(f, tuples, *, on="auto", workers=None, retries=0,
            task_timeout=None, seed=None, errors="raise", progress=False,
            deterministic=False):
    """[f(*arguments) for arguments in tuples], in parallel where that pays.

    As tutti.map in all else.

    >>> tutti.starmap(pow, [(2, 5), (3, 2), (2, 5, 7)])
    [32, 9, 4]
    """
    return _map(f, (tuples,), on, workers, retries, task_timeout, errors,
                progress, True, seed, deterministic)


def _map(f, iterables, on, workers, retries, task_timeout, errors, progress,
         star, seed, deterministic):
    if deterministic:
        from ._held import Function, Held

        if callable(f) and type(f).__module__ != "tutti._kernel":
            f = Function(f)
        with Held():
            return _map(f, iterables, on, workers, retries, task_timeout,
                        errors, progress, star, seed, False)
    bar = None
    if progress:
        from ._bar import bar as make_bar

        bar = make_bar()
    return _tutti.map(f, iterables, on, workers, retries, task_timeout, errors,
                      bar, seed, star)


def explain():
    """What became of this thread's last map: where it ran and why, what that
    cost, where the time went. A few lines of text; empty before the first.

    >>> squares = tutti.map(lambda x: x * x, range(1000))
    >>> print(tutti.explain())  # doctest: +ELLIPSIS
    1000 tasks ...
    """
    return _tutti.explain()


def cpu_count():
    """The CPUs that this process may keep busy: the least of affinity,
    container quota, Slurm's grant and TUTTI_WORKERS; at least 1. Affinity is
    read at every call and loop, cgroup quotas are at most 100 ms old,
    TUTTI_WORKERS and Slurm's grant are read once a process.

    >>> tutti.cpu_count() >= 1
    True
    """
    return _tutti.cpu_count()


def timeline(columns=80):
    """A drawing of this thread's last map: a line a worker, over time.

    columns: width in characters, 40 to 500.

    >>> squares = tutti.map(lambda x: x * x, range(1000))
    >>> print(tutti.timeline())  # doctest: +SKIP
    """
    return _tutti.timeline(columns)


def trace(path):
    """Writes what recent maps of this process did as Chrome trace JSON, which
    Perfetto and chrome://tracing open. The file appears whole or not at all.

    path: the file to make or replace.
    Raises OSError when it cannot be written.

    >>> tutti.trace("trace.json")  # doctest: +SKIP
    """
    _tutti.trace(path)
