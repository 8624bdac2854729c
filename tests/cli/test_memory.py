"""Every allocation of the command fails once: an answer or a sentence."""
import subprocess

import numpy as np
import pytest

FAIL = """
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static atomic_int count;

/* The FAIL_AT-th allocation does. */
static int fails(void)
{
    const char *at = getenv("FAIL_AT");
    if (++count != (at ? atoi(at) : 0))
        return 0;
    errno = ENOMEM;
    return 1;
}

__attribute__((destructor)) static void tell(void)
{
    FILE *file = getenv("FAIL_TELL") ? fopen(getenv("FAIL_TELL"), "w") : NULL;
    if (file) {
        fprintf(file, "%d", count);
        fclose(file);
    }
}

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);

void *malloc(size_t size) { return fails() ? NULL : __libc_malloc(size); }
void *calloc(size_t n, size_t size)
{
    return fails() ? NULL : __libc_calloc(n, size);
}
void *realloc(void *old, size_t size)
{
    return fails() ? NULL : __libc_realloc(old, size);
}
"""


@pytest.fixture(scope="module")
def fail(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fail")
    (folder / "fail.c").write_text(FAIL)
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-o", "fail.so", "fail.c"],
        cwd=str(folder), check=True,
    )
    return str(folder / "fail.so")


@pytest.mark.parametrize(
    "words, files",
    [
        ("map f.c:half --over x.npy -o y.npy", {"y.npy"}),
        ("map f.c:half --over x.txt -o y.jsonl --on threads:2", {"y.jsonl"}),
        ("map f.c:square --range 5 --explain --trace t.json -o y.txt",
         {"y.txt", "t.json"}),
        ("info", set()),
    ],
)
def test_each_allocation(tutti, fail, words, files):
    np.save(str(tutti.here / "x.npy"), np.arange(5.0))
    (tutti.here / "x.txt").write_text("1\n2\n3\n")
    before = tutti.files()
    tutti.run(*words.split())  # compiles
    env = {"LD_PRELOAD": fail, "FAIL_TELL": str(tutti.here / "count")}
    assert tutti.run(*words.split(), env=env)[0] == 0
    count = int((tutti.here / "count").read_text())
    (tutti.here / "count").unlink()
    assert count > 5
    for at in range(1, count + 1):
        for name in tutti.files() & files:
            (tutti.here / name).unlink()
        env = {"LD_PRELOAD": fail, "FAIL_AT": str(at)}
        status, out, err = tutti.run(*words.split(), env=env)
        if "libgomp" in err:
            continue  # ends the process by itself
        assert status in (0, 2), (at, err)
        if status == 2:
            assert err.startswith("tutti: ") or "\ntutti: " in err, at
        made = tutti.files() - before
        assert made <= files, at
        assert made == files or status == 2, at
