"""A tenth of `make chaos`: 1,000 runs, each with its fault."""

import pathlib
import subprocess
import sys

import pytest

CHAOS = pathlib.Path(__file__).parents[1] / "chaos" / "chaos.py"


@pytest.mark.parametrize("quarter", range(4))
def test_chaos(quarter):
    done = subprocess.run([sys.executable, str(CHAOS), "--runs", "250"],
                          stdout=subprocess.PIPE, text=True)
    print(done.stdout)
    assert done.returncode == 0
