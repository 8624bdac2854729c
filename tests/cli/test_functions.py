"""C functions: forms, types, what is refused."""
import numpy as np
import pytest

def load(tutti, name):
    return np.load(str(tutti.here / name))


def save(tutti, name, array):
    np.save(str(tutti.here / name), array)


def test_value_form(tutti):
    save(tutti, "x.npy", np.arange(5) / 4)
    assert tutti("map", "f.c:half", "--over", "x.npy") == (
        "0.0\n0.125\n0.25\n0.375\n0.5\n"
    )


def test_block_form(tutti):
    x = np.arange(100000, dtype=np.int64)
    save(tutti, "x.npy", x)
    assert tutti("map", "f.c:triple", "--over", "x.npy", "-o", "y.npy") == ""
    np.testing.assert_array_equal(load(tutti, "y.npy"), 3 * x)
    assert tutti("map", "f.c:triple", "--range", "3:5") == "9\n12\n"


def test_row_form(tutti):
    x = np.arange(12.0).reshape(4, 3)
    save(tutti, "x.npy", x)
    tutti("map", "f.c:sum", "--over", "x.npy", "-o", "y.npy")
    np.testing.assert_array_equal(load(tutti, "y.npy"), x.sum(1))


def test_rows_form(tutti):
    x = np.arange(12.0).reshape(4, 3)
    save(tutti, "x.npy", x)
    tutti("map", "f.c:twice", "--over", "x.npy", "-o", "y.npy")
    np.testing.assert_array_equal(load(tutti, "y.npy"), 2 * x)
    tutti("map", "f.c:ends", "--over=x.npy", "-oy.npy", "--width=2")
    np.testing.assert_array_equal(load(tutti, "y.npy"), x[:, [0, 2]])


