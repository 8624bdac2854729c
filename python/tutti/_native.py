"""Functions that are compiled already: of ctypes, cffi, Numba, SciPy and
Cython. None of these is imported here: who has a function of theirs has."""

import sys
import warnings

from . import _tutti
from ._kernel import NATIVE, Kernel, as_array, is_array

PLAIN = 100000  # so many calls of a jitted function cost less than compiling it

_types = {
    "float64": "double",
    "float32": "float",
    "int64": "int64_t",
    "int32": "int",
    "uint64": "uint64_t",
    "uint32": "uint32_t",
}


def known(f):
    """Whether f may be such a function."""
    module = type(f).__module__
    return type(f).__name__ == "PyCapsule" or module.startswith(
        ("ctypes", "_ctypes", "_cffi_backend", "numba.", "scipy._lib."))


def native(f, signature=None, width=None):
    """A kernel of such a function; TypeError if it is none."""
    found = _find(f) if known(f) else None
    if found is None:
        raise TypeError(
            "tutti.kernel expects C text, a path, or a compiled function "
            "(of ctypes with argtypes and restype, cffi, Numba's @cfunc, "
            "SciPy's LowLevelCallable, a capsule of Cython's): got %s"
            % type(f).__name__
        )
    address, own, user = found
    return _kernel(f, address, signature or own, user, width)


def _kernel(f, address, signature, user, width=None):
    if signature is None:
        raise TypeError(
            "the function's types are not known: give signature=, or set its "
            "argtypes and restype"
        )
    made = _tutti.kernel(NATIVE, None, None, signature, address, user or 0, f)
    return Kernel(made, None, width)


def fitting(f, items):
    """The kernel by which f runs over items; NotImplemented if f is to be
    called as any function is; or already the results."""
    if not is_array(items):
        return NotImplemented
    items = as_array(items, getattr(f, "__name__", "tutti.map"))
    if hasattr(f, "py_func"):
        return _jitted(f, items)
    try:
        found = _find(f)
        if found is None or found[1] is None:
            return NotImplemented
        k = _kernel(f, *found)
    except ValueError:
        if callable(f):
            return NotImplemented  # of another form
        raise
    if callable(f) and not _takes(k, items):
        return NotImplemented
    return k


def of_points(f, n):
    """The kernel by which f gives the value of a point of n coordinates."""
    if not hasattr(f, "py_func"):
        return native(f)
    numba = sys.modules["numba"]
    result = _result_of(f, numba.float64[::1])
    if result != "float64":
        raise TypeError(
            "%s must take an array of float64 and return one, Numba makes it "
            "return %s" % (f.py_func.__name__, result)
        )
    return _Jitted(f, numba.float64, n, result)


def _takes(k, items):
    rows = k.form in ("row", "rows", "points")
    return k.form != "for-each" and items.dtype == k.item and items.ndim > rows


def _find(f):
    """(address, signature or None, user's address or None), or None."""
    module = type(f).__module__
    if type(f).__name__ == "PyCapsule":
        return _tutti.capsule(f)
    if module.startswith("scipy."):
        return _low_level(f)
    if module == "_cffi_backend":
        return _cffi(f)
    if module.startswith("numba."):
        return _cfunc(f)
    if module.startswith(("ctypes", "_ctypes")):
        return _ctypes(f)
    return None


def _signature(result, parameters):
    """C text. What is read only is not known: of a function that gives nothing,
    the last array is what it writes, the one before what it reads."""
    if None in (result, *parameters):
        return None
    if result == "void":
        if parameters[:1] == ["uint64_t"]:
            parameters[0] = "size_t"
        if len(parameters) == 4 and parameters[1] == "uint64_t":
            parameters[1] = "size_t"
        arrays = [i for i, p in enumerate(parameters) if p.endswith("*")]
        if len(arrays) == 2 and len(parameters) in (3, 4):
            parameters[arrays[0]] = "const " + parameters[arrays[0]]
    return "%s (%s)" % (result, ", ".join(parameters))


def _ctype(t):
    """The C type of one of ctypes's; None: not one of ours."""
    import ctypes

    if t is None:
        return "void"
    if hasattr(t, "_dtype_") and hasattr(t, "_ndim_"):  # numpy's ndpointer
        return _types.get(str(t._dtype_), "?") + " *"
    code = getattr(t, "_type_", None)
    if isinstance(code, type):
        inner = _ctype(code)
        return inner and inner + " *"
    if not isinstance(code, str):
        return None
    if code == "P":
        return "void *"
    if code not in "dfilqILQ":
        return None
    kind = {"d": "float", "f": "float"}.get(
        code, "uint" if code.isupper() else "int")
    return _types["%s%d" % (kind, 8 * ctypes.sizeof(t))]


def _ctypes(f):
    import ctypes

    needs_lock = getattr(f, "_flags_", 0) & 4  # as ctypes.pythonapi's do
    if not hasattr(f, "argtypes") or needs_lock:
        return None
    signature = None
    if getattr(f, "errcheck", None) is None and f.argtypes is not None and (
            f.restype is None or isinstance(f.restype, type)):
        signature = _signature(
            _ctype(f.restype), [_ctype(t) for t in f.argtypes])
    return ctypes.cast(f, ctypes.c_void_p).value or 0, signature, None


