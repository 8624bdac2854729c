"""Where results go: formats, whole files or none, what is refused."""
import json
import os
import stat
import subprocess

import numpy as np
import pytest

from .conftest import as_nobody


def ulps(count):
    """Doubles of all sizes, as bit patterns."""
    rng = np.random.default_rng(7)
    bits = rng.integers(0, 2**64, count, dtype=np.uint64)
    edges = [0.0, -0.0, 1.0, 0.1, 1e15, 1e16, 1e22, 1e23, 123456789012345680.0,
             2.0**53, 2.0**53 + 2, 4503599627370495.5, 5e-324, 1e-4, 9.9e-5,
             1.7976931348623157e308, 2.2250738585072014e-308]
    return np.concatenate([bits.view("f8"), edges])


IDENTITY = """
#include <stdint.h>
double f8(double x) { return x; }
float f4(float x) { return x; }
int64_t i8(int64_t x) { return x; }
"""


@pytest.fixture
def identity(tutti):
    (tutti.here / "id.c").write_text(IDENTITY)
    return tutti


def through(tutti, array, name):
    np.save(str(tutti.here / "x.npy"), array)
    tutti("map", "id.c:" + name, "--over", "x.npy", "-o", "y.txt")
    return (tutti.here / "y.txt").read_text().splitlines()


def test_doubles_read_back(identity):
    x = ulps(5000)
    lines = through(identity, x, "f8")
    back = np.array([float(line) for line in lines])
    np.testing.assert_array_equal(back, x)
    assert np.signbit(back).tolist() == np.signbit(x).tolist()


def test_doubles_look_as_in_python(identity):
    x = [0.0, -0.0, 1.0, -3.0, -2.5, 0.1, 1 / 3, 1e15, 1e16, 1.5e16, 1e22, 1e-4,
         9.9e-5, 123456.789, 12345678901234568.0, 2.0**53, 1e100, 2.5e-10,
         float("inf"), float("-inf"), float("nan")]
    assert through(identity, np.array(x), "f8") == [repr(v) for v in x]


def test_floats_read_back(identity):
    bits = np.random.default_rng(3).integers(0, 2**32, 5000, dtype=np.uint32)
    x = np.concatenate([bits.view("f4"), np.array([0.1, 1e10, 1 / 3], "f4")])
    back = np.array([np.float32(v) for v in through(identity, x, "f4")])
    np.testing.assert_array_equal(back, x)


def test_whole_numbers(identity):
    x = np.array([0, -1, 10, -(2**63), 2**63 - 1])
    assert through(identity, x, "i8") == [str(v) for v in x.tolist()]


def test_json_lines(identity):
    tutti = identity
    x = np.array([0.5, 2.0, float("nan"), float("inf"), -float("inf")])
    np.save(str(tutti.here / "x.npy"), x)
    tutti("map", "id.c:f8", "--over", "x.npy", "-o", "y.jsonl")
    text = (tutti.here / "y.jsonl").read_text()
    assert text == "0.5\n2.0\nnull\nnull\nnull\n"


