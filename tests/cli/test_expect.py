"""tutti expect: means of functions over boxes."""
import math

import pytest

NORM = """
double norm(int n, const double *x)
{
    double s = 0;
    for (int d = 0; d < n; d++)
        s += x[d] * x[d];
    return s;
}
double half(const double *x, int n) { return x[n - 1] / 2; }
"""


def expect(tutti, *words):
    """What it prints, as numbers."""
    lines = tutti("expect", *words).splitlines()
    return {line[:16].strip(): line[16:] for line in lines}


def near(found, truth):
    error = float(found["standard error"])
    return abs(float(found["value"]) - truth) < 5 * error


def test_an_expression(tutti):
    found = expect(tutti, "x0*x0 + x1*x1", "--box", "0:1,0:1", "--samples=1e6")
    assert near(found, 2 / 3)
    assert found["samples"] == "1000000"
    assert abs(float(found["variance"]) - 8 / 45) < 1e-3
    assert abs(float(found["standard error"]) - 4.2e-4) < 1e-5
    assert set(found) == {"value", "standard error", "variance", "samples"}


def test_the_box(tutti):
    assert near(expect(tutti, "x0 - x1", "--box", "-3:-1,2:4"), -5)
    assert near(expect(tutti, "x0", "--box=-1e3:0.5e3"), -250)


def test_a_file(tutti):
    (tutti.here / "norm.c").write_text(NORM)
    a = tutti("expect", "norm.c:norm", "--box=0:1,0:1,0:1", "--samples=3e5")
    b = tutti("expect", "x0*x0 + x1*x1 + x2*x2", "--box=0:1,0:1,0:1",
              "--samples=300000")
    assert a == b
    assert near(expect(tutti, "norm.c:half", "--box=0:1,0:4"), 1)


def test_the_same_in_any_place(tutti):
    words = "expect", "exp(-x0*x1)", "--box=0:1,0:2", "--samples=1e6"
    found = {tutti(*words, *more) for more in (
        ["--on=serial"], ["--on=threads:3"], ["--workers=2"],
        ["--on=processes:2"])}
    assert len(found) == 1
    assert tutti(*words, "--seed=1") not in found
    assert tutti(*words, "--seed", "0") in found


def test_the_same_with_any_instructions(tutti):
    for method in ("plain", "lattice"):
        words = ("expect", "exp(-x0*x1) + x2", "--box=0:1,0:2,-1:1",
                 "--samples=12345", "--method", method)
        assert len({tutti(*words, env={"TUTTI_ISA": isa})
                    for isa in ("plain", "avx2", "avx512")}) == 1


def test_a_lattice(tutti):
    found = expect(tutti, "exp(-x0*x0)", "--box=0:1", "--method=lattice",
                   "--stderr=1e-10")
    assert near(found, math.sqrt(math.pi) / 2 * math.erf(1))
    assert float(found["standard error"]) <= 1e-10


def test_32_bits(tutti):
    words = "expect", "x0", "--box=0:1", "--samples=1000"
    assert tutti(*words, "--bits=32") != tutti(*words, "--bits=53")


def test_a_density(tutti):
    found = expect(tutti, "x0", "--box=0:2", "--density",
                   "x0 < 1 ? 2 * x0 : 0")
    assert near(found, 2 / 3)
    value, error = map(float, found["density"].split(" +- "))
    assert abs(value - 1) < 5 * error


def test_a_density_that_is_none(tutti):
    status, out, err = tutti.run("expect", "x0", "--box=0:1", "--density=x0")
    assert status == 0 and "value " in out
    assert "the density integrates to 0.5" in err and "not to one" in err


def test_explain(tutti):
    status, out, err = tutti.run("expect", "x0", "--box=0:1", "--explain")
    assert status == 0 and "1048576 tasks" in err and "caller   |" in err


@pytest.mark.parametrize("words, sentence", [
    ([], "the function is missing"),
    (["x0"], "the box is missing"),
    (["x0", "--box=0"], "--box 0: expected LOW:HIGH"),
    (["x0", "--box=0:1,"], "expected LOW:HIGH"),
    (["x0", "--box=0:1;"], "expected LOW:HIGH"),
    (["x0", "--box=1:0"], "wrong way round"),
    (["x0", "--box=0:inf"], "finite"),
    (["x0", "--box=0:1", "--samples=0"], "from 1 to 2^63"),
    (["x0", "--box=0:1", "--samples=1.5"], "from 1 to 2^63"),
    (["x0", "--box=0:1", "--seed=-1"], "from 0 to 2^64 - 1"),
    (["x0", "--box=0:1", "--stderr=0"], "above 0"),
    (["tasks.py:score", "--box=0:1"], "for Python there is tutti.expect()"),
    (["x0", "--box=0:1", "--method=sobol"], "plain|lattice"),
    (["x0", "--box=0:1", "--bits=32", "--method=lattice"], "53"),
    (["x0 + x1", "--box=0:1"], "expression:1:6: error"),
    (["", "--box=0:1"], "expression:2:1: error"),
    (["1 / (x0 - x0)", "--box=0:1"], "f is inf at ("),
    (["none.c:f", "--box=0:1"], "none.c"),
])
def test_what_is_refused(tutti, words, sentence):
    status, out, err = tutti.run("expect", *words)
    assert (status, out) == (2, "")
    assert err.startswith("tutti: ") and sentence in err, err
    assert err.count("\n") == 1
