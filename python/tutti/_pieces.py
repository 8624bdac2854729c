"""tutti.linalg in other processes: pieces, whose results are joined as the
library joins blocks. What does not fit together goes to the library as it is,
which says what is wrong."""

from functools import partial

import numpy

import tutti

from . import _tutti

# Bytes of a block, as src/kernel/builtin/sums.h has them. A piece is a power
# of two of them, so that the tree of pieces is a part of the tree of blocks.
BLOCK = 16384
PIECES = 64
ROWS = 336  # of a matrix


def _cuts(n, size):
    """Slices that make n elements of `size` bytes."""
    step = BLOCK // size
    while n > step * PIECES:
        step *= 2
    return [slice(i, i + step) for i in range(0, n, step)] or [slice(0)]


def _join(sums):
    """Neighbours, then neighbours of these."""
    while len(sums) > 1:
        pairs = len(sums) // 2 * 2
        sums = numpy.concatenate((sums[:pairs:2] + sums[1:pairs:2],
                                  sums[pairs:]))
    return sums[0]


def _total(x):
    return _tutti.total(x, None, None)


def sum(x, on, workers):
    """x is a vector."""
    pieces = [x[cut] for cut in _cuts(len(x), x.itemsize)]
    sums = tutti.map(_total, pieces, on=on, workers=workers)
    wide = x.dtype == numpy.int32
    return _join(numpy.array(sums, numpy.int64 if wide else x.dtype))


def _dot(a, b):
    return _tutti.dot(a, b, None, None)


def dot(a, b, on, workers):
    if a.ndim != 1 or a.shape != b.shape:
        return _dot(a, b)
    cuts = _cuts(len(a), a.itemsize)
    sums = tutti.map(_dot, [a[cut] for cut in cuts], [b[cut] for cut in cuts],
                     on=on, workers=workers)
    return _join(numpy.array(sums, a.dtype))


def _takes(out, a):
    """Whether results of a's type can be written to out."""
    return (isinstance(out, numpy.ndarray) and out.flags.writeable
            and out.dtype == a.dtype)


def _rows(x, a):
    return _tutti.matvec(numpy.empty(len(a), a.dtype), a, x, None, None)


def matvec(out, a, x, on, workers):
    fits = a.ndim == 2 and a.shape[1:] == x.shape and _takes(out, a)
    if not fits or a.shape[:1] != out.shape:
        return _tutti.matvec(out, a, x, None, None)
    pieces = numpy.array_split(a, min(len(a), PIECES) or 1)
    parts = tutti.map(partial(_rows, x), pieces, on=on, workers=workers)
    out[...] = numpy.concatenate(parts)
    return out


def _product(b, a):
    return _tutti.matmul(numpy.empty((len(a), b.shape[1]), a.dtype), a, b,
                         None, None)


def matmul(out, a, b, on, workers):
    fits = a.ndim == b.ndim == 2 and a.shape[1] == b.shape[0]
    if not (fits and _takes(out, a) and out.shape == (len(a), b.shape[1])):
        return _tutti.matmul(out, a, b, None, None)
    # As src/algo/matmul.c cuts rows for a BLAS.
    blocks = -(-len(a) // ROWS) or 1
    step = -(-len(a) // (blocks + (blocks > 1 and blocks % 2))) or 1
    pieces = [a[i:i + step] for i in range(0, len(a), step)]
    parts = tutti.map(partial(_product, b), pieces, on=on, workers=workers)
    if parts:
        out[...] = numpy.concatenate(parts)
    return out


def _pair(name, a, b):
    made = numpy.empty(numpy.broadcast(a, b).shape, a.dtype)
    return getattr(_tutti, name)(made, a, b, None, None)


def pair(name, out, a, b, on, workers):
    if not _takes(out, a):
        return getattr(_tutti, name)(out, a, b, None, None)
    try:
        flat = [x if not x.ndim else numpy.broadcast_to(x, out.shape).ravel()
                for x in (a, b)]
    except ValueError:
        flat = []
    if not any(x.ndim for x in flat):
        return getattr(_tutti, name)(out, a, b, None, None)
    cuts = _cuts(out.size, out.itemsize)
    a, b = ([x[cut] if x.ndim else x for cut in cuts] for x in flat)
    parts = tutti.map(partial(_pair, name), a, b, on=on, workers=workers)
    out[...] = numpy.concatenate(parts).reshape(out.shape)
    return out
