/* Forks while other threads compile and load: a child never hangs, and never
 * holds its parent up. One that does hang is killed by its alarm. */
#define _GNU_SOURCE
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <tutti/expect.h>
#include <tutti/kernel.h>

#include "child.h"
#include "core/load.h"
#include "scratch.h"
#include "seed.h"

#define SECONDS 30 /* for a child; none needs them */

static const char *const sum = "double f(int n, const double *x)\n"
                               "{ double s = 0; for (int i = 0; i < n; i++) "
                               "s += x[i]; return s; }\n";

/* A script runs before the compiler does. */
static void compile_by(const char *script)
{
    char text[600];
    scratch_count_compilers();
    snprintf(text, sizeof text, "#!/bin/sh\n%s\nexec %s \"$@\"\n", script,
             getenv("CC"));
    const char *path = scratch_write("slow", text);
    assert_int_equal(chmod(path, 0700), 0);
    assert_int_equal(setenv("CC", path, 1), 0);
}

/* Of n coordinates: compiled for them, then drawn. */
static bool expects(tutti_kernel *k, size_t n)
{
    static const double box[] = {0, 1, 0, 1, 0, 1, 0, 1,
                                 0, 1, 0, 1, 0, 1, 0, 1};
    tutti_expect_options how = TUTTI_EXPECT_OPTIONS_INIT;
    tutti_options options = TUTTI_OPTIONS_INIT;
    tutti_expectation e;
    how.samples = 512;
    options.on = "serial";
    return tutti_expect(&e, k, box, n, &how, &options) == TUTTI_OK;
}

struct drawing {
    tutti_kernel *kernel;
    size_t n;
};

static void *draw(void *arg)
{
    struct drawing *d = arg;
    return expects(d->kernel, d->n) ? NULL : arg;
}

static void a_thread_compiles(void **state)
{
    struct drawing drawing;
    pthread_t thread;
    void *bad;
    (void)state;
    compile_by("sleep 0.1");
    assert_int_equal(tutti_kernel_text(&drawing.kernel, sum, NULL), TUTTI_OK);
    for (drawing.n = 1; drawing.n < 5; drawing.n++) {
        size_t before = scratch_compilers();
        pthread_create(&thread, NULL, draw, &drawing);
        while (scratch_compilers() == before)
            usleep(1000);
        pid_t child = fork();
        if (child == 0) {
            alarm(SECONDS);
            _exit(expects(drawing.kernel, drawing.n) ? 0 : 1);
        }
        pthread_join(thread, &bad);
        check_child(child);
        assert_null(bad);
    }
    tutti_kernel_close(drawing.kernel);
}

static void threads_build_one_kernel(void **state)
{
    struct drawing drawing[6];
    pthread_t threads[6];
    tutti_kernel *k;
    (void)state;
    for (size_t turn = 0; turn < 5; turn++) {
        void *bad, *all = NULL;
        assert_int_equal(tutti_kernel_text(&k, sum, NULL), TUTTI_OK);
        for (size_t i = 0; i < 6; i++) {
            drawing[i] = (struct drawing){k, 1 + i / 2};
            pthread_create(&threads[i], NULL, draw, &drawing[i]);
        }
        for (size_t i = 0; i < 6; i++) {
            pthread_join(threads[i], &bad);
            all = bad ? bad : all;
        }
        assert_null(all);
        tutti_kernel_close(k);
    }
}

static _Atomic bool stop;

static bool loads(void)
{
    tutti_kernel *k;
    double x = 2, y = 0;
    if (tutti_kernel_text(&k, "double f(double x) { return x * x; }", NULL))
        return false;
    tutti_status status = tutti_kernel_call(k, &y, 1, &x, 1, 1);
    tutti_kernel_close(k);
    return status == TUTTI_OK && y == 4;
}

static void *load_on(void *arg)
{
    while (!stop)
        if (!loads())
            return arg;
    return NULL;
}

static void threads_load(void **state)
{
    pthread_t threads[2];
    uint64_t random = tt_seed();
    void *bad;
    (void)state;
    assert_true(loads());
    stop = false;
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, load_on, &stop);
    for (int turn = 0; turn < 200; turn++) {
        usleep(tt_random(&random) % 1000);
        pid_t child = fork();
        if (child == 0) {
            alarm(SECONDS);
            _exit(loads() ? 0 : 1);
        }
        check_child(child);
    }
    stop = true;
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], &bad);
        assert_null(bad);
    }
}

/* Loads for longer than a fork waits. */
static void *load_long(void *arg)
{
    int *ends = arg;
    char byte = 0;
    assert_int_equal(tt_load_begin(), TUTTI_OK);
    assert_int_equal(write(ends[3], &byte, 1), 1);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    tt_load_end();
    return NULL;
}

static void a_fork_does_not_wait_for_ever(void **state)
{
    int ends[4];
    char byte = 0;
    pthread_t thread;
    (void)state;
    assert_true(loads());
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(pipe(ends + 2), 0);
    pthread_create(&thread, NULL, load_long, ends);
    assert_int_equal(read(ends[2], &byte, 1), 1);
    pid_t child = fork();
    if (child == 0) {
        alarm(SECONDS);
        _exit(!loads() && strstr(tutti_detail(), "it was forked") ? 0 : 1);
    }
    assert_int_equal(write(ends[1], &byte, 1), 1);
    check_child(child);
    pthread_join(thread, NULL);
    assert_true(loads());
    for (int i = 0; i < 4; i++)
        close(ends[i]);
}

/* As a server that the compiler starts, or a child that was forked meanwhile:
 * its pipe stays open. */
static void somebody_keeps_the_pipe(void **state)
{
    char script[300];
    int pid = 0;
    (void)state;
    snprintf(script, sizeof script, "sleep 600 & echo $! > %s",
             scratch_path("server"));
    compile_by(script);
    alarm(SECONDS);
    bool good = loads();
    alarm(0);
    FILE *file = fopen(scratch_path("server"), "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%d", &pid), 1);
    fclose(file);
    kill(pid, SIGKILL);
    if (!good)
        fail_msg("%s", tutti_detail());
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, scratch_open, scratch_close)

int main(void)
{
    const struct CMUnitTest threads[] = {TEST(threads_build_one_kernel)};
    const struct CMUnitTest forks[] = {
        TEST(a_thread_compiles),
        TEST(threads_load),
        TEST(a_fork_does_not_wait_for_ever),
        TEST(somebody_keeps_the_pipe),
    };
    int failed = cmocka_run_group_tests(threads, NULL, NULL);
    if (failed || SANITIZED)
        return failed;
    return cmocka_run_group_tests(forks, NULL, NULL);
}