def test_rows_as_json_and_lines(tutti):
    x = np.arange(6.0).reshape(3, 2)
    np.save(str(tutti.here / "x.npy"), x)
    words = ("map", "f.c:twice", "--over", "x.npy")
    assert tutti(*words) == "0.0 2.0\n4.0 6.0\n8.0 10.0\n"
    tutti(*words, "-o", "y.jsonl")
    lines = (tutti.here / "y.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == (2 * x).tolist()
    assert lines[0] == "[0.0, 2.0]"
    tutti(*words, "-o", "y.jsonl", "--width", "2")
    assert (tutti.here / "y.jsonl").read_text().splitlines() == lines


def test_wide_rows(tutti):
    """Rows longer than what is formatted at once."""
    x = np.arange(100000.0).reshape(2, 50000)
    np.save(str(tutti.here / "x.npy"), x)
    tutti("map", "f.c:twice", "--over", "x.npy", "-o", "y.jsonl")
    lines = (tutti.here / "y.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == (2 * x).tolist()
    out = tutti("map", "f.c:twice", "--over", "x.npy")
    assert [line.split(" ") for line in out.splitlines()] == [
        [repr(v) for v in row] for row in (2 * x).tolist()
    ]


@pytest.mark.parametrize("name", ["-", "/dev/stdout"])
def test_standard_output_by_name(tutti, name, tmp_path):
    for function in ("f.c:square", "g.py:square"):
        words = ("map", function, "--range", "3", "-o", name)
        assert tutti(*words) == "0\n1\n4\n"
        with open(str(tmp_path / "log"), "w") as log:
            log.write("before\n")
            log.flush()
            assert tutti(*words, stdout=log) == ""
        assert (tmp_path / "log").read_text() == "before\n0\n1\n4\n"


def test_dev_null(tutti):
    tutti("map", "f.c:square", "--range", "3", "-o", "/dev/null")
    tutti("map", "g.py:square", "--range", "3", "-o", "/dev/null")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


@pytest.mark.parametrize("function", ["f.c:square", "g.py:square"])
@pytest.mark.parametrize("name", ["y.npy", "y.txt", "y.jsonl"])
class TestWholeFiles:
    def test_mode_follows_the_mask(self, tutti, function, name):
        before = os.umask(0o027)
        try:
            tutti("map", function, "--range", "3", "-o", name)
        finally:
            os.umask(before)
        mode = (tutti.here / name).stat().st_mode
        assert stat.S_IMODE(mode) == 0o640

    def test_a_file_that_is_there_keeps_its_mode(self, tutti, function, name):
        (tutti.here / name).write_text("old")
        (tutti.here / name).chmod(0o604)
        tutti("map", function, "--range", "3", "-o", name)
        assert stat.S_IMODE((tutti.here / name).stat().st_mode) == 0o604
        assert (tutti.here / name).read_bytes() != b"old"

    def test_links_are_followed(self, tutti, function, name):
        (tutti.here / "there").mkdir()
        (tutti.here / "there" / name).write_text("old")
        (tutti.here / name).symlink_to("there/" + name)
        tutti("map", function, "--range", "3", "-o", name)
        assert (tutti.here / name).is_symlink()
        assert (tutti.here / "there" / name).read_bytes() != b"old"
        assert os.listdir(str(tutti.here / "there")) == [name]

    def test_missing_folder(self, tutti, function, name):
        words = ("map", function, "--range", "3", "-o", "no/" + name)
        assert tutti.refuses(*words) == (
            "no/%s: there is no folder no: make it first, such as by mkdir -p"
            % name
        )

    def test_a_folder(self, tutti, function, name):
        (tutti.here / name).mkdir()
        words = ("map", function, "--range", "3", "-o", name)
        assert tutti.refuses(*words) == (
            "%s is a folder: expected the name of a file" % name
        )

    def test_output_is_input(self, tutti, function, name):
        if name.endswith(".npy"):
            np.save(str(tutti.here / name), np.arange(3))
        else:
            (tutti.here / name).write_text("1\n")
        before = (tutti.here / name).read_bytes()
        (tutti.here / "link").symlink_to(name)
        for other in (name, "./" + name, "link"):
            words = ("map", function, "--over", name, "-o", other)
            assert tutti.refuses(*words) == (
                "%s is the input and the output: give another name to the "
                "output" % other
            )
        assert (tutti.here / name).read_bytes() == before

    def test_output_is_the_functions_file(self, tutti, function, name):
        source = function.partition(":")[0]
        before = (tutti.here / source).read_text()
        (tutti.here / name).symlink_to(source)
        for words in (("-o", name), ("--trace", "./" + source)):
            assert tutti.refuses("map", function, "--range", "3", *words) == (
                "%s is the function's file: give another name to the output"
                % words[1]
            )
        assert (tutti.here / source).read_text() == before

    def test_a_pipe(self, tutti, function, name):
        os.mkfifo(str(tutti.here / name))
        words = ("map", function, "--range", "3", "-o", name)
        if name.endswith(".npy"):
            assert tutti.refuses(*words) == (
                "%s is not a plain file: a .npy file must be one" % name
            )
            return
        with tutti.start(*words) as process:
            assert (tutti.here / name).read_text() == "0\n1\n4\n"
            assert process.wait(60) == 0


def test_npy_is_as_numpy_writes_it(tutti):
    tutti("map", "f.c:square", "--range", "3", "-o", "y.npy")
    np.save(str(tutti.here / "z.npy"), np.arange(3) ** 2)
    ours = (tutti.here / "y.npy").read_bytes()
    theirs = (tutti.here / "z.npy").read_bytes()
    assert ours[-24:] == theirs[-24:] and (len(ours) - 24) % 64 == 0
    assert ours[:60] == theirs[:60]


def test_large_npy(tutti):
    n = 3000000
    tutti("map", "f.c:square", "--range", n, "-o", "y.npy")
    y = np.load(str(tutti.here / "y.npy"))
    np.testing.assert_array_equal(y, np.arange(n) ** 2)


def test_more_than_memory_holds(tutti):
    assert tutti.refuses("map", "f.c:square", "--range", 2**48) == (
        "no memory for 2251799813685248 bytes of results: write them to a "
        ".npy file, or map in parts"
    )


def test_more_than_the_disk_holds(tutti):
    sentence = tutti.refuses(
        "map", "f.c:square", "--range", 2**48, "-o", "y.npy"
    )
    assert sentence.startswith("y.npy: no room for 2251799813685376 bytes (")
    assert sentence.endswith("): free some space or name another file")


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 256 KiB."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)],
        stderr=subprocess.PIPE,
    )
    if mounted.returncode:
        pytest.skip("mount is not allowed here: %r" % mounted.stderr)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_full_disk(tutti, small_disk):
    sentence = tutti.refuses(
        "map", "f.c:square", "--range", 100000, "-o", "disk/y.npy"
    )
    assert sentence == (
        "disk/y.npy: no room for 800128 bytes (No space left on device): free "
        "some space or name another file"
    )
    for function in ("f.c:square", "g.py:square"):
        for name in ("disk/y.txt", "disk/y.jsonl"):
            sentence = tutti.refuses(
                "map", function, "--range", 100000, "-o", name
            )
            assert sentence == (
                "%s: writing failed (No space left on device): free some "
                "space or write elsewhere" % name
            )
    sentence = tutti.refuses(
        "map", "g.py:square", "--range", 100000, "-o", "disk/y.npy"
    )
    assert sentence.startswith("disk/y.npy: writing failed (")
    assert os.listdir(str(small_disk)) == []
    tutti("map", "f.c:square", "--range", 20000, "-o", "disk/y.npy")


def test_file_size_limit(tutti):
    """A limit on file sizes is a full disk with a signal."""
    import resource

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    for name in ("y.npy", "y.txt"):
        status, out, err = tutti.run(
            "map", "f.c:square", "--range", 100000, "-o", name,
            preexec_fn=limit,
        )
        assert (status, out) == (2, "")
        assert "(File too large)" in err
    assert tutti.files() == {"f.c", "g.py", "slow.c"}


def test_folder_that_cannot_be_written(tutti, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir(mode=0o755 if os.geteuid() == 0 else 0o555)
    words = ("map", "g.py:square", "--range", "3", "-o", "mine/y.txt")
    assert as_nobody(tutti, *words) == (
        "mine/y.txt: the folder mine cannot be written (Permission denied): "
        "name another"
    )
