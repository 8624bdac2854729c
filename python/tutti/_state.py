"""What a task sees of its process, the same in a worker as in the caller:
working directory, environment, sys.path and argv, umask, warning filters, log
levels."""

import _pickle as pickle
import os
import sys

import _warnings

# Held to one thread: the budget counts workers, not threads within them.
LIMITS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


def hold_threads():
    """Sets the limits that the user has not set, for libraries and programs,
    which ask the C environment; os.environ stays as the caller's."""
    for name in LIMITS:
        if name not in os.environ:
            os.putenv(name, "1")


# In the caller.


def _folder():
    try:
        return os.getcwd()
    except FileNotFoundError:  # deleted; it is there as long as we are in it
        return "/proc/%d/cwd" % os.getpid()


def _umask():
    try:
        file = os.open("/proc/self/status", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        head = os.read(file, 256)
    finally:
        os.close(file)
    return int(head.partition(b"\nUmask:")[2][:6] or b"22", 8)


def authkey():
    """What multiprocessing's processes know each other by."""
    from multiprocessing import process

    return bytes(process.current_process().authkey)


def _manager_key():
    """For proxies of managers; None: there are none."""
    return "multiprocessing.managers" in sys.modules and authkey() or None


def _filters():
    return getattr(sys.modules.get("warnings"), "filters", _warnings.filters)


def _levels():
    """What differs from a fresh logging module; None: nothing does."""
    logging = sys.modules.get("logging")
    if not hasattr(logging, "captureWarnings"):  # or a thread imports it
        return None
    root = logging.getLogger()
    loggers = [
        (name, logger.level, logger.disabled)
        for name, logger in list(root.manager.loggerDict.items())
        if isinstance(logger, logging.Logger)
        and (logger.level or logger.disabled)
    ]
    if loggers or root.manager.disable or root.level != logging.WARNING:
        return root.manager.disable, root.level, loggers
    return None


def _dump_filters(filters):
    """Bytes of those that can travel, which a class of __main__ does not."""
    sent = []
    for one in filters:
        try:
            if b"__main__" not in pickle.dumps(one[2]):
                pickle.dumps(one)
                sent.append(one)
        except Exception:
            pass
    return pickle.dumps(sent)


_known = None  # parts, number and bytes of the state that was looked at last
_count = 0


def snapshot():
    """Number and bytes of this process's state. The number is a new one when
    the state has changed."""
    global _known, _count
    parts = (
        _folder(), _umask(), os.environ._data, sys.path,
        getattr(sys, "argv", []), _manager_key(), _filters(), _levels(),
    )
    known = _known
    if known and known[0] == parts and known[1][0] == os.getpid():
        return known[1:]
    folder, umask, environment, path, argv, key, filters, levels = parts
    some = folder, umask, dict(environment), list(path), list(argv), key
    kept = (*some, list(filters), levels)
    data = pickle.dumps((*some, _dump_filters(filters), levels), 5)
    _count += 1
    _known = kept, (os.getpid(), _count), data
    return _known[1:]


# In a worker.


def _set_environment(wanted):
    theirs, mine = wanted, os.environ._data
    for names in theirs, mine:  # C's environment keeps this process's own
        names.pop(b"TUTTI_BUDGET", None)
    if mine == theirs:
        return
    for key in set(mine) - set(theirs):
        del os.environb[key]
    for key, value in theirs.items():
        if mine.get(key) != value:
            os.environb[key] = value
    hold_threads()


def _set_path(wanted):
    if sys.path == wanted:
        return
    sys.path[:] = wanted
    # As importlib.invalidate_caches(), which takes a millisecond to import.
    known = sys.path_importer_cache
    for folder, finder in list(known.items()):
        if finder is None:
            del known[folder]
        elif hasattr(finder, "invalidate_caches"):
            finder.invalidate_caches()


def _set_folder(folder):
    try:
        os.chdir(folder)
    except OSError as error:
        raise OSError(
            "a worker cannot go to the caller's working directory %r: %s; "
            "os.chdir() to one that exists" % (folder, error.strerror)
        )


def _set_filters(wanted):
    if _filters() != wanted:
        import warnings

        warnings.resetwarnings()
        warnings.filters.extend(wanted)


class State:
    """The caller's state in a worker; tasks may change it, jobs put it back."""

    def __init__(self):
        self.number = None
        self.levelled = set()  # names of loggers that were set

    def enter(self, number, data):
        if number != self.number:
            self.wanted = pickle.loads(data)
            self.filters = None
            self.number = number
        folder, umask, environment, path, argv, key = self.wanted[:6]
        filters, levels = self.wanted[6:]
        _set_folder(folder)
        if umask is not None:
            os.umask(umask)
        _set_environment(environment)
        _set_path(path)
        sys.argv[:] = argv
        if key:
            from multiprocessing import process

            process.current_process().authkey = key
        if self.filters is None:  # may need modules that the path leads to
            self.filters = pickle.loads(filters)
        _set_filters(self.filters)
        self._set_levels(levels)

    def _set_levels(self, wanted):
        if wanted is None and "logging" not in sys.modules:
            return
        import logging

        disable, level, loggers = wanted or (0, logging.WARNING, ())
        logging.disable(disable)
        logging.getLogger().setLevel(level)
        for name in self.levelled.difference(one[0] for one in loggers):
            logging.getLogger(name).setLevel(logging.NOTSET)
            logging.getLogger(name).disabled = False
        for name, level, disabled in loggers:
            logging.getLogger(name).setLevel(level)
            logging.getLogger(name).disabled = disabled
            self.levelled.add(name)
