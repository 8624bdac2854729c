"""What is mapped over: .npy files, good and bad, and lines."""
import io
import os
import random
import struct

import numpy as np
import pytest

from .conftest import as_nobody


def header(text, version=(1, 0)):
    data = text.encode("latin1")
    size = struct.pack("<H" if version[0] == 1 else "<I", len(data))
    return b"\x93NUMPY" + bytes(version) + size + data


def npy(array, version=None):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, version)
    return stream.getvalue()


def dictionary(descr="'<f8'", order="False", shape="(3,)"):
    return "{'descr': %s, 'fortran_order': %s, 'shape': %s, }\n" % (
        descr, order, shape
    )


X = np.array([1.0, 2.0, 3.0])
VALUES = X.tobytes()
HALVES = "0.5\n1.0\n1.5\n"


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_versions(tutti, version):
    (tutti.here / "x.npy").write_bytes(npy(X, version))
    assert tutti("map", "f.c:half", "--over", "x.npy") == HALVES


@pytest.mark.parametrize(
    "text",
    [
        dictionary(),
        dictionary(shape="(3, )"),
        dictionary(shape="( 3,)"),
        dictionary(order="True"),
        '{"shape":(3,),"fortran_order":False,"descr":"<f8"}',
        "  {'shape': (3,), 'descr': '<f8', 'fortran_order': False}  \n\n",
        dictionary() + " " * 3000,
    ],
)
def test_headers(tutti, text):
    (tutti.here / "x.npy").write_bytes(header(text) + VALUES)
    assert tutti("map", "f.c:half", "--over", "x.npy") == HALVES


CORRUPT = (
    "x.npy: its .npy header is corrupt: write the file again with numpy.save"
)
NO_NPY = (
    "x.npy is not a .npy file: expected one that numpy.save wrote (lines of "
    "text: name it .txt)"
)
TYPE = (
    "x.npy holds '%s'%s: expected float64, float32, int64, int32, uint64 or "
    'uint32, little-endian: convert it, such as by a.astype("<f8")'
)
DIMS = (
    "x.npy has %d dimensions: expected 1 or 2: reshape it, such as by "
    "a.reshape(len(a), -1)"
)


@pytest.mark.parametrize(
    "data, sentence",
    [
        (b"", "x.npy is empty: expected a .npy file"),
        (b"1\n2\n", NO_NPY),
        (b"\x93NUMPX\1\0\0\0aaaaaa", NO_NPY),
        (b"\x93NUMPY\1\0", NO_NPY),
        (b"\x93NUMPY\4\0\0\0{}", "x.npy has .npy format 4.0: expected 1.0, "
         "2.0 or 3.0"),
        (b"\x93NUMPY\0\0\0\0{}", "x.npy has .npy format 0.0: expected 1.0, "
         "2.0 or 3.0"),
        (b"\x93NUMPY\1\0\xff\xff{}",
         "x.npy is truncated: it ends within its header: write it again"),
        (b"\x93NUMPY\2\0\xff\xff\xff\xff{}",
         "x.npy is truncated: it ends within its header: write it again"),
        (b"\x93NUMPY\2\0\xff\xff\xff",
         "x.npy is truncated: it ends within its header: write it again"),
        (npy(X)[:-1], "x.npy is truncated: its header says 24 bytes of values "
         "and 23 are there: write it again"),
        (npy(X)[:128], "x.npy is truncated: its header says 24 bytes of "
         "values and 0 are there: write it again"),
        (npy(X) + b"x", "x.npy has 1 bytes behind its array: expected one "
         "array a file"),
        (npy(X)[:60], "x.npy is truncated: it ends within its header: write "
         "it again"),
        (header("") + VALUES, CORRUPT),
        (header("{}") + VALUES, CORRUPT),
        (header("{'descr': '<f8'}") + VALUES, CORRUPT),
        (header(dictionary()[:-3]) + VALUES, CORRUPT),
        (header(dictionary() + "x") + VALUES, CORRUPT),
        (header(dictionary(shape="3")) + VALUES, CORRUPT),
        (header(dictionary(shape="(3")) + VALUES, CORRUPT),
        (header(dictionary(shape="(-3,)")) + VALUES, CORRUPT),
        (header(dictionary(shape="(3,,)")) + VALUES, CORRUPT),
        (header(dictionary(shape="(99999999999999999999,)")) + VALUES,
         CORRUPT),
        (header(dictionary(order="0")) + VALUES, CORRUPT),
        (header(dictionary(descr="<f8")) + VALUES,
         "x.npy holds records: expected float64, float32, int64, int32, "
         "uint64 or uint32"),
        (header(dictionary() .replace("descr", "dexcr")) + VALUES, CORRUPT),
        (header("{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, "
                "'shape': (3,)}") + VALUES, CORRUPT),
        (header(dictionary(shape="(4611686018427387904, 4)")) + VALUES,
         "x.npy: its shape (4611686018427387904, 4) is more than a file can "
         "hold: the header is corrupt, write it again"),
        (npy(X.astype(">f8")), TYPE % (">f8", " (big-endian)")),
        (npy(X.astype("f2")), TYPE % ("<f2", "")),
        (npy(X.astype("i2")), TYPE % ("<i2", "")),
        (npy(X.astype(bool)), TYPE % ("|b1", "")),
        (npy(X.astype(complex)), TYPE % ("<c16", "")),
        (npy(X.astype("U3")), TYPE % ("<U3", "")),
        (npy(np.zeros(3, "f8,i4")),
         "x.npy holds records: expected float64, float32, int64, int32, "
         "uint64 or uint32"),
        (npy(np.array(1.0)), DIMS % 0),
        (npy(np.zeros((2, 2, 2))), DIMS % 3),
        (npy(np.asfortranarray(np.zeros((2, 3)))),
         "x.npy is in Fortran order: expected C order: write "
         "numpy.ascontiguousarray(a)"),
    ],
)
def test_bad_npy(tutti, data, sentence):
    (tutti.here / "x.npy").write_bytes(data)
    for function in ("f.c:half", "g.py:square"):
        words = ("map", function, "--over", "x.npy", "-o", "y.npy")
        assert tutti.refuses(*words) == sentence


