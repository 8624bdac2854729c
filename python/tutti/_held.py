"""deterministic=True: linear algebra in one thread, in the caller as in the
workers, so that its sums are added in one order everywhere."""

import _thread
import functools
import os

from ._state import LIMITS

_guard = _thread.allocate_lock()  # guards what follows
os.register_at_fork(after_in_child=_guard._at_fork_reinit)
_users = 0
_limits = None
_worker = False


def _tool():
    try:
        import threadpoolctl
    except ImportError:
        raise ImportError(
            "deterministic=True needs threadpoolctl: install it, or leave "
            "deterministic out"
        ) from None
    return threadpoolctl


def _control(tool):
    """Lets this thread set limits: threadpoolctl 3.8 heeds one thread only."""
    controller = getattr(tool, "OpenBLASController", None)
    if hasattr(controller, "clear_controlling_thread"):
        controller.clear_controlling_thread(force=True)


def hold():
    """Limits what is loaded, and in the environment what will be."""
    global _users, _limits
    tool = _tool()
    with _guard:
        _users += 1
        if _users > 1:
            return
        for name in LIMITS:
            os.putenv(name, "1")
        _control(tool)
        _limits = tool.threadpool_limits(1)


def release():
    """The last one puts back what was."""
    global _users, _limits
    with _guard:
        _users -= 1
        if _users:
            return
        for name in LIMITS:
            if name in os.environ:
                os.putenv(name, os.environ[name])
            elif not _worker:
                os.unsetenv(name)
        _control(_tool())
        _limits.unregister()
        _control(_tool())
        _limits = None


def _arrive(f):
    """The function in a worker, which holds until it forgets the function."""
    global _worker
    _worker = True
    hold()
    return f


class Function(functools.partial):
    """f; where it arrives, linear algebra is held."""

    def __reduce__(self):
        return _arrive, (self.func,)


def forget():
    """In a worker, after a loop."""
    while _users:
        release()


class Held:
    """Holds while a map runs."""

    def __enter__(self):
        hold()

    def __exit__(self, *unused):
        release()
