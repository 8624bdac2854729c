"""Several tasks in one message: what a worker does with them."""

from ._fault import cut, describe
from ._wire import sendable


class Chunk:
    """`func` over the items of a chunk. Each has an outcome of its own: a
    chunk's size does not change what becomes of its items."""

    tutti_stays = True  # as a function does: it is pickled once

    def __init__(self, func, star=False):
        self.func = func
        self.star = star

    def __call__(self, begin, items):
        """The results, and (offset, exception) of those that failed."""
        f, star = self.func, self.star
        results, failed = [], []
        rest = iter(items)
        while True:
            try:
                if star:
                    for x in rest:
                        results.append(f(*x))
                else:
                    for x in rest:
                        results.append(f(x))
                return results, failed
            except Exception as error:
                at = len(results)
                where = begin + at, describe((items[at],))
                failed.append((at, sendable(begin + at, error, where)))
                results.append(None)

    def __repr__(self):
        return cut(self.func)