def test_random_headers(tutti):
    """Changed bytes: an answer or a sentence, never a crash."""
    rng = random.Random(20)
    good = bytearray(npy(X))
    for _ in range(150):
        data = bytearray(good)
        for _ in range(rng.choice([1, 1, 2, 8])):
            data[rng.randrange(80)] = rng.choice(b"\0\n '(),:{}<>0189\xff")
        del data[len(data) - rng.choice([0, 0, 0, 1, 30]):]
        (tutti.here / "x.npy").write_bytes(bytes(data))
        status, out, err = tutti.run("map", "f.c:half", "--over", "x.npy")
        assert (status == 0 and not err and out.count("\n") == 3) or (
            status == 2 and not out and err.startswith("tutti: x.npy")
            and err.count("\n") == 1
        )


def test_misaligned_values(tutti):
    data = header(dictionary() + " ") + VALUES
    assert (len(data) - len(VALUES)) % 8
    (tutti.here / "x.npy").write_bytes(data)
    assert tutti("map", "f.c:half", "--over", "x.npy") == HALVES


def test_file_cut_off_while_it_is_mapped(tutti):
    """The part that is gone is a sentence and not a bus error."""
    (tutti.here / "x.npy").write_bytes(npy(np.arange(2000)))
    process = tutti.start(
        "map", "slow.c:slow", "--over", "x.npy", "-o", "y.npy", "--on=serial"
    )
    while process.poll() is None and not any(
        name.startswith(".tutti.") for name in tutti.files()
    ):
        pass
    os.truncate(str(tutti.here / "x.npy"), 0)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, b"")
    assert err == (
        b"tutti: x.npy was cut off while it was read; nothing was written: "
        b"leave the file alone, run again\n"
    )
    assert tutti.files() == {"f.c", "slow.c", "g.py", "x.npy"}


@pytest.mark.parametrize(
    "name, sentence",
    [
        ("no.npy", "there is no file no.npy: expected a .npy file or lines of "
         "text"),
        ("no.txt", "there is no file no.txt: expected a .npy file or lines of "
         "text"),
        (".", ". is a folder: expected a .npy file or lines of text"),
        ("f.c/x", "f.c/x cannot be read: Not a directory"),
    ],
)
def test_missing(tutti, name, sentence):
    for function in ("f.c:half", "g.py:square"):
        assert tutti.refuses("map", function, "--over", name) == sentence


@pytest.mark.parametrize("name", ["x.npy", "x.txt"])
def test_unreadable(tutti, name):
    path = tutti.here / name
    path.write_bytes(npy(X))
    path.chmod(0)
    for function in ("f.c:half", "g.py:square"):
        words = ("map", function, "--over", name)
        assert as_nobody(tutti, *words) == (
            "%s cannot be read: Permission denied" % name
        )


@pytest.mark.parametrize("function", ["f.c:square", "g.py:upper"])
def test_named_pipe(tutti, function):
    os.mkfifo(str(tutti.here / "lines"))
    with tutti.start("map", function, "--over", "lines") as process:
        with open(str(tutti.here / "lines"), "w") as lines:
            lines.write("1\n")
        assert process.communicate(timeout=60) == (b"1\n", b"")


