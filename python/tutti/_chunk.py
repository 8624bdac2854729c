"""Several tasks in one message: what a worker does with them."""

import sys
import time
from itertools import islice, starmap

from . import _tutti
from ._fault import cut, describe
from ._wire import FEW, sendable


class Chunk:
    """`func` over the items of a chunk. Each has an outcome of its own: a
    chunk's size does not change what becomes of its items.

    patience: seconds after which the rest of a chunk is handed back, unrun."""

    tutti_stays = True  # as a function does: it is pickled once

    def __init__(self, func, star=False, patience=None):
        self.func = func
        self.star = star
        self.patience = patience

    def __call__(self, begin, items, n):
        """What opened() takes."""
        if type(items) is bytes:
            items = _tutti.unpack(items)
        start = time.perf_counter()
        results, failed = self._run(begin, items, n, start)
        seconds = time.perf_counter() - start
        many = len(results) >= FEW
        packed = many and _tutti.pack(results, 0, len(results))
        return packed or results, failed, seconds

    def _run(self, begin, items, n, start):
        results, failed = [], []
        rest = iter(items)
        run = starmap if self.star else map
        step = n if self.patience is None else 1
        while len(results) < n:
            until = min(len(results) + step, n)
            block = islice(rest, until - len(results))
            try:
                # What is there when a task raises, stays.
                results.extend(run(self.func, block))
                if len(results) < until:
                    raise StopIteration("raised by the task")
            except Exception as error:
                at = len(results)
                where = begin + at, describe((items[at],))
                failed.append((at, sendable(begin + at, error, where)))
                results.append(None)
            if self.patience is not None:
                spent = time.perf_counter() - start
                if spent > self.patience:
                    break
                step = min(2 * step, 1 + int(
                    len(results) * self.patience / max(spent, 1e-9)
                ))
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
    """Results, (offset, exception) of those that failed, seconds."""
    results, failed, seconds = outcome
    if type(results) is not list:
        results = _tutti.unpack(results)
    return results, failed, seconds


def weight(item):
    """Bytes of an item, roughly."""
    size = getattr(item, "nbytes", None)
    return size if type(size) is int else sys.getsizeof(item, 64)
