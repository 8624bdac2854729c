#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <tutti/kernel.h>

#include "fault.h"
#include "kernel/compiler.h"
#include "kernel/file.h"
#include "scratch.h"

static const char *const source = "#include \"k.h\"\n"
                                  "int f(int x) { return x + ADD; }\n";

static const char *text_of(const char *file)
{
    static char text[300];
    snprintf(text, sizeof text, "%s:f", scratch_path(file));
    return text;
}

static void write_source(void)
{
    scratch_write("k.h", "#define ADD 1\n");
    scratch_write("k.c", source);
}

/* What the kernel in `file` makes of 0. */
static int result_of(const char *file)
{
    tutti_kernel *k;
    int32_t out = -1;
    if (tutti_kernel_open(&k, text_of(file), NULL) != TUTTI_OK)
        fail_msg("%s", tutti_detail());
    assert_int_equal(tutti_kernel_map_range(k, &out, 0, 1, 1, NULL), TUTTI_OK);
    tutti_kernel_close(k);
    return out;
}

static void must_not_open(tutti_status status, const char *said)
{
    tutti_kernel *k = NULL;
    assert_int_equal(tutti_kernel_open(&k, text_of("k.c"), NULL), status);
    assert_null(k);
    if (!strstr(tutti_detail(), said))
        fail_msg("expected: %s\ngot: %s", said, tutti_detail());
}

static void calls_the_compiler_once(void **state)
{
    struct stat s;
    (void)state;
    write_source();
    scratch_count_compilers();
    for (int i = 0; i < 3; i++)
        assert_int_equal(result_of("k.c"), 1);
    assert_int_equal(scratch_compilers(), 1);
    assert_int_equal(scratch_cached(".so", NULL, 0), 1);
    assert_int_equal(scratch_cached(".list", NULL, 0), 1);
    assert_int_equal(scratch_cached("", NULL, 0), 4); /* and . and .. */
    assert_int_equal(stat(scratch_path("CACHE/tutti/kernels"), &s), 0);
    assert_int_equal(s.st_mode & 0777, 0700);
}

static void sees_every_input(void **state)
{
    (void)state;
    write_source();
    scratch_count_compilers();
    assert_int_equal(result_of("k.c"), 1);
    scratch_write("k.h", "#define ADD 2\n"); /* as long as before */
    assert_int_equal(result_of("k.c"), 2);
    assert_int_equal(result_of("k.c"), 2);
    assert_int_equal(scratch_compilers(), 2);
    scratch_write("k.h", "#define ADD 2\n"); /* only its time */
    assert_int_equal(result_of("k.c"), 2);
    assert_int_equal(scratch_compilers(), 2);
    scratch_write("k.h", "#define ADD 2 \n");
    assert_int_equal(result_of("k.c"), 2);
    assert_int_equal(scratch_compilers(), 3);
    scratch_write("k.c", "int f(int x) { return x + 7; }\n");
    assert_int_equal(result_of("k.c"), 7);
    assert_int_equal(scratch_compilers(), 4);
    scratch_count_compilers(); /* another time stamp */
    assert_int_equal(result_of("k.c"), 7);
    assert_int_equal(scratch_compilers(), 5);
}

/* Headers are noted by names as make writes them. */
static void knows_headers_by_odd_names(void **state)
{
    static const char *const folders[] = {"a b",  "c$d",  "e#f", "g'h",
                                          "i: j", "k\"l", "m%n"};
    const char *compilers[] = {"gcc", "clang"};
    char name[64];
    size_t runs = 0;
    (void)state;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        assert_int_equal(mkdir(scratch_path(folders[i]), 0700), 0);
        snprintf(name, sizeof name, "%s/k.h", folders[i]);
        scratch_write(name, "#define ADD 3\n");
        snprintf(name, sizeof name, "%s/k.c", folders[i]);
        scratch_write(name, source);
        for (size_t c = 0; c < 2; c++) {
            struct tt_compiler found;
            setenv("CC", compilers[c], 1);
            if (tt_compiler_find(&found) != TUTTI_OK)
                continue;
            assert_int_equal(result_of(name), 3);
            runs++;
            if (scratch_cached(".list", NULL, 0) != runs)
                fail_msg("%s: not kept by %s", name, compilers[c]);
        }
    }
    assert_true(runs > 0);
}

