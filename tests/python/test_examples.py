"""The textbook's examples run, and show what they say."""

import os
import re
import subprocess
import sys

import pytest

import tutti

FOLDER = os.path.join(os.path.dirname(__file__), os.pardir, os.pardir,
                      "examples", "textbook")


def run(name, *args):
    done = subprocess.run(
        [sys.executable, os.path.join(FOLDER, name), *args],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        universal_newlines=True, timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_t01_pool():
    out = run("t01_pool.py")
    told = re.findall(r"^task (\d+) in process (\d+)$", out, re.M)
    assert sorted(int(x) for x, _ in told) == list(range(9))
    assert out.startswith("task 0 in process")
    pids = {pid for x, pid in told if x != "0"}
    assert len(pids) == 4 and told[0][1] not in pids
    assert "4 processes; the caller's own among them: False" in out


def test_t02_waiting():
    out = run("t02_waiting.py", "0.1")
    assert out.count("loop") >= 2 and out.count("  tutti.map") == 2
    assert out.count("  tutti.Pool of %d" % tutti.cpu_count()) == 2


def test_t03_tiny():
    out = run("t03_tiny.py")
    assert [line.split(" ")[0] for line in out.splitlines()] == [
        "loop", "tutti.map", "tutti.Pool(2).map", "multiprocessing.Pool(2).map"]


def test_t04_random_square():
    pytest.importorskip("numpy")
    out = run("t04_random_square.py", "3200")
    rows = re.findall(r"^ +(\d+) +\d+\.\d+ +\d+\.\d+ +\d+\.\d+ +\S+$", out, re.M)
    assert rows == ["10", "31", "100", "316", "1000", "3162"]
    assert "l: loop, t: tutti.map" in out


def test_t05_calls():
    out = dict(re.split("  +", line, maxsplit=1)
               for line in run("t05_calls.py").splitlines())
    cubes = "[1, 8, 27, 64, 125, 216]"
    assert int(out.pop("CPUs to use")) == tutti.cpu_count()
    assert out == {
        "apply": cubes, "map": cubes, "apply_async": cubes,
        "map_async": cubes, "starmap": "[8, 9]", "imap": cubes,
        "imap_unordered": "[0, 1, 8, 27, 64, 125, 216]", "callback": "27",
        "a shared total": "5050",
    }


def test_t06_joblib():
    pytest.importorskip("joblib")
    lines = run("t06_joblib.py", "2000").splitlines()
    assert [re.split("  +", line)[0] for line in lines[:5]] == [
        "loop", "tutti.map", "joblib, n_jobs=1", "joblib, n_jobs=2",
        "joblib on tutti"]
    assert len(lines) == 7
    assert all("a misplaced parenthesis?" in line for line in lines[5:])


def test_t07_matrix_product():
    pytest.importorskip("numpy")
    assert "equal: True" in run("t07_matrix_product.py", "60")


def test_t11_word_count():
    out = run("t11_word_count.py", "and", "3")
    told = re.findall(r"^('and'|all words): .* (\d+) in +\d+\.\d+ ms$", out,
                      re.M)
    assert [name for name, _ in told] == ["'and'"] * 2 + ["all words"] * 2
    assert told[0] == told[1] and told[2] == told[3]
    assert re.search(r"^most frequent: (\S+ \d+, ){4}\S+ \d+$", out, re.M)


def test_t16_matrix_vector():
    pytest.importorskip("numpy")
    out = run("t16_matrix_vector.py", "900")
    told = re.findall(r"^task (\d) in worker (\d)$", out, re.M)
    assert [int(task) for task, _ in told] == list(range(8))
    assert {int(worker) for _, worker in told} <= {1, 2, 3, 4}
    rows = re.findall(r"^ +(\d+) +\d+\.\d+ +\d+\.\d+ +\d+\.\d+ +\S+$", out, re.M)
    assert rows == ["400", "900"]
    assert "n: NumPy, 1: tutti on one thread, t: tutti" in out


def test_t18_compiled_functions():
    pytest.importorskip("numpy")
    out = run("t18_compiled_functions.py", "3000", "3")
    assert out.startswith("exact 1.000000; the mean of 3000 points\n")
    assert "equal to 12 digits: True" in out
    assert re.search(r"^C text  .* 0\.9|1\.0", out, re.M)
    assert len(re.findall(r"^a plain sum: ", out, re.M)) == 3


def test_t17_monte_carlo():
    pytest.importorskip("numpy")
    lines = run("t17_monte_carlo.py", "2000", "3").splitlines()
    assert lines[0] == "exact 1.000000; M = 2000, N = 3"
    found = [re.search(r"ms +(\S+) +variance of that (\S+)$", line).groups()
             for line in lines[1:]]
    assert len(found) == 6
    for value, variance in found:
        assert (float(value) - 1) ** 2 < 36 * float(variance)


def test_t19_monte_carlo_processes():
    out = run("t19_monte_carlo_processes.py", "1009")
    assert out.splitlines()[-1] == "the same bits: True"
    assert len(set(re.findall(r"0\.\d{16}", out))) == 1
