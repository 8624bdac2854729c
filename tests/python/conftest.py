import os
import subprocess
import sys

import pytest


@pytest.fixture(params=["serial", "auto", "processes"])
def on(request):
    """Every place that runs Python functions."""
    return request.param


@pytest.fixture
def crew():
    from tutti._crew import Crew

    made = Crew(2)
    yield made
    made.terminate()
    assert made.join(60)


@pytest.fixture(scope="module")
def shared_pool():
    import tutti

    with tutti.Pool(2) as pool:
        yield pool


@pytest.fixture
def pool(shared_pool):
    yield shared_pool
    assert shared_pool.apply(lambda x: x * x, (2,)) == 4  # it lives on


class Script:
    """Runs Python code in a process of its own, as a user would."""

    def __init__(self, folder):
        self.folder = folder

    def start(self, code, how="file", **options):
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        command = [sys.executable]
        if how == "file":
            path = self.folder / "script.py"
            path.write_text(code)
            command.append(str(path))
        elif how == "-c":
            command += ["-c", code]
        else:
            options["stdin"] = subprocess.PIPE
        process = subprocess.Popen(
            command, universal_newlines=True, cwd=str(self.folder), **options
        )
        if how == "stdin":
            process.stdin.write(code)
            process.stdin.close()
            process.stdin = None
        return process

    def __call__(self, code, how="file", status=0, **options):
        with self.start(code, how, **options) as process:
            out, err = process.communicate(timeout=60)
        assert process.returncode == status, err
        return out, err


@pytest.fixture
def script(tmp_path):
    return Script(tmp_path)


def alive(pid):
    """Whether a process runs; an unreaped one does not."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def family(pid):
    """The processes below one, itself not counted."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/%s/stat" % name) as f:
                    fields = f.read().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            parents[int(name)] = int(fields[1])
    found = {pid}
    while True:
        more = {p for p, parent in parents.items() if parent in found} - found
        if not more:
            return found - {pid}
        found |= more
