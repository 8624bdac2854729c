"""The Python of docs/ runs."""

import os
import re
import subprocess
import sys
import textwrap

import pytest

DOCS = os.path.join(os.path.dirname(__file__), os.pardir, os.pardir, "docs")


def blocks(name):
    with open(os.path.join(DOCS, name)) as f:
        text = f.read()
    found = re.findall(r"^( *)```python\n(.*?)^\1```", text, re.M | re.S)
    return [textwrap.dedent(body) for _, body in found]


@pytest.mark.parametrize(
    "body", blocks("python.md") + blocks("wordcount.md") + blocks("linalg.md"))
def test_block(body, tmp_path):
    script = tmp_path / "block.py"
    script.write_text(body)
    done = subprocess.run(
        [sys.executable, str(script)], timeout=100, cwd=str(tmp_path),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        universal_newlines=True,
    )
    assert done.returncode == 0 and done.stderr == "", done.stderr


def test_there_are_blocks():
    assert len(blocks("python.md")) >= 6 and blocks("wordcount.md")
