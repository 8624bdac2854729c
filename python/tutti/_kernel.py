"""Kernels: C functions by their text, and functions that are compiled already.
"""

import functools
import operator
import os
import sys

from . import _tutti

# How _tutti.kernel() finds its function.
TEXT, FILE, NATIVE = range(3)

OPS = {"sum": 1, "prod": 2, "min": 3, "max": 4}
BLOCK, UNIT = 512, 65536  # tasks of a reduction's block, at least and at most
BLOCKS = 4096
LANES = 32  # of a block
INSTEAD = {"c": "take its .real or .imag", "V": "take one of its fields"}
PIECES = 8  # a worker, in other processes


def kernel(text, name=None, *, signature=None, width=None):
    """A C function, compiled where that was not done before, to be mapped.

    text:      C text (it has a line end or a brace); or the path of a file,
               "norm.c" or "norm.c:norm"; or "libm.so.6:cbrt" with a signature;
               or a function of ctypes, cffi, Numba, SciPy or Cython that is
               compiled already.
    name:      the function's; None: the only one that could be meant.
    signature: for a library or a function: "double cbrt(double x)". It must be
               true.
    width:     values of a result row, for void f(const T *row, int n, U *out);
               None: as many as the row has.

    The signature decides what a task is; T and U are double, float, int64_t,
    int32_t, uint64_t or uint32_t:

        U f(T x)                               a value; a value out
        void f(size_t n, const T *x, U *out)   n values at once
        U f(const T *row, int n)               a row; a value out
        void f(const T *row, int n, U *out)    a row; a row out
        void f(int n, size_t m, const T *x, U *out)
                                               m points of n coordinates,
                                               coordinate d of point i at
                                               x[d * m + i]; a value out
        void f(size_t i, ...)                  an index: see launch()

    Raises ValueError for a text that is none, with the compiler's sentence and
    the text's own line; OSError where there is no compiler.
    Threads: any.
    Costs what the compiler takes, some 50 ms; below a millisecond once it is in
    the cache.

    >>> k = tutti.kernel("double f(double x) { return x * x + 1; }")
    >>> k(3)
    10.0
    >>> tutti.map(k, range(4))
    array([ 1.,  2.,  5., 10.])
    >>> tutti.reduce(k, range(4), "max")
    10.0
    """
    if not isinstance(text, str):
        from ._native import native

        return native(text, signature, width)
    if "\n" in text or "{" in text:
        return _make(TEXT, text, name, signature, width)
    path, colon, last = text.rpartition(":")
    if name is None and not colon:
        raise ValueError(
            "%r is no C text, and names no function: expected text with a "
            "body in braces, 'FILE.c:NAME' or 'LIB.so:NAME'" % text
        )
    if name is None:
        name, text = last, path
    return _make(FILE, "%s:%s" % (_absolute(text), name), None, signature,
                 width)


def _absolute(path):
    """A kernel travels by its path; a library may be the system's."""
    return os.path.abspath(path) if os.path.exists(path) else path


def _make(kind, what, name, signature, width):
    if kind == TEXT and signature is not None:
        raise ValueError(
            "C text has its signature itself: leave out signature="
        )
    if "\0" in what:
        raise ValueError(
            "a zero character at %d: this is no C text" % what.index("\0")
        )
    made = _tutti.kernel(kind, what, name, signature, 0, 0, None)
    return Kernel(made, (kind, what, name, signature, width), width)


