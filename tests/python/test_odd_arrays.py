"""Arrays that are not plain ones of numbers: at every door either what NumPy
would make of their values, or one line that says what to do."""

import ctypes
import ctypes.util

import numpy
import pytest

import tutti
from tutti import linalg

SQUARE = tutti.kernel("double f(double x) { return x * x; }")
TOTAL = tutti.kernel("""double f(const double *row, int n)
{ double s = 0; for (int i = 0; i < n; i++) s += row[i]; return s; }""")
COPY = tutti.kernel(
    "void f(size_t i, const double *x, double *y) { y[i] = x[i]; }")
CBRT = ctypes.CDLL(ctypes.util.find_library("m")).cbrt
CBRT.restype, CBRT.argtypes = ctypes.c_double, [ctypes.c_double]

DOORS = {
    "map": lambda a: tutti.map(SQUARE, a),
    "map rows": lambda a: tutti.map(TOTAL, a),
    "map native": lambda a: tutti.map(CBRT, a),
    "map far": lambda a: tutti.map(SQUARE, a, on="processes:2"),
    "call": SQUARE,
    "call a row": lambda a: TOTAL(a[0]),
    "reduce": lambda a: tutti.reduce(SQUARE, a),
    "reduce items": lambda a: tutti.reduce(None, a),
    "launch": lambda a: COPY.launch(1, a, numpy.zeros(9)),
    "launch to": lambda a: COPY.launch(1, numpy.zeros(9), a),
    "sum": linalg.sum,
    "sum far": lambda a: linalg.sum(a, on="processes:2"),
    "dot": lambda a: linalg.dot(a[0], a[0]),
    "matvec": lambda a: linalg.matvec(a, numpy.ones(2)),
    "matvec by": lambda a: linalg.matvec(numpy.ones((2, 2)), a[0]),
    "matmul": lambda a: linalg.matmul(a, a),
    "matmul to": lambda a: linalg.matmul(
        numpy.ones((2, 2)), numpy.ones((2, 2)), out=a),
    "add": lambda a: linalg.add(a, a),
    "add a number": lambda a: linalg.add(1, a),
    "add to": lambda a: linalg.add(
        numpy.ones((2, 2)), numpy.ones((2, 2)), out=a),
}
DATA = numpy.array([[1.0, 2.0], [3.0, 4.0]])


class Masked(numpy.ma.MaskedArray):
    pass


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("kind", [numpy.ma.MaskedArray, Masked])
def test_a_mask_is_never_dropped(door, kind):
    a = kind(DATA.copy(), mask=[[0, 1], [0, 0]])
    with pytest.raises(TypeError, match=r"mask.*\.filled\(value\)") as caught:
        DOORS[door](a)
    assert "\n" not in str(caught.value)
    assert a.data.tolist() == DATA.tolist()
    DOORS[door](a.data)


def test_a_mask_of_values_is_not_dropped():
    def f(x):
        return numpy.ma.masked_less(x[:, 0], 0.5)

    with pytest.raises(TypeError, match=r"f: the mask .*\.filled\(value\)"):
        tutti.expect(f, [(0, 1)], 1000, vectorized=True)


ODD = {
    "big endian": (DATA.astype(">f8"), r"\.astype\(.float64.\)"),
    "complex": (DATA.astype(complex), "complex128"),
    "half": (DATA.astype("f2"), "float16"),
    "long": (DATA.astype("g"), "float128|longdouble"),
    "dates": (DATA.astype("M8[s]"), "float64"),
    "objects": (DATA.astype(object), "object"),
    "text": (DATA.astype(str), "float64"),
    "records": (numpy.zeros((2, 2), [("a", float)]), "float64"),
}


# A compiled function is called item by item where its kernel does not fit.
@pytest.mark.parametrize("door", [d for d in DOORS if d != "map native"])
@pytest.mark.parametrize("kind", ODD)
def test_nothing_is_converted(door, kind):
    a, said = ODD[kind]
    with pytest.raises(TypeError, match=said) as caught:
        DOORS[door](a)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind, said", [
    (complex, r"take its \.real or \.imag"),
    ([("a", float)], "take one of its fields"),
    ("f4", r"\.astype\('float64'\)"),
])
def test_says_what_to_do(kind, said):
    with pytest.raises(TypeError, match=said):
        SQUARE(numpy.zeros(3, kind))


READS = [door for door in DOORS if "launch" not in door and " to" not in door]
ROWS = ["call a row", "dot", "matvec by"]


@pytest.mark.parametrize("door", READS)
@pytest.mark.parametrize("a", [
    DATA[::-1], DATA.T, DATA.view(numpy.recarray), memoryview(DATA),
    numpy.frombuffer(b"x" + DATA.tobytes(), float, offset=1).reshape(2, 2),
], ids=["backwards", "turned", "recarray", "memory", "unaligned"])
def test_as_the_plain_array(door, a):
    if isinstance(a, memoryview) and door in ROWS:
        a = [a.obj[0]]
    plain = numpy.array(a)
    assert numpy.array_equal(DOORS[door](a), DOORS[door](plain))


@pytest.mark.parametrize("door", [door for door in READS if door not in ROWS])
def test_a_matrix_is_an_array(door):
    a = DATA.view(numpy.matrix)
    assert numpy.array_equal(DOORS[door](a), DOORS[door](DATA))


def test_sparse_matrices():
    sparse = pytest.importorskip("scipy.sparse").csr_matrix(DATA)
    for door in ("map", "call", "reduce", "launch", "launch to", "sum",
                 "matmul", "add", "add to"):
        with pytest.raises(TypeError, match="csr_matrix"):
            DOORS[door](sparse)