static void gives_the_new_library_beside_the_old(void **state)
{
    tutti_kernel *old, *new;
    int32_t out;
    (void)state;
    scratch_write("k.c", "int f(int x) { return x + 1; }\n");
    assert_int_equal(tutti_kernel_open(&old, text_of("k.c"), NULL), TUTTI_OK);
    scratch_write("k.c", "int f(int x) { return x + 2; }\n");
    assert_int_equal(tutti_kernel_open(&new, text_of("k.c"), NULL), TUTTI_OK);
    assert_int_equal(tutti_kernel_map_range(old, &out, 0, 1, 1, NULL),
                     TUTTI_OK);
    assert_int_equal(out, 1);
    assert_int_equal(tutti_kernel_map_range(new, &out, 0, 1, 1, NULL),
                     TUTTI_OK);
    assert_int_equal(out, 2);
    tutti_kernel_close(old);
    tutti_kernel_close(new);
}

/* A header that is as young as the compilation may have changed since it was
 * read: the object serves once. */
static void trusts_no_header_of_now(void **state)
{
    (void)state;
    write_source();
    scratch_count_compilers();
    struct timespec times[] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_NOW}};
    times[0].tv_sec = times[1].tv_sec = 4000000000;
    times[0].tv_nsec = times[1].tv_nsec = 0;
    assert_int_equal(utimensat(AT_FDCWD, scratch_path("k.h"), times, 0), 0);
    assert_int_equal(result_of("k.c"), 1);
    assert_int_equal(scratch_cached(".list", NULL, 0), 0);
    assert_int_equal(result_of("k.c"), 1);
    assert_int_equal(scratch_compilers(), 2);
}