class Kernel:
    """A C function to be mapped: see tutti.kernel().

    name, signature: of the function.
    form:            "scalar", "block", "row", "rows", "points", "for-each".
    item, result:    the types of its values, as NumPy calls them.

    Called, it runs at once, right here: for a value or a row, or an array of
    them.
    """

    __slots__ = ("_made", "_recipe", "_width", "__weakref__")

    def __init__(self, made, recipe, width):
        if width is not None and operator.index(width) < 1:
            raise ValueError("width must be 1 or more, got %r" % width)
        self._made = made
        self._width = width
        self._recipe = recipe  # of _make(); None: of this process only

    name = property(lambda self: self._made.name)
    signature = property(lambda self: self._made.signature)
    form = property(lambda self: self._made.form)
    item = property(lambda self: self._made.item)
    result = property(lambda self: self._made.result)

    def __repr__(self):
        return "<tutti.kernel %s>" % self.signature

    def _check(self):
        """Raises what a call raised that could not."""

    def __reduce__(self):
        if self._recipe is not None:
            return _make, self._recipe
        from pickle import PicklingError

        raise PicklingError(
            "%s is a function of this process, compiled already: another "
            "process cannot have it. Give its C text to tutti.kernel(), or "
            "name a place of this process" % self.signature
        )

    def __call__(self, x):
        values = self.form in ("scalar", "block")
        if values and getattr(x, "shape", ()) == () and _is_number(x):
            return self._made.value(x)
        if values or self.form == "for-each":
            return _run_here(self, x)
        row = _array(self, x)
        if row.ndim != 1:
            return _run_here(self, row)
        result = _run_here(self, row[None])[0]
        return result if self.form == "rows" else result.item()

    def launch(self, n, *arguments, on="auto", workers=None):
        """Calls f(i, ...) for i in 0 .. n-1, for its effects on arrays.

        n:         how many indices.
        arguments: those after i: numbers, and arrays of exactly the types that
                   the signature says, writable where it says no const. What one
                   index writes no other may read or write.
        on:        "auto", "serial", "threads", "threads:4", "openmp".
        workers:   at most so many.

        Returns None. Raises TypeError and ValueError for arguments that do not
        fit, tutti.Error on processes, which have arrays of their own.

        >>> import numpy
        >>> k = tutti.kernel(\"\"\"
        ... void add(size_t i, double a, const double *x, double *y)
        ... {
        ...     y[i] += a * x[i];
        ... }\"\"\")
        >>> x, y = numpy.arange(4.0), numpy.ones(4)
        >>> k.launch(4, 10, x, y)
        >>> y
        array([ 1., 11., 21., 31.])
        """
        if not isinstance(on, str):
            raise TypeError(
                "%s writes to arrays of this process: on= must name a place "
                "of it, got %s" % (self.signature, type(on).__name__)
            )
        count = operator.index(n)
        if count < 0:
            raise ValueError("n must be 0 or more, got %d" % count)
        self._made.launch(count, arguments, on, workers, None)


def _is_number(x):
    return isinstance(x, (int, float)) or hasattr(x, "dtype")


def _numpy():
    try:
        import numpy
    except ImportError as error:
        raise ImportError(
            "maps of kernels make NumPy arrays, and NumPy cannot be imported "
            "here (%s): install it; k(x) of single values needs none" % error
        ) from error
    return numpy


def is_array(items):
    return hasattr(items, "__array__") or isinstance(
        items, memoryview) or type(items).__module__ == "array"


def as_array(items, name):
    """numpy.asarray(), but for what that would strip or wrap up."""
    numpy = _numpy()
    masked = sys.modules.get("numpy.ma")
    if masked and isinstance(items, masked.MaskedArray):
        raise TypeError(
            "%s: the mask of a masked array would be lost: give its "
            ".filled(value), .compressed() or .data" % name
        )
    a = numpy.asarray(items)
    if a.dtype == object and not a.ndim:
        raise TypeError(
            "%s: expected an array of numbers, got %s"
            % (name, type(items).__name__)
        )
    return a


def _array(k, items):
    """The items as a contiguous array of the kernel's type. Nothing that is an
    array is converted; numbers are, if that loses nothing but digits."""
    numpy = _numpy()
    wanted = numpy.dtype(k.item)
    if is_array(items):
        a = as_array(items, k.signature)
        if a.dtype != wanted:
            raise TypeError(
                "%s takes %s, got an array of %s: %s"
                % (k.signature, wanted, a.dtype, INSTEAD.get(
                    a.dtype.kind, "convert it by .astype('%s')" % wanted))
            )
        return numpy.require(a, requirements=("C", "A"))
    try:
        a = numpy.asarray(
            items if isinstance(items, (list, tuple)) else list(items))
    except TypeError:
        raise TypeError(
            "%s takes an array or numbers of type %s, got %s"
            % (k.signature, wanted, type(items).__name__)
        ) from None
    kinds = "biuf" if wanted.kind == "f" else "biu"
    if a.size and a.dtype.kind not in kinds:
        raise TypeError(
            "%s takes numbers of type %s, got a %s of %s"
            % (k.signature, wanted, type(items).__name__, a.dtype)
        )
    made = a.astype(wanted)
    if wanted.kind != "f" and not (made == a).all():
        raise OverflowError(
            "%s takes %s: a number does not fit" % (k.signature, wanted)
        )
    return made


def _check_range(k, items):
    """Whether the kernel's type holds all of a range exactly, as the library
    asks of the ranges that it goes over itself."""
    low, high = sorted((items[0], items[-1]))
    size = int(k.item[-2:])
    if k.item[0] == "f":
        bits = items[0] | (items.step if len(items) > 1 else 0)
        unit = bits & -bits or 1
        fits = max(-low, high) // unit <= 1 << (53 if size == 64 else 24)
    elif k.item[0] == "u":
        fits = low >= 0 and high < 1 << size
    else:
        fits = low >= -1 << (size - 1) and high < 1 << (size - 1)
    if not fits:
        raise ValueError(
            "%s: the range %d to %d in steps of %d goes beyond what %s holds "
            "exactly" % (k.signature, items[0], items[-1], items.step, k.item)
        )


