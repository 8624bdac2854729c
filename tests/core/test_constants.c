/* The constants' file: whole, corrupt, foreign, not to be written. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"
#include "core/constants.h"
#include "core/folder.h"
#include "core/machine.h"
#include "core/settings.h"
#include "fault.h"

static char base[] = "/tmp/tutti-constants-XXXXXX";
static char file[64];

static void use_cache(const char *folder)
{
    setenv("XDG_CACHE_HOME", folder, 1);
    tt_settings_reload();
    tt_constants_reload();
}

static int fresh(void **state)
{
    (void)state;
    char command[80];
    snprintf(command, sizeof command, "rm -rf %s/*", base);
    use_cache(base);
    snprintf(file, sizeof file, "%s/tutti/constants", base);
    return system(command);
}

static size_t read_back(char *text, size_t size)
{
    FILE *f = fopen(file, "r");
    if (!f)
        return 0;
    size_t got = fread(text, 1, size - 1, f);
    text[got] = 0;
    fclose(f);
    return got;
}

static void put(const char *text, size_t size)
{
    FILE *f = fopen(file, "w");
    assert_non_null(f);
    fwrite(text, 1, size, f);
    assert_int_equal(fclose(f), 0);
}

static int files_in_cache(void)
{
    char command[128];
    snprintf(command, sizeof command,
             "exit $(ls -A %s/tutti 2>/dev/null | wc -l)", base);
    return WEXITSTATUS(system(command));
}

static void assert_near(double a, double b)
{
    assert_true(fabs(a - b) < 1e-3 * fabs(b));
}

static void learning(void **state)
{
    (void)state;
    assert_false(tt_constant_measured(TT_PROCESS_OPEN));
    double fallback = tt_constant(TT_PROCESS_OPEN);
    assert_true(fallback > 0);
    static const double bad[] = {0, -1, NAN, INFINITY, 1e9};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        tt_constant_learn(TT_PROCESS_OPEN, bad[i]);
    assert_false(tt_constant_measured(TT_PROCESS_OPEN));
    tt_constant_learn(TT_PROCESS_OPEN, 0.08);
    assert_near(tt_constant(TT_PROCESS_OPEN), 0.08);
    tt_constant_learn(TT_PROCESS_OPEN, 0.16);
    assert_near(tt_constant(TT_PROCESS_OPEN), 0.09);
    tt_constant_set(TT_PROCESS_OPEN, 0.1);
    tt_constant_learn(TT_PROCESS_OPEN, 50); /* a stall counts as 4 times */
    assert_near(tt_constant(TT_PROCESS_OPEN), 0.1375);
}

static void kept(void **state)
{
    (void)state;
    tt_constant_set(TT_FUTEX_WAKE, 12.5e-6);
    tt_constant_set(TT_CLOCK_READ, 27e-9);
    assert_int_equal(tt_constants_save(), TUTTI_OK);
    assert_int_equal(files_in_cache(), 1);
    tt_constants_reload();
    assert_near(tt_constant(TT_FUTEX_WAKE), 12.5e-6);
    assert_near(tt_constant(TT_CLOCK_READ), 27e-9);
    assert_true(tt_constant_measured(TT_CLOCK_READ));
    assert_false(tt_constant_measured(TT_THREAD_START));
}

/* Each shortened file, and each with a byte changed, is ignored or harmless. */
static void corrupt(void **state)
{
    (void)state;
    char good[1024], bad[1024];
    tt_constant_set(TT_THREAD_START, 3e-6);
    assert_int_equal(tt_constants_save(), TUTTI_OK);
    size_t size = read_back(good, sizeof good);
    assert_true(size > 0);
    double fallback = 20e-6;
    for (size_t cut = 0; cut < size - 1; cut++) {
        put(good, cut);
        tt_constants_reload();
        double now = tt_constant(TT_THREAD_START);
        assert_near(now, cut >= size - 1 ? 3e-6 : fallback);
    }
    for (size_t at = 0; at < size; at++) {
        memcpy(bad, good, size);
        bad[at] ^= 0x15;
        put(bad, size);
        tt_constants_reload();
        double now = tt_constant(TT_THREAD_START);
        assert_true(now > 0 && now < 100);
    }
    memset(bad, '9', sizeof bad);
    put(bad, sizeof bad);
    tt_constants_reload();
    assert_near(tt_constant(TT_THREAD_START), fallback);
    assert_int_equal(tt_constants_save(), TUTTI_OK); /* rewritten */
    assert_true(read_back(bad, sizeof bad) < size);
}

static void foreign(void **state)
{
    (void)state;
    char good[1024], text[1200];
    tt_constant_set(TT_THREAD_START, 3e-6);
    assert_int_equal(tt_constants_save(), TUTTI_OK);
    size_t size = read_back(good, sizeof good);
    char *colon = strchr(good, ':');
    snprintf(text, sizeof text, "%.*s: Other%s", (int)(colon - good), good,
             colon + 1);
    put(text, strlen(text));
    tt_constants_reload();
    assert_false(tt_constant_measured(TT_THREAD_START));
    snprintf(text, sizeof text, "%.*snews 7\nend\n", (int)size - 4, good);
    put(text, strlen(text)); /* a name of a later version */
    tt_constants_reload();
    assert_near(tt_constant(TT_THREAD_START), 3e-6);
    unlink(file);
    assert_int_equal(mkfifo(file, 0600), 0); /* must not wait for a writer */
    tt_constants_reload();
    assert_false(tt_constant_measured(TT_THREAD_START));
    unlink(file);
    assert_int_equal(mkdir(file, 0700), 0);
    tt_constants_reload();
    assert_false(tt_constant_measured(TT_THREAD_START));
    assert_int_equal(tt_constants_save(), TUTTI_ESYS);
    assert_int_equal(files_in_cache(), 1); /* nothing left behind */
}