# Lines.


@pytest.mark.parametrize(
    "text", ["1\n2\n3\n", "1\n2\n3", "1\r\n2\r\n3\r\n", " 1\t\n+2.0\n 3e0 "]
)
def test_numbers(tutti, text):
    assert tutti("map", "f.c:half", lines=text) == HALVES
    assert tutti("map", "f.c:half", "--over", "-", lines=text) == HALVES
    (tutti.here / "x.txt").write_text(text, newline="")
    assert tutti("map", "f.c:half", "--over", "x.txt") == HALVES


@pytest.mark.parametrize(
    "text", ["1 2 3\n4 5 6\n", "1,2,3\n4,5,6", "1, 2\t3 \r\n4 ,5  6\n"]
)
def test_rows_of_numbers(tutti, text):
    assert tutti("map", "f.c:sum", lines=text) == "6.0\n15.0\n"
    assert tutti("map", "f.c:ends", "--width", "2", lines=text) == (
        "1.0 3.0\n4.0 6.0\n"
    )


def test_many_numbers(tutti):
    x = np.random.default_rng(1).normal(size=20000)
    text = "".join("%r\n" % float(v) for v in x)
    out = tutti("map", "f.c:half", lines=text)
    assert [float(line) for line in out.splitlines()] == (x / 2).tolist()
    assert out == "".join("%r\n" % float(v) for v in x / 2)


def test_no_lines(tutti):
    assert tutti("map", "f.c:half", lines="") == ""
    assert tutti("map", "f.c:sum", lines="") == ""
    assert tutti("map", "g.py:upper", lines="") == ""


def test_whole_numbers_at_their_limits(tutti):
    ends = "-9223372036854775808\n9223372036854775807\n"
    (tutti.here / "id.c").write_text(
        "#include <stdint.h>\nint64_t id(int64_t x) { return x; }\n"
        "int32_t id4(int32_t x) { return x; }\n"
    )
    assert tutti("map", "id.c:id", lines=ends) == ends
    ends = "-2147483648\n2147483647\n"
    assert tutti("map", "id.c:id4", lines=ends) == ends


NOT_A_VALUE = "standard input line %d: '%s' is not a value of type %s, which " \
    "the function takes"
MISSING = "standard input line %d: a number is missing: expected a value of " \
    "type %s, which the function takes"


@pytest.mark.parametrize(
    "function, text, sentence",
    [
        ("half", "1\nabc\n", NOT_A_VALUE % (2, "abc", "float64")),
        ("half", "1\n2x\n", NOT_A_VALUE % (2, "2x", "float64")),
        ("half", "1e999\n", NOT_A_VALUE % (1, "1e999", "float64")),
        ("half", "1\n\n3\n", MISSING % (2, "float64")),
        ("half", "\n", MISSING % (1, "float64")),
        ("half", "1\f\n2\n", NOT_A_VALUE % (1, "1?", "float64")),
        ("half", "\f\n2\n", NOT_A_VALUE % (1, "?", "float64")),
        ("sum", "\f\n2,3\n", NOT_A_VALUE % (1, "?", "float64")),
        ("third", "1e39\n", NOT_A_VALUE % (1, "1e39", "float32")),
        ("square", "1.5\n", NOT_A_VALUE % (1, "1.5", "int64")),
        ("square", "9223372036854775808\n",
         NOT_A_VALUE % (1, "9223372036854775808", "int64")),
        ("inverse", "2147483648\n",
         NOT_A_VALUE % (1, "2147483648", "int32")),
        ("half", "1 2\n",
         "standard input line 1: 2 numbers: expected 1 a line"),
        ("sum", "1 2\n3\n",
         "standard input line 2: 1 numbers: expected 2, as on line 1"),
        ("sum", "1,2\n3,4,5\n",
         "standard input line 2: 3 numbers: expected 2, as on line 1"),
        ("sum", "1,2,\n", MISSING % (1, "float64")),
        ("sum", "1,,2\n", MISSING % (1, "float64")),
        ("sum", "1;2\n", NOT_A_VALUE % (1, "1;2", "float64")),
        ("half", "x" * 100 + "\n", NOT_A_VALUE % (1, "x" * 40, "float64")),
        ("half", "1\n2\0\n", NOT_A_VALUE % (2, "2", "float64")),
    ],
)
def test_lines_that_are_no_numbers(tutti, function, text, sentence):
    words = ("map", "f.c:" + function, "-o", "y.npy")
    assert tutti.refuses(*words, lines=text) == sentence