class _Work:
    """What a loop goes over: an array, or a range by its start, its step and
    its length; n tasks of `width` values, whose results have a shape."""

    def __init__(self, k, items):
        if k.form == "for-each":
            raise TypeError(
                "%s has no result: run it by launch()" % k.signature
            )
        self.width = 1
        if isinstance(items, range) and k.form in ("scalar", "block"):
            if items:
                _check_range(k, items)
            self.items = (items.start, items.step, len(items))
            self.n = len(items)
            self.shape = (self.n,)
            return
        self.items = a = _array(k, items)
        self.shape, self.n = a.shape, a.size
        if k.form in ("scalar", "block"):
            return
        if a.ndim < 2 or not a.shape[-1]:
            raise ValueError(
                "%s takes rows: expected an array of two dimensions or more, "
                "with a value a row or more, got one of shape %r"
                % (k.signature, a.shape)
            )
        self.width = a.shape[-1]
        self.shape = a.shape[:-1]
        self.n = 1
        for size in self.shape:
            self.n *= size

    def results(self, k):
        """An array for the results, and values of one."""
        width = 1
        shape = self.shape
        if k.form == "rows":
            width = k._width or self.width
            shape = (*shape, width)
        return _numpy().empty(shape, k.result), width

    def pieces(self, k, size):
        """The items of every `size` tasks, as arrays."""
        if isinstance(self.items, tuple):
            first, step, _ = self.items
            for begin in range(0, self.n, size):
                end = min(begin + size, self.n)
                yield range(first + begin * step, first + end * step, step)
            return
        rows = self.items.reshape(self.n, self.width)
        for begin in range(0, self.n, size):
            yield rows[begin:begin + size]


def _run_here(k, items):
    work = _Work(k, items)
    if isinstance(work.items, tuple):
        work = _Work(k, _numpy().arange(
            items.start, items.stop, items.step, dtype=k.item))
    out, width = work.results(k)
    k._made.map(out, work.items, work.width, width, None, None, None)
    return out


def remote(on, retries, task_timeout):
    """Whether a loop runs as tasks of Python's, in other processes."""
    forced = os.environ.get("TUTTI_ON", "auto")
    if not isinstance(on, str) or task_timeout is not None:
        return True
    on = on if forced in ("", "auto") else forced
    return on.startswith("processes") or retries > 0 and on.startswith("auto")