static void assert_not_saved(const char *word)
{
    tt_constant_set(TT_THREAD_START, 4e-6);
    assert_int_equal(tt_constants_save(), TUTTI_ESYS);
    assert_non_null(strstr(tutti_detail(), word));
    assert_near(tt_constant(TT_THREAD_START), 4e-6);
}

static void unwritable(void **state)
{
    (void)state;
    use_cache("/proc/none");
    assert_not_saved("/proc/none/tutti");
    use_cache("/dev/null");
    assert_not_saved("Not a directory");
    setenv("HOME", "", 1);
    use_cache("");
    assert_not_saved("XDG_CACHE_HOME");
    if (geteuid() == 0)
        return; /* may write anywhere */
    assert_int_equal(chmod(base, 0500), 0);
    use_cache(base);
    assert_not_saved("Permission");
    assert_int_equal(chmod(base, 0700), 0);
}

static void full_disk(void **state)
{
    (void)state;
    char folder[40], path[80] = "";
    snprintf(folder, sizeof folder, "%s/full", base);
    assert_int_equal(mkdir(folder, 0700), 0);
    if (mount("none", folder, "tmpfs", 0, "size=4k") != 0) {
        print_message("skipped: no tmpfs can be mounted (%s)\n",
                      strerror(errno));
        skip();
    }
    use_cache(folder);
    snprintf(file, sizeof file, "%s/tutti/constants", folder);
    tt_constant_set(TT_THREAD_START, 3e-6);
    bool small = tt_constants_save() == TUTTI_OK;
    unlink(file);
    snprintf(path, sizeof path, "%s/filler", folder);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    bool filled = write(fd, path, sizeof path) == sizeof path;
    close(fd);
    tt_constant_set(TT_THREAD_START, 4e-6);
    tutti_status status = tt_constants_save();
    bool left = access(file, F_OK) == 0;
    umount(folder);
    assert_true(small && filled);
    assert_int_equal(status, TUTTI_ESYS);
    assert_false(left);
}

static void at_exit(void **state)
{
    (void)state;
    for (int learned = 0; learned < 2; learned++) {
        pid_t pid = fork();
        if (pid == 0) {
            if (learned)
                tt_constant_learn(TT_PROCESS_OPEN, 0.07);
            else
                tt_constant(TT_PROCESS_OPEN);
            exit(0);
        }
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        assert_int_equal(files_in_cache(), learned);
    }
    tt_constants_reload();
    assert_near(tt_constant(TT_PROCESS_OPEN), 0.07);
}

static void *ask(void *arg)
{
    for (int i = 0; i < 1000; i++) {
        tt_constant_learn(TT_FUTEX_WAKE, 5e-6);
        assert_true(tt_constant(TT_FUTEX_WAKE) > 0);
        if (i % 100 == 0)
            assert_int_equal(tt_constants_save(), TUTTI_OK);
    }
    return arg;
}

static void threads(void **state)
{
    (void)state;
    pthread_t thread[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, ask, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(thread[i], NULL);
    assert_int_equal(files_in_cache(), 1);
    tt_constants_reload();
    assert_near(tt_constant(TT_FUTEX_WAKE), 5e-6);
}

static void measured(void **state)
{
    (void)state;
    uint64_t from = tt_clock();
    assert_int_equal(tt_constants_measure(), TUTTI_OK);
    print_message("measured in %.1f ms:", (double)(tt_clock() - from) / 1e6);
    for (int i = 0; i < TT_CONSTANTS; i++) {
        assert_int_equal(tt_constant_measured(i), i != TT_PROCESS_OPEN);
        print_message(" %s %.3g", tt_constant_name(i), tt_constant(i));
    }
    print_message("\n");
    assert_int_equal(files_in_cache(), 1);
}

static tutti_status measure(void *arg)
{
    (void)arg;
    tt_constants_reload();
    return tt_constants_measure();
}

static void faults(void **state)
{
    (void)state;
    assert_true(tt_fault_each(measure, NULL) >= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(learning, fresh),
        cmocka_unit_test_setup(kept, fresh),
        cmocka_unit_test_setup(corrupt, fresh),
        cmocka_unit_test_setup(foreign, fresh),
        cmocka_unit_test_setup(unwritable, fresh),
        cmocka_unit_test_setup(full_disk, fresh),
        cmocka_unit_test_setup(at_exit, fresh),
        cmocka_unit_test_setup(threads, fresh),
        cmocka_unit_test_setup(measured, fresh),
        cmocka_unit_test_setup(faults, fresh),
    };
    if (!mkdtemp(base))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    fresh(NULL);
    rmdir(base);
    return failed;
}
