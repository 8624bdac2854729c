"""Sums and products of arrays: at the speed of memory, whole numbers exact,
floats with the same bits in every place and at any number of workers.

>>> import tutti.linalg
>>> tutti.linalg.matvec([[1.0, 2.0], [3.0, 4.0]], [10.0, 1.0])
array([12., 34.])

All take arrays of float64, float32, int64 or int32 with any strides, of one
type in a call; whole numbers wrap around as NumPy's do.

on:      the place: "auto" (the caller, and threads when they pay), "serial",
         "threads", "threads:4"; "processes", or an open Pool or Executor: in
         these processes, to which the arrays are sent. TUTTI_ON in the
         environment overrides the places of all.
workers: at most so many, the caller included; None: tutti.cpu_count().
out:     an array for the result, which is returned; it may be an operand, or
         share memory with one, as if the result was computed first.

They raise TypeError for other types, naming those that are taken; ValueError
for shapes that do not fit, naming these, and for places; KeyboardInterrupt
within a fraction of a second. The interpreter's lock is free while they work.
Threads: any, several at once. A call costs about a microsecond.
"""

import os

try:
    import numpy
except ImportError as error:
    raise ImportError(
        "tutti.linalg needs NumPy, which cannot be imported here (%s): install "
        "it" % error
    ) from error

from . import _tutti
from ._kernel import as_array

__all__ = ["add", "dot", "matmul", "matvec", "multiply", "sum"]

_array = numpy.ndarray
_empty = numpy.empty
_int32, _int64 = numpy.dtype(numpy.int32), numpy.int64
_forced = os.environ.get("TUTTI_ON", "auto")


def _away(on):
    """Whether other processes are meant."""
    if _forced != "auto":
        on = _forced
    return not isinstance(on, str) or on.startswith("processes")


def sum(x, *, on="auto", workers=None):
    """The sum of all elements: a NumPy scalar of x's type; of int32, an int64.

    It is taken in the order of memory: the axis of the largest stride is the
    outermost. For on, workers and errors see the module.

    >>> print(tutti.linalg.sum([1, 2, 3]))
    6
    """
    x = x if type(x) is _array else _given(x)
    if (on != "auto" or _forced != "auto") and _away(on):
        from . import _pieces

        return _pieces.sum(_in_order(x), on, workers)
    total = _tutti.total(x, on, workers)
    if total is None:
        total = _tutti.total(_in_order(x), on, workers)
    dtype = x.dtype
    return _int64(total) if dtype == _int32 else dtype.type(total)


def _given(x):
    return as_array(x, "tutti.linalg")


def _in_order(x):
    """x as a vector, the largest strides first; a copy, if it must be."""
    axes = [axis for axis in range(x.ndim) if x.shape[axis] != 1]
    axes.sort(key=lambda axis: -abs(x.strides[axis]))
    rest = [axis for axis in range(x.ndim) if x.shape[axis] == 1]
    return x.transpose(rest + axes).reshape(-1)


def dot(a, b, *, on="auto", workers=None):
    """The sum of a[i] * b[i] over two vectors: a NumPy scalar of their type.

    For on, workers and errors see the module.

    >>> print(tutti.linalg.dot([1, 2, 3], [3, 2, 1]))
    10
    """
    a = a if type(a) is _array else _given(a)
    b = b if type(b) is _array else _given(b)
    if (on != "auto" or _forced != "auto") and _away(on):
        from . import _pieces

        return _pieces.dot(a, b, on, workers)
    return a.dtype.type(_tutti.dot(a, b, on, workers))


def matvec(a, x, *, out=None, on="auto", workers=None):
    """The matrix a times the vector x, for a by rows or by columns.

    Element i has the bits of dot(a[i], x). For out, on, workers and errors see
    the module.

    >>> tutti.linalg.matvec([[1, 2], [3, 4]], [1, 1])
    array([3, 7])
    """
    a = a if type(a) is _array else _given(a)
    x = x if type(x) is _array else _given(x)
    if out is None:
        out = _empty(a.shape[:1] or 1, a.dtype)
    if (on != "auto" or _forced != "auto") and _away(on):
        from . import _pieces

        return _pieces.matvec(out, a, x, on, workers)
    return _tutti.matvec(out, a, x, on, workers)


