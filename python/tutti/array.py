"""NumPy arrays that reach other processes without a copy.

>>> import tutti.array
>>> data = tutti.array.zeros((1000, 1000))
>>> tutti.map(lambda x: data.shape, range(2))
[(1000, 1000), (1000, 1000)]
"""

try:
    import numpy
except ImportError as error:
    raise ImportError(
        "tutti.array needs NumPy, which cannot be imported here (%s): install "
        "it, or pass bytearrays, which travel as fast" % error
    ) from error

from . import _tutti

__all__ = ["empty", "zeros"]


def empty(shape, dtype=float, order="C"):
    """As numpy.empty, in memory that other processes can map.

    Given to a task, captured by it, or returned from it, such an array (and a
    contiguous slice of it) is not copied: do not write to it until the call
    that it was given to has returned. A task that writes to it changes its own
    process's copy only, as with any array.

    shape:  a whole number, or a tuple of them.
    dtype:  any but one that holds Python objects.
    order:  "C" or "F".

    Raises MemoryError when there is no room (all of it is there once this has
    returned), TypeError and ValueError as numpy.empty does.
    Threads: any.
    Costs microseconds when memory of an array that is gone is used again, else
    0.5 us a KiB.

    >>> tutti.array.empty(3, int).shape
    (3,)
    """
    dtype = numpy.dtype(dtype)
    if dtype.hasobject:
        raise TypeError(
            "dtype %s holds Python objects, which cannot be shared: use "
            "numpy.empty" % dtype
        )
    model = numpy.broadcast_to(numpy.empty((), dtype), shape)
    if not model.nbytes:
        return numpy.empty(shape, dtype, order)
    return numpy.ndarray(
        shape, dtype, buffer=_tutti.Block(model.nbytes), order=order
    )


def zeros(shape, dtype=float, order="C"):
    """As numpy.zeros; see empty().

    >>> tutti.array.zeros(3)
    array([0., 0., 0.])
    """
    array = empty(shape, dtype, order)
    array[...] = numpy.zeros((), array.dtype)
    return array
