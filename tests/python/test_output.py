"""What tasks print reaches the caller's own streams."""

import contextlib
import io
import logging
import sys
import warnings

import pytest

import tutti
from tutti import _stream, _tutti


@pytest.fixture
def said(monkeypatch):
    """What a worker's streams would send."""
    pieces = []
    monkeypatch.setattr(
        _tutti, "say", lambda voice, data: pieces.append((voice, data))
    )
    return pieces


@pytest.fixture
def out(said):
    return _stream.Stream(_stream.OUT)


def test_whole_lines(out, said):
    print("a", 1, file=out)
    print("b", end="", file=out)
    assert said == [(1, b"a 1\n")]
    print("c\nd\ne", end="", file=out)
    assert said[1:] == [(1, b"bc\nd\n")]
    out.flush()
    out.flush()
    assert said[2:] == [(1, b"e")]


def test_many_pieces_of_one_line(out, said):
    for _ in range(300_000):
        out.write("0123456789")
    out.write("\n")
    assert b"".join(data for _, data in said) == b"0123456789" * 300_000 + b"\n"
    assert len(said) < 10


def test_stream_is_a_text_stream(out, said):
    assert not out.isatty() and out.writable() and not out.readable()
    assert out.fileno() == 1 and out.encoding == "utf-8"
    with pytest.raises(TypeError, match="must be str, not bytes"):
        out.write(b"x")
    out.buffer.write("caf\u00e9\n".encode()[:4])
    out.buffer.write("caf\u00e9\n".encode()[4:])
    out.writelines(["x\n", "\udc80\ud800\n"])
    assert b"".join(data for _, data in said) == (
        "caf\u00e9\nx\n".encode() + b"\\udc80\\ud800\n"
    )
    out.close()
    with pytest.raises(ValueError):
        out.write("x")


class Broken(io.StringIO):
    def write(self, text):
        raise OSError("no room")


@pytest.mark.parametrize("stream", [None, Broken()])
def test_caller_that_cannot_print(stream, monkeypatch):
    monkeypatch.setattr(sys, "stdout", stream)
    assert _stream.say(_stream.OUT, b"x\n") is None


def test_bytes_that_are_no_text(monkeypatch):
    raw = io.BytesIO()
    text = io.TextIOWrapper(raw, "utf-8", write_through=True)
    monkeypatch.setattr(sys, "stdout", text)
    _stream.say(_stream.OUT, b"\xff\n")
    assert raw.getvalue() == b"\xff\n"


def test_warning_points_here():
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        _stream.say(0, b"look out")
        _stream.say(0, b"look out")
    assert len(seen) == 1 and seen[0].category is RuntimeWarning
    assert str(seen[0].message) == "look out" and seen[0].filename == __file__


def test_warning_that_is_an_error(capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _stream.say(0, b"mind the gap")
    assert capsys.readouterr().err == "RuntimeWarning: mind the gap\n"




def speak(x):
    print("out", x)
    print("err", x, file=sys.stderr)
    logging.getLogger("tutti.test").warning("log %d", x)


def test_capsys(capsys):
    tutti.map(speak, range(3), on="processes:1")
    out, err = capsys.readouterr()
    assert out == "out 0\nout 1\nout 2\n"
    assert err == "".join("err %d\nlog %d\n" % (x, x) for x in range(3))


def test_redirected(capfd):
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        tutti.map(print, range(100), on="processes:2")
    assert sorted(map(int, text.getvalue().split())) == list(range(100))
    assert capfd.readouterr().out == ""


def test_lines_of_workers_do_not_mix(capsys):
    def f(x):
        for k in range(20):
            print(x, end=" ")
            print(k, "." * 50)

    tutti.map(f, range(8), on="processes:4")
    lines = capsys.readouterr().out.splitlines()
    for x in range(8):
        mine = [line.split()[1] for line in lines if line.split()[0] == str(x)]
        assert mine == [str(k) for k in range(20)]


def test_line_without_an_end(capsys):
    tutti.map(lambda x: print(x, end=","), range(3), on="processes:1")
    assert capsys.readouterr().out == "0,1,2,"


def test_much(capsys):
    tutti.map(lambda x: print("x" * 3_000_000), range(2), on="processes:2")
    assert capsys.readouterr().out == ("x" * 3_000_000 + "\n") * 2


def test_warnings_of_tasks(capsys):
    tutti.map(lambda x: warnings.warn("mind that"), [1], on="processes:1")
    assert "UserWarning: mind that" in capsys.readouterr().err


def test_nested(capsys):
    def f(x):
        tutti.map(print, [x], on="processes:1")

    tutti.map(f, [5], on="processes:1")
    assert capsys.readouterr().out == "5\n"


def test_a_child_that_a_task_forks(script):
    """It is no worker: what it prints goes where the worker's own would."""
    out, _ = script("""
import contextlib, io, os, sys, tutti
def f(x):
    print("waits", end="")
    pid = os.fork()
    if not pid:
        print("child")
        sys.stdout.flush()
        os._exit(0)
    os.waitpid(pid, 0)
    print(" here")
text = io.StringIO()
with contextlib.redirect_stdout(text):
    tutti.map(f, [1], on="processes:1")
print([text.getvalue()])
""")
    assert sorted(out.splitlines()) == ["['waits here\\n']", "child"]


def test_a_thread_that_prints_after_its_task(script):
    out, _ = script("""
import threading, time, tutti
def f(x):
    print("now")
    threading.Timer(0.3, print, ["late"]).start()
tutti.map(f, [1], on="processes:1")
time.sleep(2)
""")
    assert out == "now\nlate\n"


def test_interrupt_while_printing(monkeypatch):
    class Interrupts(io.StringIO):
        def write(self, text):
            raise KeyboardInterrupt("mine")

    monkeypatch.setattr(sys, "stdout", Interrupts())
    with pytest.raises(KeyboardInterrupt, match="mine"):
        tutti.map(print, [1], on="processes:1")