@pytest.mark.parametrize("bits", [32, 64])
def test_unsigned(tutti, bits):
    (tutti.here / "u.c").write_text("#include <stdint.h>\nuint%d_t flip(uint%d_t x)"
                                    " { return ~x; }\n" % (bits, bits))
    kind, most = "u%d" % (bits // 8), (1 << bits) - 1
    save(tutti, "x.npy", np.array([0, 1, most], kind))
    tutti("map", "u.c:flip", "--over", "x.npy", "-o", "y.npy")
    y = load(tutti, "y.npy")
    assert y.dtype == np.dtype(kind) and y.tolist() == [most, most - 1, 0]
    (tutti.here / "x.txt").write_text("0\n%d\n" % most)
    assert tutti("map", "u.c:flip", "--over", "x.txt") == "%d\n0\n" % most
    for line in ("-1", str(most + 1)):
        (tutti.here / "x.txt").write_text(line + "\n")
        assert "is not a value of type uint%d" % bits in tutti.refuses(
            "map", "u.c:flip", "--over", "x.txt")


def test_points(tutti):
    (tutti.here / "p.c").write_text(
        "void ends(int n, size_t m, const double *x, double *y)\n"
        "{ for (size_t i = 0; i < m; i++)"
        " y[i] = x[i] + x[(n - 1) * m + i]; }\n")
    x = np.arange(3000.0).reshape(1000, 3)
    save(tutti, "x.npy", x)
    tutti("map", "p.c:ends", "--over", "x.npy", "-o", "y.npy")
    np.testing.assert_array_equal(load(tutti, "y.npy"), x[:, 0] + x[:, 2])


@pytest.mark.parametrize(
    "function, kind, divisor",
    [("half", "f8", 2), ("third", "f4", 3)],
)
def test_real_types(tutti, function, kind, divisor):
    x = np.linspace(-1, 1, 1001).astype(kind)
    save(tutti, "x.npy", x)
    tutti("map", "f.c:" + function, "--over", "x.npy", "-o", "y.npy")
    y = load(tutti, "y.npy")
    assert y.dtype == np.dtype(kind)
    np.testing.assert_array_equal(y, x / x.dtype.type(divisor))


def test_int32(tutti):
    save(tutti, "x.npy", np.array([1, -2, 3], "i4"))
    tutti("map", "f.c:inverse", "--over", "x.npy", "-o", "y.npy")
    y = load(tutti, "y.npy")
    assert y.dtype == np.int32 and y.tolist() == [100, -50, 33]


@pytest.mark.parametrize(
    "on", ["serial", "threads", "threads:3", "auto", "processes:2"]
)
def test_places_agree(tutti, on):
    out = tutti("map", "f.c:square", "--range", "100000", "--on", on)
    assert out == "".join("%d\n" % (i * i) for i in range(100000))


def test_library(tutti):
    assert tutti(
        "map", "libm.so.6:fabs", "--signature", "double fabs(double x)",
        "--range", "-1:2"
    ) == "1.0\n0.0\n1.0\n"


@pytest.mark.parametrize("function", ["half", "sum", "twice", "triple"])
def test_processes_have_the_same_bits(tutti, function):
    x = np.arange(30000) if function == "triple" else np.linspace(-1, 1, 30000)
    save(tutti, "x.npy", x if function in ("half", "triple")
         else x.reshape(10000, 3))
    tutti("map", "f.c:" + function, "--over", "x.npy", "-o", "y.npy")
    tutti("map", "f.c:" + function, "--over", "x.npy", "-o", "z.npy",
          "--on", "processes:2")
    y, z = (tutti.here / name for name in ("y.npy", "z.npy"))
    assert y.read_bytes() == z.read_bytes()


def test_library_in_processes(tutti):
    out = tutti(
        "map", "libm.so.6:fabs", "--signature", "double fabs(double x)",
        "--range", "-1:2", "--on", "processes:1"
    )
    assert out == "1.0\n0.0\n1.0\n"


CRASHING = """
#include <signal.h>
#include <unistd.h>
int crash(int x) { return x == 2 ? raise(SIGSEGV) : x; }
int endless(int x) { while (x == 2) pause(); return x; }
"""


@pytest.mark.parametrize("words, says", [
    (("crash", "--on", "processes"), "was killed by signal 11 (SIGSEGV)"),
    (("endless", "--task-timeout", "0.3"), "task 2 took longer than the 0.3 s"),
])
def test_a_worker_that_is_lost(tutti, words, says):
    (tutti.here / "g.c").write_text(CRASHING)
    status, out, err = tutti.run(
        "map", "g.c:" + words[0], "--range", "9", "-o", "y.npy", *words[1:]
    )
    assert (status, out) == (1, "")
    assert err.startswith("tutti: ") and says in err and err.count("\n") == 1
    assert "y.npy" not in tutti.files()


def test_empty_array(tutti):
    save(tutti, "x.npy", np.zeros(0))
    assert tutti("map", "f.c:half", "--over", "x.npy") == ""
    tutti("map", "f.c:half", "--over", "x.npy", "-o", "y.npy")
    assert load(tutti, "y.npy").shape == (0,)
    save(tutti, "x.npy", np.zeros((0, 3)))
    tutti("map", "f.c:twice", "--over", "x.npy", "-o", "y.npy")
    assert load(tutti, "y.npy").shape == (0, 3)


TYPES = (
    "%s holds %s and %s takes %s (%s): convert the file or change the "
    "function"
)


@pytest.mark.parametrize(
    "array, function, sentence",
    [
        (np.zeros(3, "f4"), "half",
         TYPES % ("x.npy", "float32", "half", "float64",
                  "double half(double x)")),
        (np.zeros(3, "i8"), "half",
         TYPES % ("x.npy", "int64", "half", "float64",
                  "double half(double x)")),
        (np.zeros(3), "square",
         TYPES % ("x.npy", "float64", "square", "int64",
                  "int64_t square(int64_t x)")),
        (np.zeros(3), "sum",
         "x.npy has one dimension and sum takes rows (double sum(const double "
         "*row, int n)): give an array of rows, or a function of one value"),
        (np.zeros((2, 3)), "half",
         "x.npy has rows of 3 values and half takes one value (double "
         "half(double x)): a row is taken as f(const T *row, int n)"),
        (np.zeros((2, 0)), "sum",
         "x.npy has rows of 0 values: expected 1 to 2147483647"),
    ],
)
def test_array_that_does_not_fit(tutti, array, function, sentence):
    save(tutti, "x.npy", array)
    words = ("map", "f.c:" + function, "--over", "x.npy", "-o", "y.npy")
    assert tutti.refuses(*words) == sentence


@pytest.mark.parametrize(
    "words, hint",
    [
        (("f.c:squar", "--range", "3"), "'squar'"),
        (("g.c:square", "--range", "3"), "g.c"),
        (("f.c:sum", "--range", "3"), "takes rows"),
        (("f.c:inverse", "--range", "3000000000:3000000002"), "int32"),
        (("f.c:half", "--range", "3", "--on", "mars"), '"mars"'),
        (("f.c:half", "--range", "3", "--on", "threads:0"), "threads:0"),
        (("f.c:half", "--range", "3", "--on", "threads:x"), "threads:x"),
        (("libnone.so:f", "--range", "3", "--signature", "double f(double)"),
         "libnone.so"),
        (("libm.so.6:nope", "--range", "3", "--signature",
          "double nope(double x)"), "nope"),
        (("libm.so.6:cbrt", "--range", "3", "--signature", "char *cbrt(void)"),
         "cbrt"),
    ],
)
def test_the_library_refuses(tutti, words, hint):
    """Its sentences are its own; here: one line, status 2, nothing made."""
    assert hint in tutti.refuses("map", *words, "-o", "y.npy")


def test_width_of_one_value(tutti):
    assert tutti.refuses("map", "f.c:half", "--range=3", "--width=3") == (
        "--width 3: double half(double x) gives one value a task: --width is "
        "for void f(const T *row, int n, U *out)"
    )


def test_for_each(tutti):
    (tutti.here / "each.c").write_text("void f(size_t i, double *x) { x[i]++; }")
    (tutti.here / "x.txt").write_text("1")
    for items in ("--range=3", "--over=x.txt"):
        assert tutti.refuses("map", "each.c:f", items) == (
            "void f(size_t i, double *) has no result: expected a function "
            "that gives one"
        )


def test_compiler_error_has_the_users_line(tutti):
    (tutti.here / "bad.c").write_text("double f(double x)\n{\n  return y;\n}\n")
    status, out, err = tutti.run("map", "bad.c:f", "--range", "3")
    assert (status, out) == (2, "")
    assert "bad.c:3:" in err and "y" in err


def test_no_compiler(tutti, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    env = {"PATH": str(empty), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    status, out, err = tutti.run("map", "f.c:half", "--range", "3", env=env)
    assert (status, out) == (2, "")
    assert err.startswith("tutti: ") and "compiler" in err


def test_explain(tutti):
    status, out, err = tutti.run(
        "map", "f.c:square", "--range", "3", "--explain", "--on", "serial"
    )
    assert (status, out) == (0, "0\n1\n4\n")
    assert err.startswith("3 tasks on serial")
    assert "caller" in err
    assert max(map(len, err.splitlines())) <= 80


def test_trace(tutti):
    import json

    tutti("map", "f.c:square", "--range", "3", "--trace", "t.json", "-oy.npy")
    events = json.loads((tutti.here / "t.json").read_text())
    assert events["traceEvents"] if isinstance(events, dict) else events


def test_trace_that_cannot_be_written(tutti):
    assert tutti.refuses(
        "map", "f.c:square", "--range", "3", "--trace", "no/t.json"
    ) == (
        "no/t.json: there is no folder no: make it first, such as by mkdir -p"
    )
    assert tutti.refuses(
        "map", "f.c:square", "--range", "3", "--trace", "a", "-o", "./a"
    ) == "--trace a is the output, too: give another name"
