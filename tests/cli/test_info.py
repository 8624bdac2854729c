"""tutti info, and which Python runs Python functions."""
import os
import shutil
import subprocess

from .conftest import BUILD, ROOT


def subjects(text):
    return [line[:10].strip() for line in text.splitlines()]


def line_of(text, subject):
    (line,) = [x for x in text.splitlines() if x.startswith(subject + " ")]
    return line[12:]


def test_lines(tutti):
    text = tutti("info")
    first = [subject for subject in subjects(text) if subject]
    assert first[0] == "tutti" and first[-2:] == ["places", "python"]
    assert {"machine", "budget", "constants", "cache"} <= set(first)
    assert all(line[10:12] == "  " for line in text.splitlines())
    assert "serial     present " in text and "threads    present " in text


def test_measure(tutti):
    assert "(default)" not in line_of(tutti("info", "--measure"), "constants")
    assert "(default)" not in line_of(tutti("info"), "constants")


def test_budget_follows_affinity(tutti):
    cpu = min(os.sched_getaffinity(0))
    text = tutti("info", preexec_fn=lambda: os.sched_setaffinity(0, {cpu}))
    assert line_of(text, "budget").startswith("1 CPU")


def test_python_beside_the_command(tutti, tmp_path):
    assert line_of(tutti("info"), "python") == "%s (beside the command)" % (
        ROOT / ".venv/bin/python"
    )
    (tmp_path / "bin").mkdir()
    tutti.program = shutil.copy(str(BUILD / "tutti"), str(tmp_path / "bin"))
    for name in ("python3", "python"):
        (tmp_path / "bin" / name).symlink_to("/bin/true")
        assert line_of(tutti("info"), "python") == "%s (beside the command)" % (
            tmp_path / "bin" / name
        )


def test_python_elsewhere(tutti, tmp_path):
    """In $VIRTUAL_ENV, then on the PATH: each must be able to import tutti."""
    alone = tmp_path / "a/b"
    alone.mkdir(parents=True)
    tutti.program = shutil.copy(str(BUILD / "tutti"), str(alone))
    venv = str(ROOT / ".venv")
    path = "/nowhere::%s/bin:/usr/bin:/bin" % venv
    found = line_of(tutti("info", env={"VIRTUAL_ENV": venv}), "python")
    assert found == "%s/bin/python ($VIRTUAL_ENV)" % venv
    env = {"VIRTUAL_ENV": "/nowhere", "PATH": path}
    found = line_of(tutti("info", env=env), "python")
    assert found == "%s/bin/python3 (python3 on the PATH)" % venv
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "python3").symlink_to("/bin/false")
    env["PATH"] = str(bare)
    assert line_of(tutti("info", env=env), "python") == (
        "none can import tutti: FILE.py:NAME does not run"
    )
    assert tutti.refuses("map", "g.py:square", "--range", "3", env=env) == (
        "no Python can import tutti: looked beside the command, in "
        "$VIRTUAL_ENV and at python3 on the PATH: install the package tutti "
        "in one of them"
    )


def test_closed_output(tutti):
    process = tutti.start("info", stdout=subprocess.PIPE)
    process.stdout.close()
    assert process.wait(60) in (0, -13)
