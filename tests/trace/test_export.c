#define _GNU_SOURCE /* unshare */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "made.h"

static const char *checker;
static char folder[] = "/tmp/tutti-trace-XXXXXX";
static char file[128];

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(file, sizeof file, "%s/trace.json", folder);
    return 0;
}

static unsigned files_in(const char *path)
{
    DIR *dir = opendir(path);
    unsigned count = 0;
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));)
        count += e->d_name[0] != '.';
    closedir(dir);
    return count;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(file);
    return rmdir(folder);
}

/* The file is JSON with `loops` loops that spent `ns` in tasks. */
static void check(size_t loops, uint64_t ns)
{
    char command[600];
    snprintf(command, sizeof command, "/usr/bin/python3 '%s' '%s' %zu %.3f",
             checker, file, loops, 1e-3 * (double)ns);
    assert_int_equal(system(command), 0);
    assert_int_equal(files_in(folder), 1);
}

static void no_loop_is_valid(void **state)
{
    (void)state;
    assert_int_equal(tutti_trace_write(file), TUTTI_OK);
    check(0, 0);
    struct stat there;
    mode_t mask = umask(0);
    umask(mask);
    assert_int_equal(stat(file, &there), 0);
    assert_int_equal(there.st_mode & 0777, 0666 & ~mask);
}

static void one_loop_is_valid(void **state)
{
    (void)state;
    tutti_report r = TUTTI_REPORT_INIT;
    snprintf(r.place, sizeof r.place, "threads \"\\\n\x01 \xe2\x96\x88");
    made_loop(1234567, 1, &r);
    assert_int_equal(tutti_trace_write(file), TUTTI_OK);
    check(1, 30000);
}

static void a_hundred_thousand_events_are_valid(void **state)
{
    (void)state;
    tutti_report r = TUTTI_REPORT_INIT;
    made_loop(2000000000, 50000, &r);
    assert_int_equal(tutti_trace_write(file), TUTTI_OK);
    check(2, 30000 + 50000 * 30000ull);
}

/* Ranges of 3 us between encodings of 2 us: merged, they would overlap. */
static void merged_kinds_do_not_overlap(void **state)
{
    (void)state;
    tutti_report r = TUTTI_REPORT_INIT;
    struct tt_lane *lane = &made_a;
    uint64_t began = 9000000000, now = began;
    tt_lane_init(lane, 0, TT_CLAIM, now);
    for (size_t i = 0; i < 10000; i++) {
        tt_lane_turn(lane, TT_ENCODE, now);
        tt_lane_turn(lane, TT_USER, now += 2000);
        tt_lane_range(lane, now, now + 3000, i, i + 1);
        tt_lane_turn(lane, TT_CLAIM, now += 3000);
        now += i % 700;
    }
    snprintf(r.place, sizeof r.place, "threads");
    tt_account(&r, &lane, 1, 1, began, now);
    tt_trace_end(&r, &lane, 1, began, now);
    assert_int_equal(tutti_trace_write(file), TUTTI_OK);
    check(3, 30000 + 50000 * 30000ull + 10000 * 3000);
}

/* A loop inside another has rows of its own. */
static void nested_loops_have_their_rows(void **state)
{
    (void)state;
    tutti_report inner = TUTTI_REPORT_INIT, outer = TUTTI_REPORT_INIT;
    uint64_t began = 20000000000;
    made_loop(began + 100000, 20, &inner);
    made_loop(began + 700000, 20, &inner);
    made_loop(began, 200, &outer);
    assert_int_equal(tutti_trace_write(file), TUTTI_OK);
    check(6, 30000 + 50000 * 30000ull + 10000 * 3000 + 240 * 30000);
    char text[200];
    snprintf(text, sizeof text, "grep -q 'nested 1, worker 1' %s", file);
    assert_int_equal(system(text), 0);
}

static void refused(const char *path, tutti_status status)
{
    unsigned before = files_in(folder);
    assert_int_equal(tutti_trace_write(path), status);
    if (path && path[0])
        assert_non_null(strstr(tutti_detail(), path));
    assert_int_equal(files_in(folder), before);
}

static void bad_paths_leave_nothing(void **state)
{
    (void)state;
    char path[200];
    refused(NULL, TUTTI_EARG);
    refused("", TUTTI_EARG);
    refused(folder, TUTTI_ESYS);
    snprintf(path, sizeof path, "%s/missing/trace.json", folder);
    refused(path, TUTTI_ESYS);
    snprintf(path, sizeof path, "%s/trace.json/x", folder);
    refused(path, TUTTI_ESYS);
    snprintf(path, sizeof path, "%s/pipe", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    refused(path, TUTTI_ESYS);
    assert_int_equal(unlink(path), 0);
    char *name = malloc(400);
    memset(name, 'x', 399);
    name[399] = 0;
    refused(name, TUTTI_ESYS);
    free(name);
}

/* In a file system of its own, too small for the trace: 0 when it is refused
 * and nothing is left; 77 when no such file system can be made. */
static int write_to_full(void)
{
    char path[200];
    if (unshare(CLONE_NEWNS) != 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", folder, "tmpfs", 0, "size=8k") != 0)
        return 77;
    snprintf(path, sizeof path, "%s/full.json", folder);
    if (tutti_trace_write(path) != TUTTI_ESYS || files_in(folder) != 0)
        return 1;
    return strstr(tutti_detail(), strerror(ENOSPC)) ? 0 : 2;
}

static void full_disk_leaves_nothing(void **state)
{
    (void)state;
    tutti_report r = TUTTI_REPORT_INIT;
    int result;
    made_loop(90000000000, 1000, &r);
    pid_t child = fork();
    if (!child) {
        made_loop(90000000000, 1000, &r);
        _exit(write_to_full());
    }
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFEXITED(result));
    if (WEXITSTATUS(result) == 77) {
        print_message("skipped: no small tmpfs can be mounted here\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(result), 0);
}

static void unwritable_folder_leaves_nothing(void **state)
{
    (void)state;
    int result;
    assert_int_equal(chmod(folder, 0500), 0);
    pid_t child = fork();
    if (!child) {
        if (geteuid() == 0 && setuid(65534) != 0)
            _exit(77);
        _exit(tutti_trace_write(file) == TUTTI_ESYS ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(chmod(folder, 0700), 0);
    assert_int_equal(files_in(folder), 1);
    assert_true(WIFEXITED(result));
    if (WEXITSTATUS(result) == 77)
        skip();
    assert_int_equal(WEXITSTATUS(result), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_loop_is_valid),
        cmocka_unit_test(one_loop_is_valid),
        cmocka_unit_test(a_hundred_thousand_events_are_valid),
        cmocka_unit_test(merged_kinds_do_not_overlap),
        cmocka_unit_test(nested_loops_have_their_rows),
        cmocka_unit_test(bad_paths_leave_nothing),
        cmocka_unit_test(full_disk_leaves_nothing),
        cmocka_unit_test(unwritable_folder_leaves_nothing),
    };
    checker = argc > 1 ? argv[1] : "tests/trace/check_trace.py";
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