static void overwrite(const char *path, off_t keep, const char *then)
{
    assert_int_equal(truncate(path, keep), 0);
    FILE *file = fopen(path, "a");
    assert_non_null(file);
    assert_true(fputs(then, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void makes_broken_files_again(void **state)
{
    static const struct {
        const char *end;
        off_t keep;
        const char *then;
    } rows[] = {
        {".so", 0, ""},
        {".so", 100, ""},
        {".so", 5000, ""},
        {".so", 0, "not an object"},
        {".list", 0, ""},
        {".list", 20, ""},
        {".list", 90, ""},
        {".list", 0, "tutti kernel 2\n"},
        {".list", 80, "\nxx\nend\n"},
        {".list", 80, "\n0123 4 5 /a b\nend\n"},
        {".list", 0, "tutti kernel 1\n../../../k\nend\n"},
    };
    char path[PATH_MAX];
    (void)state;
    write_source();
    assert_int_equal(result_of("k.c"), 1);
    scratch_count_compilers();
    assert_int_equal(result_of("k.c"), 1);
    assert_int_equal(scratch_cached(".list", NULL, 0), 2);
    assert_int_equal(unlink((scratch_cached(".list", path, sizeof path), path)),
                     0);
    assert_int_equal(result_of("k.c"), 1);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(scratch_cached(rows[i].end, path, sizeof path) > 0, 1);
        size_t before = scratch_compilers();
        overwrite(path, rows[i].keep, rows[i].then);
        assert_int_equal(result_of("k.c"), 1);
        assert_int_equal(result_of("k.c"), 1);
        if (scratch_compilers() > before + 1)
            fail_msg("row %zu: %zu compilers", i, scratch_compilers() - before);
    }
}

static void removes_what_was_left(void **state)
{
    struct timespec old[] = {{1000000000, 0}, {1000000000, 0}};
    (void)state;
    write_source();
    assert_int_equal(result_of("k.c"), 1);
    assert_int_equal(mkdir(scratch_path("CACHE/tutti/kernels/build.old"), 0700),
                     0);
    scratch_write("CACHE/tutti/kernels/build.old/kernel.c", "");
    assert_int_equal(utimensat(AT_FDCWD,
                               scratch_path("CACHE/tutti/kernels/build.old"),
                               old, 0),
                     0);
    assert_int_equal(mkdir(scratch_path("CACHE/tutti/kernels/build.new"), 0700),
                     0);
    scratch_write("k.c", "int f(int x) { return x + 2; }\n");
    assert_int_equal(result_of("k.c"), 2);
    assert_int_equal(scratch_cached(".old", NULL, 0), 0);
    assert_int_equal(scratch_cached(".new", NULL, 0), 1);
}

static void says_where_it_cannot_write(void **state)
{
    (void)state;
    write_source();
    assert_int_equal(setenv("XDG_CACHE_HOME", "/proc/absent", 1), 0);
    must_not_open(TUTTI_ESYS, "cannot be kept in /proc/absent/tutti/kernels");
    assert_int_equal(mkdir(scratch_path("home"), 0700), 0);
    assert_int_equal(mkdir(scratch_path("home/tutti"), 0700), 0);
    scratch_write("home/tutti/kernels", "a file");
    assert_int_equal(setenv("XDG_CACHE_HOME", scratch_path("home"), 1), 0);
    must_not_open(TUTTI_ESYS, "Not a directory");
    scratch_write("CACHE", "a file");
    assert_int_equal(setenv("XDG_CACHE_HOME", scratch_path("CACHE"), 1), 0);
    must_not_open(TUTTI_ESYS, "Not a directory");
    unsetenv("XDG_CACHE_HOME");
    char *home = strdup(getenv("HOME") ? getenv("HOME") : "/");
    unsetenv("HOME");
    must_not_open(TUTTI_ESYS, "neither XDG_CACHE_HOME nor HOME");
    assert_int_equal(setenv("XDG_CACHE_HOME", "relative", 1), 0);
    must_not_open(TUTTI_ESYS, "neither XDG_CACHE_HOME nor HOME");
    assert_int_equal(setenv("HOME", scratch_path("home"), 1), 0);
    assert_int_equal(result_of("k.c"), 1);
    assert_int_equal(access(scratch_path("home/.cache/tutti/kernels"), F_OK),
                     0);
    assert_int_equal(setenv("HOME", home, 1), 0);
    free(home);
    char *deep = malloc(PATH_MAX);
    memset(deep, 'd', PATH_MAX - 1);
    deep[0] = '/';
    deep[PATH_MAX - 1] = 0;
    assert_int_equal(setenv("XDG_CACHE_HOME", deep, 1), 0);
    must_not_open(TUTTI_ESYS, "too long");
    free(deep);
}

static void shares_the_folder_with_nobody(void **state)
{
    struct stat s;
    const char *folder = scratch_path("CACHE/tutti/kernels");
    (void)state;
    write_source();
    scratch_count_compilers();
    assert_int_equal(result_of("k.c"), 1);
    assert_int_equal(chmod(folder, 0777), 0);
    assert_int_equal(result_of("k.c"), 1); /* trusts nothing there */
    assert_int_equal(scratch_compilers(), 2);
    assert_int_equal(stat(folder, &s), 0);
    assert_int_equal(s.st_mode & 0777, 0700);
    if (geteuid() != 0) {
        print_message("not root: another user's folder is not tried\n");
        return;
    }
    assert_int_equal(chown(folder, 12345, 12345), 0);
    must_not_open(TUTTI_ESYS, "it is another user's");
}

static void names_what_compiler_is_missing(void **state)
{
    char *path = strdup(getenv("PATH"));
    tutti_kernel *k;
    (void)state;
    write_source();
    setenv("CC", "no-such-compiler -O2", 1);
    must_not_open(TUTTI_ESYS, "CC is 'no-such-compiler -O2'");
    setenv("CC", "  ", 1);
    must_not_open(TUTTI_ESYS, "CC is '  '");
    setenv("CC", "a b c d e f g h i j k l m n o p q r", 1);
    must_not_open(TUTTI_ESYS, "CC is 'a b");
    setenv("CC", "/bin/false", 1);
    must_not_open(TUTTI_EARG, "it said nothing (/bin/false)");
    setenv("CC", "/bin/true", 1);
    must_not_open(TUTTI_EARG, "it said nothing (/bin/true)");
    setenv("CC", scratch_write("not-a-program", "\n"), 1);
    must_not_open(TUTTI_ESYS, "no program in PATH");
    chmod(scratch_path("not-a-program"), 0700);
    scratch_write("interpreter", "#!/absent/interpreter\n");
    chmod(scratch_path("interpreter"), 0700);
    setenv("CC", scratch_path("interpreter"), 1);
    must_not_open(TUTTI_ESYS, "cannot start the C compiler");
    unsetenv("CC");
    setenv("PATH", "", 1);
    must_not_open(TUTTI_ESYS, "no C compiler");
    unsetenv("PATH");
    must_not_open(TUTTI_ESYS, "apt-get install gcc");
    assert_int_equal(
        tutti_kernel_open(&k, "libm.so.6:cbrt", "double cbrt(double)"),
        TUTTI_OK);
    tutti_kernel_close(k);
    setenv("PATH", "/absent:", 1);
    must_not_open(TUTTI_ESYS, "no C compiler");
    setenv("PATH", path, 1);
    setenv("CC", "cc -DADD=5 -Wno-error", 1);
    scratch_write("k.c", "int f(int x) { return x + ADD; }\n");
    assert_int_equal(result_of("k.c"), 5);
    free(path);
}

/* Runs `body` in a child and passes on how it ended: 77 is a skip. */
static int in_child(void (*body)(void))
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        body();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void fill_the_disk(void)
{
    tutti_kernel *k = NULL;
    char small[256], size[32];
    strcpy(small, scratch_path("small"));
    /* From nothing at all to enough for everything. */
    for (int kib = 4; kib <= 256; kib += kib < 64 ? 4 : 64) {
        snprintf(size, sizeof size, "size=%dk", kib);
        if (mount("none", small, "tmpfs", 0, size) != 0)
            _exit(77);
        tutti_status status = tutti_kernel_open(&k, text_of("k.c"), NULL);
        if (status == TUTTI_OK)
            tutti_kernel_close(k);
        else if (status != TUTTI_ESYS ||
                 !strstr(tutti_detail(), "No space left on device"))
            _exit(printf("%d KiB: %s\n", kib, tutti_detail()) ? 1 : 2);
        if (kib == 4 && status == TUTTI_OK)
            _exit(printf("all of it fits into %d KiB\n", kib) ? 1 : 2);
        if (kib == 256 && status != TUTTI_OK)
            _exit(printf("%d KiB: %s\n", kib, tutti_detail()) ? 1 : 2);
        if (umount2(small, MNT_DETACH) != 0)
            _exit(3);
    }
}

static void enter_and_fill(void)
{
    if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
        _exit(77);
    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
    fill_the_disk();
}

static void says_that_the_disk_is_full(void **state)
{
    (void)state;
    write_source();
    assert_int_equal(mkdir(scratch_path("small"), 0700), 0);
    assert_int_equal(setenv("XDG_CACHE_HOME", scratch_path("small"), 1), 0);
    int rc = in_child(enter_and_fill);
    if (rc == 77)
        print_message("skipped: no file system may be mounted here\n");
    else
        assert_int_equal(rc, 0);
}

#define RACERS 64

static void races(void **state)
{
    int start[2];
    pid_t racers[RACERS];
    (void)state;
    write_source();
    assert_int_equal(pipe(start), 0);
    for (int i = 0; i < RACERS; i++) {
        racers[i] = fork();
        assert_true(racers[i] >= 0);
        if (racers[i] > 0)
            continue;
        char go;
        tutti_kernel *k = NULL;
        int32_t out = 0;
        close(start[1]);
        if (read(start[0], &go, 1) != 0)
            _exit(2);
        if (tutti_kernel_open(&k, text_of("k.c"), NULL) != TUTTI_OK)
            _exit(printf("%s\n", tutti_detail()) ? 1 : 2);
        if (tutti_kernel_map_range(k, &out, 4, 1, 1, NULL) != TUTTI_OK)
            _exit(3);
        _exit(out == 5 ? 0 : 4);
    }
    close(start[0]);
    close(start[1]);
    int failed = 0;
    for (int i = 0; i < RACERS; i++) {
        int status;
        assert_int_equal(waitpid(racers[i], &status, 0), racers[i]);
        failed += !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    }
    assert_int_equal(failed, 0);
    assert_int_equal(scratch_cached(".list", NULL, 0), 1);
    assert_int_equal(scratch_cached("", NULL, 0),
                     3 + scratch_cached(".so", NULL, 0));
}

static void stops_a_program_that_does_not_end(void **state)
{
    static struct tt_outcome outcome;
    char *sleeps[] = {"/bin/sh", "-c", "sleep 1000; true", NULL};
    char *floods[] = {"/bin/sh", "-c",
                      "head -c 300000 /dev/zero | tr '\\0' x >&2; exit 3",
                      NULL};
    char *asks[] = {"/bin/sh", "-c", "read x; echo \"$TMPDIR\" >&2", NULL};
    const char *folder = scratch_path("");
    (void)state;
    assert_int_equal(tt_compiler_run(&outcome, sleeps, folder, 0.2), TUTTI_OK);
    assert_true(outcome.killed);
    assert_false(outcome.done);
    assert_int_equal(tt_compiler_run(&outcome, floods, folder, 30), TUTTI_OK);
    assert_false(outcome.killed);
    assert_false(outcome.done);
    assert_int_equal(strlen(outcome.output), TT_COMPILER_OUTPUT - 1);
    assert_int_equal(tt_compiler_run(&outcome, asks, folder, 30), TUTTI_OK);
    assert_true(outcome.done);
    assert_memory_equal(outcome.output, folder, strlen(folder));
}

static void compiles_where_children_are_ignored(void **state)
{
    static struct tt_outcome outcome;
    char *asks[] = {"/bin/sh", "-c", "grep SigIgn: /proc/self/status >&2",
                    NULL};
    (void)state;
    write_source();
    void (*before)(int) = signal(SIGCHLD, SIG_IGN);
    assert_int_equal(tt_compiler_run(&outcome, asks, scratch_path(""), 30),
                     TUTTI_OK);
    unsigned long ignored =
        strtoul(outcome.output + strlen("SigIgn:"), NULL, 16);
    assert_int_equal(ignored >> (SIGCHLD - 1) & 1, 0);
    assert_int_equal(result_of("k.c"), 1);
    scratch_write("k.c", "int f(int x) { return y; }\n");
    must_not_open(TUTTI_EARG, "/k.c:1:");
    signal(SIGCHLD, before);
}

static tutti_status open_and_close(void *arg)
{
    tutti_kernel *k;
    char path[PATH_MAX];
    if (arg != NULL)
        while (scratch_cached(".list", path, sizeof path))
            unlink(path);
    tutti_status status = tutti_kernel_open(&k, text_of("k.c"), NULL);
    if (status == TUTTI_OK)
        tutti_kernel_close(k);
    return status;
}

static void survives_every_failed_call(void **state)
{
    int cold;
    (void)state;
    write_source();
    assert_true(tt_fault_each(open_and_close, &cold) > 5);
    assert_true(tt_fault_each(open_and_close, NULL) > 3);
    assert_int_equal(scratch_cached("", NULL, 0), 4);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_open, scratch_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(calls_the_compiler_once),
        TEST(sees_every_input),
        TEST(knows_headers_by_odd_names),
        TEST(gives_the_new_library_beside_the_old),
        TEST(trusts_no_header_of_now),
        TEST(makes_broken_files_again),
        TEST(removes_what_was_left),
        TEST(says_where_it_cannot_write),
        TEST(shares_the_folder_with_nobody),
        TEST(names_what_compiler_is_missing),
        TEST(says_that_the_disk_is_full),
        TEST(races),
        TEST(stops_a_program_that_does_not_end),
        TEST(compiles_where_children_are_ignored),
        TEST(survives_every_failed_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