def _cffi(f):
    backend = sys.modules["_cffi_backend"]
    t = backend.typeof(f)
    if t.kind != "function":
        return None
    number = backend.new_primitive_type("uintptr_t")
    signature = _signature(t.result.cname, [a.cname for a in t.args])
    return int(backend.cast(number, f)), signature, None


def _numba_type(t):
    name = str(t)
    if name in ("none", "void"):
        return "void"
    if name in ("void*", "voidptr"):
        return "void *"
    if name.endswith("*"):
        return _types.get(name[:-1], "?") + " *"
    return _types.get(name, "?")


def _cfunc(f):
    sig = getattr(f, "_sig", None)
    if sig is None or not hasattr(f, "address"):
        return None
    parameters = [_numba_type(t) for t in sig.args]
    result = _numba_type(sig.return_type)
    if result == "void" and parameters[:1] == ["int64_t"]:
        parameters[0] = "uint64_t"  # an intp counts, too
    return f.address, _signature(result, parameters), None


def _low_level(f):
    """SciPy's: a function, and what it is to be handed."""
    inner = getattr(f, "function", None)
    if inner is None:
        return None
    found = _find(inner)
    if found is None:
        return None
    address, signature, user = found
    if signature is None and f.signature:
        signature = f.signature
    data = f.user_data
    if data is None:
        return address, signature, user
    if type(data).__name__ == "PyCapsule":
        return address, signature, _tutti.capsule(data)[0]
    if type(data).__module__ == "_cffi_backend":
        backend = sys.modules["_cffi_backend"]
        number = backend.new_primitive_type("uintptr_t")
        return address, signature, int(backend.cast(number, data))
    import ctypes

    return address, signature, ctypes.cast(data, ctypes.c_void_p).value


class _Jitted(Kernel):
    """Numba's jitted functions have no address of C's: what is made of f has
    one. C knows no exceptions: the first item that raised one is kept."""

    __slots__ = ("_f", "_rows", "_raised")

    def __init__(self, f, scalar, n, result):
        import numpy

        # f keeps what is made of it, which refers to f, so that the collector
        # finds the two.
        compiled = vars(f).setdefault("_tutti_compiled", {})
        key = str(scalar), n is not None
        if key not in compiled:
            compiled[key] = _compiled(sys.modules["numba"], f, *key, result)
        self._f, self._rows = f, key[1]
        self._raised = numpy.zeros(1 + (n or 1), str(scalar))
        address, signature, _ = _cfunc(compiled[key])
        made = _tutti.kernel(NATIVE, None, None, signature, address,
                             self._raised.ctypes.data,
                             (compiled[key], self._raised))
        super().__init__(made, None, None)

    def _check(self):
        if self._raised[0]:
            item = self._raised[1:] if self._rows else self._raised[1]
            self._f(item)
            raise RuntimeError(
                "%s raised an exception, but none when it was called again "
                "for %r" % (self._f.py_func.__name__, item)
            )


def _jitted(f, a):
    """Of a jitted function over an array: a kernel, or what its calls give
    where these are few; NotImplemented if it does not work on such items."""
    import numpy

    rows = a.ndim == 2
    if str(a.dtype) not in _types or a.ndim not in (1, 2):
        return NotImplemented
    numba = sys.modules["numba"]
    scalar = numba.from_dtype(a.dtype)
    given = scalar[::1] if rows else scalar
    result = _result_of(f, given)
    if result not in _types:
        return NotImplemented
    if len(a) < PLAIN:
        a = numpy.ascontiguousarray(a)
        return numpy.fromiter(map(f, a), result, len(a))
    return _Jitted(f, scalar, a.shape[1] if rows else None, result)


def _result_of(f, given):
    """The name of the type of f's results, or None."""
    try:
        f.compile((given,))
        overload = f.overloads[(given,)]
    except Exception:  # Numba's own errors: it does not take such an argument
        return None
    if getattr(overload, "objectmode", False):
        warnings.warn(
            "Numba compiled %s to object mode: it runs in the interpreter, one "
            "call after the other; @njit says at which line it gave up"
            % f.py_func.__name__, RuntimeWarning, stacklevel=6)
        return None
    return str(overload.signature.return_type)


def _compiled(numba, f, scalar, rows, result):
    scalar, result = getattr(numba, scalar), getattr(numba, result)
    item = [numba.types.CPointer(scalar), numba.int32] if rows else [scalar]
    call = (_of_row if rows else _of_value)(numba.carray, f, scalar, result)
    return numba.cfunc(result(*item, numba.types.voidptr))(call)


def _of_value(carray, f, scalar, result):
    def call(x, raised):
        try:
            return f(x)
        except Exception:
            first = carray(raised, 2, scalar)
            if first[0] == 0:
                first[1] = x
                first[0] = 1
        return result(0)

    return call


def _of_row(carray, f, scalar, result):
    def call(row, n, raised):
        x = carray(row, (n,))
        try:
            return f(x)
        except Exception:
            first = carray(raised, 1 + n, scalar)
            if first[0] == 0:
                first[1:] = x
                first[0] = 1
        return result(0)

    return call