def matmul(a, b, *, out=None, on="auto", workers=None):
    """The product of two matrices, of any shape; of one row or one column too.

    Whole numbers are exact, modulo 2^64 or 2^32. Floats are multiplied by an
    OpenBLAS that is loaded or installed and knows this CPU, else by tutti: the
    same bits at any number of workers, for one type of machine and one BLAS.
    For out, on, workers and errors see the module.

    >>> tutti.linalg.matmul([[1, 2], [3, 4]], [[1, 1], [0, 1]])
    array([[1, 3],
           [3, 7]])
    """
    a = a if type(a) is _array else _given(a)
    b = b if type(b) is _array else _given(b)
    if out is None:
        out = _empty((a.shape[:1] or (1,)) + (b.shape[1:2] or (1,)), a.dtype)
    if (on != "auto" or _forced != "auto") and _away(on):
        from . import _pieces

        return _pieces.matmul(out, a, b, on, workers)
    return _tutti.matmul(out, a, b, on, workers)


def multiply(a, b, *, out=None, on="auto", workers=None):
    """a * b, element by element: an array of their type.

    Shapes are broadcast as NumPy's; a number takes the other's type. For out,
    on, workers and errors see the module.

    >>> tutti.linalg.multiply([1.5, 2.5], 2)
    array([3., 5.])
    """
    return _pair("multiply", a, b, out, on, workers)


def add(a, b, *, out=None, on="auto", workers=None):
    """a + b, element by element; as multiply() in all else.

    >>> tutti.linalg.add([1.5, 2.5], 2)
    array([3.5, 4.5])
    """
    return _pair("add", a, b, out, on, workers)


def _number(value, other, name):
    """A number as an array of the other operand's type."""
    dtype = _given(other).dtype
    if isinstance(value, float) and dtype.kind in "iu":
        raise TypeError(
            "tutti.linalg.%s: a float and an array of %s given: give both the "
            "same type, by .astype()" % (name, dtype)
        )
    limit = 1 << (8 * dtype.itemsize - 1)
    if dtype.kind == "i" and not -limit <= value < limit:
        raise OverflowError(
            "tutti.linalg.%s: %d does not fit %s" % (name, value, dtype)
        )
    return numpy.asarray(value, dtype)


def _like(a, b, name):
    """An array for results, which lie as an operand does."""
    shape = a.shape
    if shape != b.shape:
        try:
            shape = numpy.broadcast(a, b).shape
        except ValueError:
            raise ValueError(
                "tutti.linalg.%s: a has shape %s, b has shape %s: they cannot "
                "be broadcast together" % (name, a.shape, b.shape)
            ) from None
    like = a if a.shape == shape else b
    if like.shape != shape or like.flags.c_contiguous:
        return _empty(shape, a.dtype)
    return numpy.empty_like(like, a.dtype, subok=False)


def _pair(name, a, b, out, on, workers):
    if isinstance(b, (int, float)):
        b = _number(b, a, name)
    elif isinstance(a, (int, float)):
        a = _number(a, b, name)
    a = a if type(a) is _array else _given(a)
    b = b if type(b) is _array else _given(b)
    made = out is None
    if made:
        out = _like(a, b, name)
    if (on != "auto" or _forced != "auto") and _away(on):
        from . import _pieces

        _pieces.pair(name, out, a, b, on, workers)
    elif getattr(_tutti, name)(out, a, b, on, workers) is None:
        _apart(name, out, a, b, on, workers)
    return out[()] if made and not out.ndim else out


def _apart(name, out, a, b, on, workers):
    """Through copies in one piece, of what does not lie as matrices do."""
    made = _empty(out.shape, out.dtype)
    a, b = (numpy.ascontiguousarray(numpy.broadcast_to(x, out.shape))
            for x in (a, b))
    getattr(_tutti, name)(made, a, b, on, workers)
    out[...] = made
