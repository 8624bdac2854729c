"""Monte Carlo: the mean of a function over a box, or under a density."""

import functools
import inspect
import itertools
import operator
import os
import warnings
from array import array

from . import _tutti
from ._kernel import Kernel, _bar, as_array, kernel, remote

METHODS = {"plain": 0, "lattice": 1}
GROUP = 128  # points are drawn from multiples of this
PLAIN = 2**32 - 1  # log2 of plain samples
C_PIECE = 262144  # samples that C folds in a process, at most
C_PIECES = 64
BLOCK = 16384  # samples of a call of a vectorised function, at most
ONES = 4096  # and of a piece of single calls
PIECES = 256
TOLD = 5  # standard errors that a density may be off


class Expectation:
    """An estimate.

    value:          of the mean.
    stderr:         its standard error, estimated; nan from one sample.
    f_variance:     the variance of f.
    samples:        points that were used.
    density:        the density's own integral over the box; 1 without one.
    density_stderr: its standard error; 0 without one.
    """

    __slots__ = ("value", "stderr", "f_variance", "samples", "density",
                 "density_stderr")

    def __init__(self, value, stderr, f_variance, samples, density,
                 density_stderr):
        self.value = value
        self.stderr = stderr
        self.f_variance = f_variance
        self.samples = samples
        self.density = density
        self.density_stderr = density_stderr

    def __repr__(self):
        return "%.10g +- %.2g" % (self.value, self.stderr)

    def __float__(self):
        return self.value

    def __reduce__(self):
        return Expectation, tuple(getattr(self, s) for s in self.__slots__)


def expect(f, box, samples=None, *, density=None, seed=0, stderr=None,
           method="plain", vectorized=False, bits=53, on="auto", workers=None,
           progress=False):
    """The mean of f over a box, by random points.

    f:          C text, "double f(int n, const double *x) {...}", or just an
                expression of x0, x1, ... in C, where 1/2 is 0 and 0.5 a half,
                and powers are pow(x0, 3); a tutti.kernel; a compiled function
                of ctypes, cffi, Numba or SciPy; or a function of Python: of a
                point, an array of its coordinates (a tuple where NumPy is not
                installed).
    box:        (low, high) of each coordinate.
    samples:    points, at most; None: 2**20, or with stderr 2**40 (2**34 for a
                function of Python).
    density:    a function like f: the result is the integral of f * density
                over the box; it should integrate to one there (a warning tells
                when it does not), may be zero, must not be negative. Where it
                is zero f does not count. One of Python may also take a point
                and the box, its (low, high) as an array (n, 2). None: uniform,
                the mean of f.
    seed:       a whole number, 0 to 2**64 - 1: sample i is a function of seed
                and i, so that the same call gives the same value.
    stderr:     stop when the standard error is not above this.
    method:     "plain"; or "lattice", for smooth functions: far more exact.
    vectorized: f (and density) takes an array (m, n) of points and returns (m,)
                values; checked at three points.
    bits:       of a coordinate: 53, or 32, which is faster (plain only).
    on:         as for tutti.map(); "auto" means threads for C, processes for
                Python.
    workers:    at most so many.
    progress:   draw a bar on a terminal's standard error.

    Returns an Expectation: value, stderr, f_variance, samples. The same bits in
    any place, with any workers.
    Raises ValueError for a box, an option, a value of f that is not finite, a
    negative density; what f raises.
    Costs some nanoseconds a sample in C.

    >>> import tutti
    >>> e = tutti.expect("x0*x0 + x1*x1", [(0, 1), (0, 1)], 10**6)
    >>> abs(e.value - 2/3) < 5 * e.stderr
    True
    >>> round(e.f_variance, 2)  # 8/45
    0.18
    """
    sides = _sides(box)
    n = len(sides) // 2
    how = _how(samples, seed, stderr, method, bits)
    f = _function(f, n, "f")
    density = None if density is None else _function(density, n, "density")
    compiled = isinstance(f, Kernel)
    if density is not None and isinstance(density, Kernel) != compiled:
        raise TypeError("f and density must both be compiled, or both not")
    if compiled and vectorized:
        raise TypeError(
            "vectorized=True is for functions of Python; C takes blocks by "
            "void f(int n, size_t m, const double *x, double *out)"
        )
    if not compiled:
        if density is not None and _takes_box(density):
            density = _OverBox(density, sides)
        found = _python(f, density, sides, how, vectorized, on, workers,
                        progress)
    elif remote(on, 0, None):
        found = _far(f, density, sides, how, on, workers, progress)
    else:
        found = _tutti.expect(f._made, density and density._made, sides, how,
                              on, workers, _bar(progress))
        f._check()
        density and density._check()
    return _told(Expectation(*found))