def _cut(n, workers, unit):
    """Tasks of a piece: units, so that workers have several pieces."""
    pieces = PIECES * (workers or _tutti.cpu_count())
    return max(-(-n // (pieces * unit)), 1) * unit


def _map_piece(k, items):
    return _run_here(k, items)


def _map_far(k, work, on, workers, options):
    from . import map

    numpy = _numpy()
    least = BLOCK if k.form in ("block", "points") else 1
    size = _cut(work.n, workers, BLOCK if work.n > BLOCK * BLOCK else least)
    parts = map(functools.partial(_map_piece, k), list(work.pieces(k, size)),
                on=on, workers=workers, **options)
    out, _ = work.results(k)
    if parts:
        numpy.concatenate(parts, out=out.reshape(-1, *parts[0].shape[1:]))
    return out


def mapped(f, iterables, on, workers, retries, task_timeout, errors, bar, seed,
           star):
    """What tutti.map returns for a kernel; NotImplemented if f is a function
    like any other."""
    k = f if isinstance(f, Kernel) else None
    if star or not iterables:
        return NotImplemented
    if k is None:
        from ._native import fitting

        k = fitting(f, iterables[0]) if len(iterables) == 1 else NotImplemented
        if k is NotImplemented and not callable(f):
            raise TypeError(
                "a %s of a compiled function is mapped over one array"
                % type(f).__name__
            )
        if not isinstance(k, Kernel):
            return k
    if len(iterables) != 1:
        raise TypeError(
            "%s is mapped over one array, got %d"
            % (k.signature, len(iterables))
        )
    if errors not in ("raise", "return"):
        raise ValueError(
            "errors must be 'raise' or 'return', got %r" % (errors,)
        )
    work = _Work(k, iterables[0])
    if remote(on, retries, task_timeout):
        options = dict(retries=retries, task_timeout=task_timeout)
        return _map_far(k, work, on, workers, options)
    out, width = work.results(k)
    k._made.map(out, work.items, work.width, width, on, workers, bar)
    k._check()
    return out


def _unit(n):
    unit = BLOCK
    while n // unit > BLOCKS and unit < UNIT:
        unit *= 2
    return unit


def _reduce_piece(k, op, unit, items):
    work = _Work(k, items if isinstance(items, range) else items.reshape(
        items.shape if k.form not in ("scalar", "block") else -1))
    if isinstance(work.items, tuple):
        work = _Work(k, _numpy().arange(
            items.start, items.stop, items.step, dtype=k.item))
    out = _numpy().empty(-(-work.n // unit) * LANES, k.result)
    k._made.blocks(out, op, work.items, work.width, unit)
    return out


def _reduce_far(k, op, work, on, workers, options):
    from . import map

    unit = _unit(work.n)
    pieces = list(work.pieces(k, _cut(work.n, workers, unit)))
    parts = map(functools.partial(_reduce_piece, k, op, unit), pieces, on=on,
                workers=workers, **options)
    blocks = _numpy().concatenate(parts)
    return _tutti.reduce(op, blocks, 1, LANES, "serial", None, None)


def reduce(f, items, op="sum", *, on="auto", workers=None, retries=0,
           task_timeout=None, progress=False):
    """The sum, product, minimum or maximum of f(x) for all items.

    f:      a kernel, over an array or a range; a function of Python, whose
            results are joined in the order of the items; or None: the items
            themselves.
    items:  as for tutti.map().
    op:     "sum", "prod", "min" or "max". Integers of a kernel or an array wrap
            around at its type; a NaN among floats is the minimum and maximum,
            as in NumPy.
    on, workers, retries, task_timeout, progress: as for tutti.map().

    Returns a number; of no items 0 or 1. The same bits in any place, with any
    workers: kernels and arrays are joined in blocks of fixed size in a fixed
    tree, which docs/kernels.md tells.
    Raises ValueError for the minimum and maximum of nothing, and what
    tutti.map raises.

    >>> k = tutti.kernel("double f(double x) { return 1 / (x * x); }")
    >>> round(tutti.reduce(k, range(1, 1000001)), 6)
    1.644933
    >>> tutti.reduce(len, ["a", "bcd"], "max")
    3
    >>> tutti.reduce(None, [2, 3, 4], "prod")
    24
    """
    if op not in OPS:
        raise ValueError(
            "op must be 'sum', 'prod', 'min' or 'max', got %r" % (op,)
        )
    options = dict(retries=retries, task_timeout=task_timeout)
    k = _kernel_of(f, items)
    if k is None and f is None and is_array(items):
        return _reduce_values(items, op, on, workers, progress)
    if k is None:
        from . import map

        if f is not None:
            items = map(f, items, on=on, workers=workers, progress=progress,
                        **options)
        elif not hasattr(items, "__len__"):
            items = list(items)
        return _joined(items, op)
    work = _Work(k, items)
    if k.form == "rows":
        raise TypeError(
            "%s gives rows: only single values can be reduced" % k.signature
        )
    if work.n and remote(on, retries, task_timeout):
        options["progress"] = progress
        return _reduce_far(k, OPS[op], work, on, workers, options)
    reduced = k._made.reduce(OPS[op], work.items, work.width, _unit(work.n),
                             on if isinstance(on, str) else "auto", workers,
                             _bar(progress))
    k._check()
    return reduced


def _kernel_of(f, items):
    if f is None or isinstance(f, Kernel):
        return f
    from ._native import fitting, known

    k = fitting(f, items) if known(f) else None
    return k if isinstance(k, Kernel) else None


def _bar(progress):
    if not progress:
        return None
    from ._bar import bar

    return bar()


def _reduce_values(items, op, on, workers, progress):
    """Of an array; here, if other processes are named: its items are here."""
    numpy = _numpy()
    a = as_array(items, "tutti.reduce")
    if a.dtype.kind in "biu" and a.dtype.itemsize < 4:
        a = a.astype("uint64" if a.dtype.kind == "u" else "int64")
    a = numpy.require(a, requirements=("C", "A"))
    if remote(on, 0, None):
        on = None
    return _tutti.reduce(OPS[op], a, 1, _unit(a.size), on, workers,
                         _bar(progress))


def _joined(values, op):
    """In the order of the values."""
    if op in ("min", "max"):
        for value in values:
            if isinstance(value, float) and value != value:
                return value
        return (min if op == "min" else max)(values)
    return functools.reduce(
        operator.add if op == "sum" else operator.mul, values
    ) if len(values) else int(op == "prod")
