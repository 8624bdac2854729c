"""Several tasks in one message: what a worker does with them."""

from ._fault import cut, describe
from ._wire import dumps, load, sendable

_known = {}  # in a worker: bytes -> function
_KNOWN = 8


class Chunk:
    """f over the items of a chunk. Each has an outcome of its own: a chunk's
    size does not change what becomes of its items."""

    def __init__(self, f, star=False):
        self.f = f
        self.star = star
        self.data = None

    def __call__(self, begin, items):
        """The results, and (offset, exception) of those that failed."""
        f, star = self.f, self.star
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

    def __reduce__(self):
        if self.data is None:
            self.data = dumps(self.f)
        return _arrive, (self.data, self.star)

    def __repr__(self):
        return cut(self.f)


def _arrive(data, star):
    f = _known.get(data)
    if f is None:
        if len(_known) == _KNOWN:
            _known.clear()
        f = _known[data] = load(data)
    return Chunk(f, star)