def _told(e):
    if abs(e.density - 1) > max(TOLD * e.density_stderr, 1e-9):
        warnings.warn(
            "the density integrates to %.6g +- %.1g over the box, not to one"
            % (e.density, e.density_stderr), RuntimeWarning, stacklevel=3)
    return e


def _sides(box):
    """The box as bytes of doubles: low, high, low, high, ..."""
    try:
        rows = [tuple(map(float, side)) for side in box]
    except (TypeError, ValueError):
        raise TypeError(
            "box must be (low, high) of each coordinate, such as "
            "[(0, 1), (0, 1)], got %r" % (box,)
        ) from None
    for side in rows:
        if len(side) != 2:
            raise ValueError(
                "box must be (low, high) of each coordinate, got %d numbers "
                "for one" % len(side)
            )
    return array("d", itertools.chain.from_iterable(rows))


def _whole(value, name, least, most):
    try:
        value = operator.index(value)
    except TypeError:
        if not (isinstance(value, float) and value.is_integer()):
            raise TypeError(
                "%s must be a whole number, got %r" % (name, value)
            ) from None
        value = int(value)
    if not least <= value <= most:
        raise ValueError(
            "%s must be %d to %d, got %d" % (name, least, most, value)
        )
    return value


def _how(samples, seed, stderr, method, bits):
    """(samples, seed, stderr, method, bits), as C takes them."""
    if samples is not None:
        samples = _whole(samples, "samples", 1, 2**63)
    if method not in METHODS:
        raise ValueError(
            "method must be 'plain' or 'lattice', got %r" % (method,)
        )
    if bits not in (32, 53):
        raise ValueError("bits must be 53 or 32, got %r" % (bits,))
    if stderr is not None and not stderr > 0:
        raise ValueError("stderr must be above 0, got %r" % (stderr,))
    return (samples or 0, _whole(seed, "seed", 0, 2**64 - 1),
            float(stderr or 0), METHODS[method], bits)


def _function(f, n, name):
    """A Kernel, or a function of Python."""
    if isinstance(f, Kernel):
        return f
    if isinstance(f, str):
        return _compiled(f, n, os.environ.get("CC")) or kernel(_text(f, n))
    from ._native import known, of_points

    if known(f):
        return of_points(f, n)
    if not callable(f):
        raise TypeError(
            "%s must be C text, a kernel or a function, got %s"
            % (name, type(f).__name__)
        )
    return f


class _OverBox:
    """A density that is called with the box, too."""

    def __init__(self, density, sides):
        self._density = density
        self._box = list(zip(sides[::2], sides[1::2]))
        if _numpy() is not None:
            self._box = _numpy().array(self._box)

    def __call__(self, x):
        return self._density(x, self._box)


def _takes_box(density):
    """Whether it must be called with a point and the box."""
    try:
        signature = inspect.signature(density)
    except (TypeError, ValueError):  # it is none, or does not tell
        return False
    return not _binds(signature, None) and _binds(signature, None, None)


def _binds(signature, *arguments):
    try:
        signature.bind(*arguments)
    except TypeError:
        return False
    return True


@functools.lru_cache(64)
def _compiled(f, n, compiler):
    """None: its headers, or its file, may change."""
    text = _text(f, n)
    own = text.replace('#line 1 "expression"', "")
    return None if '"' in own or "{" not in own else kernel(text)


def _text(text, n):
    """C text; an expression becomes one."""
    if "{" in text or "\n" in text or (":" in text and "?" not in text):
        return text
    names = "".join("const double x%d = x[%d]; (void)x%d; " % (d, d, d)
                    for d in range(n))
    return ("#include <math.h>\n"
            "double expression(int n, const double *x) { (void)n; %s\n"
            'return (\n#line 1 "expression"\n%s\n);}\n' % (names, text))


def _far(f, density, sides, how, on, workers, progress):
    """C functions in other processes."""
    from . import map

    def run(first, count, unit, log2):
        size = unit
        while size < C_PIECE and count // size > C_PIECES:
            size *= 2
        piece = functools.partial(_far_piece, f, density, sides, how, first,
                                  count, size, unit, log2)
        return _tutti.expect_join(
            map(piece, range(0, count, size), on=on, workers=workers,
                progress=progress), log2)

    return _tutti.expect_by(run, sides, how, 0)


def _far_piece(f, density, sides, how, first, count, size, unit, log2,
               at):
    return _tutti.expect_piece(
        f._made, density and density._made, sides, how, first + at,
        min(size, count - at), unit, log2)


