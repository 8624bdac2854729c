import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("BUILD", "build")

C_FUNCTIONS = """
#include <stdint.h>
#include <stddef.h>

int64_t square(int64_t x) { return x * x; }
double half(double x) { return x / 2; }
float third(float x) { return x / 3; }
int32_t inverse(int32_t x) { return 100 / x; }
double sum(const double *row, int n)
{
    double s = 0;
    for (int i = 0; i < n; i++)
        s += row[i];
    return s;
}
void ends(const double *row, int n, double *out)
{
    out[0] = row[0];
    out[1] = row[n - 1];
}
void twice(const double *row, int n, double *out)
{
    for (int i = 0; i < n; i++)
        out[i] = 2 * row[i];
}
void triple(size_t n, const int64_t *x, int64_t *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = 3 * x[i];
}
"""

SLOW = """
#include <stdint.h>
#include <time.h>
int64_t slow(int64_t x)
{
    struct timespec nap = {0, 20000000};
    nanosleep(&nap, 0);
    return x;
}
"""

PY_FUNCTIONS = """
import time

def square(x):
    return x * x

def inverse(x):
    return 100 / int(x)

def upper(line):
    return line.upper()

def pair(x):
    return [float(x), "a"]

def row(x):
    return [float(x), 1.0]

def total(row):
    return row.sum()

def nap(x):
    open("napping", "w").close()
    time.sleep(60)
"""


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Functions in C and in Python, and a cache of its own."""
    folder = tmp_path_factory.mktemp("functions")
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    (folder / "f.c").write_text(C_FUNCTIONS)
    (folder / "slow.c").write_text(SLOW)
    (folder / "g.py").write_text(PY_FUNCTIONS)
    return folder


class Tutti:
    """The command, as a user runs it: in a folder with f.c and g.py."""

    def __init__(self, folder, here):
        self.program = str(BUILD / "tutti")
        self.here = here
        for name in ("f.c", "g.py", "slow.c"):
            (here / name).symlink_to(folder / name)

    def start(self, *words, env=None, **options):
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        command = [self.program] + [str(word) for word in words]
        return subprocess.Popen(
            command, cwd=str(self.here), env={**os.environ, **(env or {})},
            **options
        )

    def run(self, *words, lines=None, **options):
        """Status, stdout and stderr."""
        if lines is not None:
            options["stdin"] = subprocess.PIPE
        with self.start(*words, **options) as process:
            data = lines.encode() if isinstance(lines, str) else lines
            out, err = process.communicate(data, timeout=60)
        return (
            process.returncode,
            (out or b"").decode("utf-8", "surrogateescape"),
            (err or b"").decode("utf-8", "surrogateescape"),
        )

    def __call__(self, *words, **options):
        """Stdout of a run that does all it should and says nothing more."""
        status, out, err = self.run(*words, **options)
        assert (status, err) == (0, "")
        return out

    def refuses(self, *words, **options):
        """The sentence of a run that refuses: one line, nothing made."""
        before = self.files()
        status, out, err = self.run(*words, **options)
        assert (status, out) == (2, "")
        assert err.startswith("tutti: ") and err.endswith("\n")
        assert err.count("\n") == 1
        assert self.files() == before
        return err[len("tutti: "):-1]

    def files(self):
        return {path.name for path in self.here.iterdir()} - {"__pycache__"}


@pytest.fixture
def tutti(folder, tmp_path):
    return Tutti(folder, tmp_path)


def as_nobody(tutti, *words):
    """The sentence of a run that refuses, of a user who is not root."""
    if os.geteuid() != 0:
        return tutti.refuses(*words)
    for path in [tutti.here, *tutti.here.parents][:4]:
        path.chmod(path.stat().st_mode | 0o055)
    try:
        return tutti.refuses(*words, preexec_fn=lambda: os.setuid(65534))
    except PermissionError:
        pytest.skip("the build is in a folder that others cannot enter")
