"""Ctrl-C, other ends, a reader that goes away: nothing half-written."""
import os
import pty
import re
import signal
import subprocess
import time

import pytest

FILES = {"f.c", "g.py", "slow.c"}
LONG = {"c": ("slow.c:slow", "--range", "100000"),
        "python": ("g.py:nap", "--range", "2", "--on", "serial")}


def wait_until(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def started(tutti):
    """Whether the map runs: C has its file, Python is in its task."""
    return any(
        name.startswith(".tutti.") or name == "napping"
        for name in tutti.files()
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM,
                                    signal.SIGHUP])
@pytest.mark.parametrize("language", ["c", "python"])
def test_ended_by_a_signal(tutti, language, number):
    (tutti.here / "y.npy").write_text("old")
    process = tutti.start("map", *LONG[language], "-o", "y.npy")
    wait_until(lambda: started(tutti))
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (-number, b"", b"")
    assert tutti.files() - {"napping"} == FILES | {"y.npy"}
    assert (tutti.here / "y.npy").read_text() == "old"


def test_no_worker_stays(tutti):
    """A signal to the command alone ends its processes, too."""
    pids = tutti.here / "pids"
    pids.mkdir()
    (tutti.here / "long.py").write_text(
        "import os, time\n"
        "def f(x):\n"
        "    open('pids/%d' % os.getpid(), 'w').close()\n"
        "    time.sleep(60)\n"
    )
    process = tutti.start(
        "map", "long.py:f", "--range", "2", "--on", "processes:2"
    )
    wait_until(lambda: len(os.listdir(str(pids))) == 2)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60) == (b"", b"")
    assert process.returncode == -signal.SIGINT
    for pid in os.listdir(str(pids)):
        wait_until(lambda: not os.path.exists("/proc/" + pid))


@pytest.mark.parametrize("words", [
    ("map", "f.c:square", "--range", "9"),
    ("expect", "x0 * x0", "--box", "0:1"),
])
def test_ended_while_the_compiler_runs(tutti, words):
    """The compiler ends, and so do those that it started."""
    compiler = tutti.here / "slowcc"
    compiler.write_text(
        "#!/bin/sh\n: > $TMPDIR/cc1.s\nsleep 100 &\necho $! > child\n"
        "sleep 100\n"
    )
    compiler.chmod(0o755)
    process = tutti.start(*words, env=dict(
        CC=str(compiler), XDG_CACHE_HOME=str(tutti.here / "cache")))
    child = tutti.here / "child"
    wait_until(lambda: child.exists() and child.read_text())
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60) == (b"", b"")
    assert process.returncode == -signal.SIGINT
    assert not os.listdir(str(tutti.here / "cache" / "tutti" / "kernels"))
    wait_until(lambda: ended(int(child.read_text())))


def ended(pid):
    try:
        with open("/proc/%d/stat" % pid) as file:
            return ") Z" in file.read()
    except OSError:
        return True


def test_status_that_a_shell_sees(tutti):
    (tutti.here / "run.sh").write_text(
        "trap : INT\n%s map slow.c:slow --range 100000 -o y.npy\necho $?\n"
        % tutti.program
    )
    process = subprocess.Popen(
        ["sh", "run.sh"], cwd=str(tutti.here), stdout=subprocess.PIPE,
        start_new_session=True,
    )
    wait_until(lambda: started(tutti))
    os.killpg(process.pid, signal.SIGINT)
    assert process.communicate(timeout=60)[0] == b"130\n"
    assert tutti.files() == FILES | {"run.sh"}


def test_ignored_signals_stay_ignored(tutti):
    process = tutti.start(
        "map", "slow.c:slow", "--range", "100", "--on", "serial", "-o", "y.npy",
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    wait_until(lambda: started(tutti))
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    process.communicate()
    assert tutti.files() == FILES | {"y.npy"}


@pytest.mark.parametrize("function", ["f.c:square", "g.py:square"])
def test_reader_that_goes_away(tutti, function):
    process = tutti.start("map", function, "--range", "200000")
    assert process.stdout.readline() == b"0\n"
    process.stdout.close()
    assert process.wait(60) == -signal.SIGPIPE
    assert process.stderr.read() == b""
    process.stderr.close()


CRASH = """
#include <stdint.h>
int64_t crash(int64_t x)
{
    volatile int64_t *p = (int64_t *)(x * 8);
    return x ? *p : 0;
}
"""


@pytest.mark.parametrize("on", ["serial", "threads:2"])
def test_crash(tutti, on):
    (tutti.here / "crash.c").write_text(CRASH)
    status, out, err = tutti.run(
        "map", "crash.c:crash", "--range", "1:100", "-o", "y.npy", "--on", on
    )
    assert (status, out) == (-signal.SIGSEGV, "")
    assert err == (
        "tutti: crash.c:crash crashed (a bad address or instruction); nothing "
        "was written: run it under a debugger\n"
    )
    assert tutti.files() - {"core"} == FILES | {"crash.c"}


@pytest.mark.skipif(os.uname().machine != "x86_64",
                    reason="integers divide by zero to zero there")
def test_division_by_zero(tutti):
    status, out, err = tutti.run("map", "f.c:inverse", "--range", "3")
    assert (status, out) == (-signal.SIGFPE, "")
    assert err == (
        "tutti: f.c:inverse divided an integer by zero (SIGFPE); nothing was "
        "written: guard the division\n"
    )


def on_terminal(tutti, *words):
    """What a run writes to a terminal's stderr, 80 columns wide."""
    leader, terminal = pty.openpty()
    process = tutti.start(*words, stderr=terminal)
    os.close(terminal)
    shown = b""
    try:
        while True:
            shown += os.read(leader, 4096)
    except OSError:
        pass  # nobody has the terminal any more
    os.close(leader)
    assert process.communicate(timeout=60) == (b"", None)
    assert process.returncode == 0
    return shown.decode()


@pytest.mark.parametrize(
    "words",
    [("slow.c:slow", "--range", "20"), ("g.py:square", "--range", "20")],
)
def test_progress(tutti, words):
    words = ("map", *words, "--progress", "-o", "y.txt")
    assert tutti.run(*words) == (0, "", "")
    shown = on_terminal(tutti, *words)
    assert shown.endswith("\n")
    last = shown.rstrip().split("\r")[-1]
    assert "100 %" in last and "/s" in last
    assert all(len(part) <= 84 for part in re.split("[\r\n]", shown))