def _python(f, density, sides, how, vectorized, on, workers, progress):
    from . import map

    unit = BLOCK
    if not vectorized:
        unit = ONES  # fewer, so that slow functions have pieces to share out
        while unit > 1 and (how[0] or 2**20) // unit < PIECES:
            unit //= 2
    if how[2] and not how[0]:
        how = (2**34, *how[1:])
    sampler = _Sampler(f, density, sides, how, vectorized)

    def run(first, count, unit, log2):
        piece = functools.partial(_piece, sampler, first, count, unit, log2)
        return _tutti.expect_join(
            map(piece, range(0, count, unit), on=on, workers=workers,
                progress=progress), log2)

    return _tutti.expect_by(run, sides, how, unit)


def _piece(sampler, first, count, unit, log2, at):
    return sampler.part(first + at, min(unit, count - at), log2)


class _Sampler:
    """Draws points and calls functions of Python."""

    def __init__(self, f, density, sides, how, vectorized):
        self._f, self._density = f, density
        self._sides, self._how = sides, how
        self._n = len(sides) // 2
        self._vectorized = vectorized
        if vectorized:
            import numpy  # noqa: F401: a sentence of its own, and now

    def part(self, first, m, log2):
        """The part of a block."""
        x = self._points(first, m, log2)
        values = self._values(self._f, "f", x, first)
        density = None
        if self._density is not None:
            density = self._values(self._density, "density", x, first)
        return _tutti.expect_fold(x, self._sides, self._how, values, density,
                                  first)

    def _points(self, first, m, log2):
        """Rows of coordinates: (n, m) doubles."""
        skip = first % GROUP if log2 == PLAIN else 0
        stride = -(-(m + skip) // GROUP) * GROUP
        numpy = _numpy()
        if numpy is None:
            x = array("d", bytes(8 * self._n * stride))
        else:
            x = numpy.empty((self._n, stride))
        _tutti.expect_draw(x, stride, self._sides, self._how, log2,
                           first - skip, m + skip)
        if numpy is not None:
            return numpy.ascontiguousarray(x[:, skip:skip + m])
        rows = (x[d * stride + skip:d * stride + skip + m]
                for d in range(self._n))
        return functools.reduce(operator.add, rows)

    def _values(self, f, name, x, first):
        if self._vectorized:
            return self._block(f, name, x, first)
        if _numpy() is not None:
            return _numbers(f, name, x.T.copy())
        m = len(x) // self._n
        return _numbers(f, name, list(zip(
            *(x[d * m:(d + 1) * m] for d in range(self._n)))))

    def _block(self, f, name, x, first):
        import numpy

        points = x.T
        m = len(points)
        seen = first == 0 or self._density is not None or self._n == 1
        values = as_array(f(x.copy().T if seen else points), name)
        if values.shape != (m,):
            raise ValueError(
                "%s got points of shape (%d, %d) and returned shape %r: "
                "expected (%d,), a value a point; leave out vectorized=True "
                "for a function of one point"
                % (name, m, self._n, values.shape, m)
            )
        if values.dtype.kind == "c":
            raise TypeError(
                "%s must return real numbers, it returned an array of %s"
                % (name, values.dtype)
            )
        values = numpy.array(values, dtype=float)
        if first == 0:
            self._check(f, name, points, values)
        return values

    def _check(self, f, name, points, values):
        """A block's values are those of its points by themselves."""
        import numpy

        for i in sorted({0, len(points) // 2, len(points) - 1}):
            alone = numpy.asarray(f(points[i:i + 1].copy()), dtype=float)
            same = alone.shape == (1,) and numpy.allclose(
                alone[0], values[i], rtol=1e-9, atol=0, equal_nan=True)
            if not same:
                raise ValueError(
                    "%s is not vectorized: at point %d of a block it gave %r, "
                    "for that point alone %r; it must treat each row of x by "
                    "itself, as by x[:, 0] and sum(axis=1)"
                    % (name, i, float(values[i]), alone.tolist())
                )


def _numbers(f, name, points):
    """f of each point."""
    try:
        return array("d", map(f, points))
    except TypeError:  # f's own, or of a value that is no number
        pass
    for point in points:
        value = f(point)
        try:
            array("d", (value,))
        except TypeError:
            raise TypeError(
                "%s must return a number, at %r it returned %r"
                % (name, tuple(float(t) for t in point), value)
            ) from None
    return array("d", map(f, points))


@functools.lru_cache(None)
def _numpy():
    try:
        import numpy
    except ImportError:
        return None
    return numpy
