"""threading's, for threads that signals interrupt: an exception of a handler's
never leaves one of these locked. The base's `with` is a call of Python's, in
which one may come after the lock was taken, or before it was given back."""

import threading


class Condition(threading.Condition):
    """threading.Condition; `with` takes the lock itself."""

    __enter__ = property(lambda self: self._lock.__enter__)
    __exit__ = property(lambda self: self._lock.__exit__)


class Event(threading.Event):
    """threading.Event; its thread may come to it again, in a finalizer."""

    def __init__(self):
        super().__init__()
        self._cond = Condition()
