"""Several tasks in one message: what a worker does with them."""

import sys
from itertools import islice

from . import _tutti
from ._fault import cut, describe
from ._wire import FEW, sendable


class Chunk:
    """`func` over the items of a chunk. Each has an outcome of its own: a
    chunk's size does not change what becomes of its items."""

    tutti_stays = True  # as a function does: it is pickled once

    def __init__(self, func):
        self.func = func

    def __call__(self, begin, items, n):
        """What opened() takes."""
        if type(items) is bytes:
            items = _tutti.unpack(items)
        results, failed = self._run(begin, items, n)
        many = len(results) >= FEW
        packed = many and _tutti.pack(results, 0, len(results))
        return packed or results, failed

    def _run(self, begin, items, n):
        results, failed = [], []
        rest = iter(items)
        while len(results) < n:
            try:
                # What is there when a task raises, stays.
                results.extend(map(self.func, islice(rest, n - len(results))))
                if len(results) < n:
                    raise StopIteration("raised by the task")
            except Exception as error:
                at = len(results)
                where = begin + at, describe((items[at],))
                failed.append((at, sendable(begin + at, error, where)))
                results.append(None)
        return results, failed

    def __repr__(self):
        return cut(self.func)


# In the caller.


def arguments(begin, items):
    """Of a Chunk, for items that come with it."""
    n = len(items)
    if n >= FEW and type(items) is list:
        items = _tutti.pack(items, 0, n) or items
    return begin, items, n


def opened(outcome):
    """Results, (offset, exception) of those that failed."""
    results, failed = outcome
    if type(results) is not list:
        results = _tutti.unpack(results)
    return results, failed


def weight(item):
    """Bytes of an item, roughly."""
    size = getattr(item, "nbytes", None)
    return size if type(size) is int else sys.getsizeof(item, 64)
