"""tutti.linalg.matmul against NumPy."""

import signal
import threading
import time

import pytest

numpy = pytest.importorskip("numpy")
linalg = pytest.importorskip("tutti.linalg")

from test_linalg import close, strided  # noqa: E402


@pytest.mark.parametrize("dtype", ["f8", "f4", "i8", "i4"])
def test_any_shape_and_strides(dtype):
    rng = numpy.random.default_rng(ord(dtype[0]) + int(dtype[1]))
    for _ in range(150):
        m, k, n = (int(x) for x in rng.integers(0, rng.choice([5, 90]), 3))
        a, b = strided(rng, (m, k), dtype), strided(rng, (k, n), dtype)
        found = linalg.matmul(a, b, on=str(rng.choice(["auto", "threads:2"])))
        assert close(found, a @ b, abs(a) @ abs(b) + 1), (a.shape, b.shape)
        out = strided(rng, (m, n), dtype)
        assert linalg.matmul(a, b, out=out) is out
        assert close(out, a @ b, abs(a) @ abs(b) + 1)


@pytest.mark.parametrize("dtype", ["f8", "i8"])
def test_the_same_bits_everywhere(dtype):
    rng = numpy.random.default_rng(5)
    for m, k, n in (601, 130, 70), (3, 400, 3), (1, 50, 60), (0, 2, 2):
        a = rng.integers(-2 ** 60, 2 ** 60, (m, k)).astype(dtype)
        b = rng.integers(-2 ** 60, 2 ** 60, (k, n)).astype(dtype)
        expected = linalg.matmul(a, b, on="serial").tobytes()
        for on in "auto", "threads:2", "threads:5", "processes:2":
            assert linalg.matmul(a, b, on=on).tobytes() == expected, on


def test_out_may_be_an_operand():
    a = numpy.arange(49).reshape(7, 7)
    expected = a @ a
    assert (linalg.matmul(a, a, out=a) == expected).all()


def test_bad_shapes_and_types():
    a = numpy.ones((2, 3))
    with pytest.raises(ValueError, match=r"a has shape \(2, 3\), b has shape "
                                         r"\(2, 3\): b must have a row"):
        linalg.matmul(a, a)
    with pytest.raises(ValueError, match="out must have the rows of a"):
        linalg.matmul(a, a.T, out=numpy.ones((2, 3)))
    with pytest.raises(ValueError, match="b must have a row"):
        linalg.matmul(a, a, on="processes")
    with pytest.raises(ValueError, match="2 dimensions expected"):
        linalg.matmul(a, a[0])
    with pytest.raises(TypeError, match="same type"):
        linalg.matmul(a, a.T.astype("f4"))
    with pytest.raises(ValueError, match="nowhere"):
        linalg.matmul(a, a.T, on="nowhere")


def test_an_interrupt_comes_soon():
    a = numpy.full((1500, 1500), 2 ** 60)
    main = threading.main_thread().ident
    timer = threading.Timer(0.1, signal.pthread_kill, (main, signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        timer.start()
        until = time.monotonic() + 60
        while time.monotonic() < until:
            linalg.matmul(a, a)
    timer.join()
