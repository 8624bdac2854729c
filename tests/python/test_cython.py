"""The Cython example is built and run as its README says, on the build tree."""

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig

import pytest

import tutti

ROOT = os.path.join(os.path.dirname(__file__), os.pardir, os.pardir)
BUILD = os.path.abspath(os.path.join(ROOT, os.environ.get("BUILD", "build")))


def run(command, folder, **env):
    done = subprocess.run(command, cwd=folder, env=dict(os.environ, **env),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          universal_newlines=True, timeout=100)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(not shutil.which("cython3"), reason="no cython3 here")
def test_rows(tmp_path):
    pytest.importorskip("numpy")
    for part in "meson-uninstalled", "src/libtutti.so", "tutti-openmp.so":
        if not os.path.exists(os.path.join(BUILD, part)):
            pytest.fail("%s has no %s: build all of it (make, or meson compile)"
                        % (BUILD, part))
    folder = tmp_path / "cython"
    shutil.copytree(os.path.join(ROOT, "examples", "cython"), folder)
    package = os.path.dirname(os.path.dirname(tutti.__file__))
    run(["cython3", "-3", "-I", package, "rows.pyx"], folder)
    flags = run(["pkg-config", "--cflags", "--libs", "tutti"], folder,
                PKG_CONFIG_PATH=os.path.join(BUILD, "meson-uninstalled"))
    run(["gcc", "-shared", "-fPIC", "rows.c", "-o", "rows.so",
         "-I" + sysconfig.get_path("include"), *shlex.split(flags)], folder)
    out = run([sys.executable, "matvec.py", "300"], folder, TUTTI_PLACES=BUILD,
              LD_LIBRARY_PATH=os.path.join(BUILD, "src"))
    lines = out.splitlines()
    assert [line.split()[0] for line in lines] == [
        "serial", "threads:3", "openmp:3", "auto"]
    for line in lines:
        assert "equal: True" in line, line
        shares = line.split(";")[1].split(",")
        assert sum(int(share.split()[2]) for share in shares) == 300
