/* The place "processes": ranges that leave before their worker is prepared. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "squares.h"

static char once[] = "/tmp/tutti-ahead-XXXXXX";

/* A place of one worker that has had a job. */
static tutti_place *warm_place(int64_t *pid)
{
    tutti_place *place = open_place("processes:1");
    struct work w;
    work_init(&w, 1);
    w.items[0].act = ACT_PID;
    assert_int_equal(run(&w, place, usual), TUTTI_OK);
    *pid = w.results[0];
    work_fini(&w);
    unlink(once);
    return place;
}

/* Whether its worker is `pid`, which it may have been or not. */
static bool lives(tutti_place *place, int64_t pid)
{
    struct work w;
    work_init(&w, 1);
    w.items[0].act = ACT_PID;
    assert_int_equal(run(&w, place, usual), TUTTI_OK);
    bool same = w.results[0] == pid;
    work_fini(&w);
    return same;
}

/* None of the tasks is run, and the worker is as good as before. */
static void test_refused(void **state)
{
    int64_t pid;
    tutti_place *place = warm_place(&pid);
    struct work w;
    (void)state;
    work_init(&w, 2);
    w.job = JOB_REFUSE;
    w.once = once;
    w.items[0].act = w.items[1].act = ACT_ONCE;
    assert_int_equal(run(&w, place, usual), TUTTI_EPLACE);
    expect_detail("cannot run this function: it was told to refuse");
    assert_int_equal(access(once, F_OK), -1);
    assert_true(lives(place, pid));
    work_fini(&w);
    tutti_place_close(place);
}

/* The task that waited for it is not to blame: it runs in the next worker. */
static void test_crash(void **state)
{
    int64_t pid;
    tutti_place *place = warm_place(&pid);
    struct work w;
    (void)state;
    work_init(&w, 5);
    w.job = JOB_CRASH_ONCE;
    w.once = once;
    if (run(&w, place, usual))
        fail_msg("%s", tutti_detail());
    check_squares(&w);
    assert_false(lives(place, pid));
    w.job = JOB_CRASH;
    assert_int_equal(run(&w, place, usual), TUTTI_ELOST);
    expect_detail("(SIGSEGV) while it prepared for the function");
    work_fini(&w);
    tutti_place_close(place);
}

/* A worker that stops while it prepares is replaced, as it runs no task. */
static void test_stop(void **state)
{
    int64_t pid;
    tutti_place *place = warm_place(&pid);
    tutti_options options = usual;
    struct work w;
    (void)state;
    work_init(&w, 5);
    w.job = JOB_STOP_ONCE;
    w.once = once;
    options.deadline = 20;
    if (run(&w, place, options))
        fail_msg("%s", tutti_detail());
    check_squares(&w);
    assert_false(lives(place, pid));
    work_fini(&w);
    tutti_place_close(place);
}

/* Nor is lost what a worker still ran that was given up, and whose zygote could
 * not kill it: no task is run twice. */
static void test_halted(void **state)
{
    static const char *const command[] = {SQUARER, "halts", NULL};
    tutti_place *place = open_place("processes:1");
    tutti_options options = usual;
    tutti_message other = message;
    struct work w;
    struct stat file;
    (void)state;
    other.command = command;
    work_init(&w, 5);
    tutti_loop loop = loop_of(&w);
    loop.message = &other;
    options.place = place;
    options.deadline = 60;
    assert_int_equal(tutti_loop_run(&loop, &options), TUTTI_OK);
    unlink(once);
    for (size_t i = 0; i < w.n; i++)
        w.items[i].act = ACT_COUNT;
    w.job = JOB_STOP_ONCE;
    w.once = once;
    if (tutti_loop_run(&loop, &options))
        fail_msg("%s", tutti_detail());
    check_squares(&w);
    assert_int_equal(stat(once, &file), 0);
    assert_int_equal(file.st_size, w.n);
    work_fini(&w);
    tutti_place_close(place);
}

/* What a task may take does not include the time before it. */
static void test_timeout(void **state)
{
    int64_t pid;
    tutti_place *place = warm_place(&pid);
    tutti_options options = usual;
    struct work w;
    (void)state;
    work_init(&w, 3);
    w.job = JOB_SLOW_ONCE;
    w.once = once;
    options.task_timeout = 0.2;
    if (run(&w, place, options))
        fail_msg("%s", tutti_detail());
    check_squares(&w);
    assert_true(lives(place, pid));
    work_fini(&w);
    tutti_place_close(place);
}

static void test_cancel(void **state)
{
    int64_t pid;
    tutti_place *place = warm_place(&pid);
    tutti_options options = usual;
    tutti_job *job;
    struct work w;
    (void)state;
    work_init(&w, 5);
    w.job = JOB_HANG_ONCE;
    w.once = once;
    options.place = place;
    tutti_loop loop = loop_of(&w);
    assert_int_equal(tutti_submit(&job, &loop, &options), TUTTI_OK);
    while (access(once, F_OK))
        usleep(1000);
    tutti_job_cancel(job);
    assert_int_equal(tutti_job_wait(job, 30), TUTTI_ECANCEL);
    tutti_job_free(job);
    assert_false(lives(place, pid));
    work_fini(&w);
    tutti_place_close(place);
}

/* A loop of a job that its worker may keep; the worker's pid. */
static int64_t run_kept(tutti_place *place, int64_t job, int64_t act,
                        tutti_status expected)
{
    tutti_message keeping = message;
    tutti_options options = usual;
    struct work w;
    keeping.keeps = true;
    work_init(&w, 1);
    w.job = job;
    w.once = once;
    w.items[0].act = act;
    options.place = place;
    options.task_timeout = 2;
    tutti_loop loop = loop_of(&w);
    loop.message = &keeping;
    assert_int_equal(tutti_loop_run(&loop, &options), expected);
    int64_t result = w.results[0];
    work_fini(&w);
    return result;
}

/* One that was to keep its job fails at it: nor is that a task's fault. A task
 * behind such a job is to blame for what it does. */
static void test_again(void **state)
{
    int64_t pid;
    tutti_place *place = warm_place(&pid);
    (void)state;
    for (int64_t job = JOB_CRASH_AGAIN; job <= JOB_HANG_AGAIN; job++) {
        pid = run_kept(place, job, ACT_PID, TUTTI_OK);
        assert_int_not_equal(run_kept(place, job, ACT_PID, TUTTI_OK), pid);
        unlink(once);
    }
    run_kept(place, JOB_FINE, ACT_PID, TUTTI_OK);
    run_kept(place, JOB_FINE, ACT_CRASH, TUTTI_ELOST);
    expect_detail("(SIGSEGV) while it ran task 0");
    run_kept(place, JOB_FINE, ACT_PID, TUTTI_OK);
    run_kept(place, JOB_FINE, ACT_HANG, TUTTI_ETIME);
    expect_detail("task 0 took longer than the 2 s");
    tutti_place_close(place);
}

/* Its time until it was prepared is no task's. */
static void test_report(void **state)
{
    int64_t pid;
    tutti_place *place = warm_place(&pid);
    tutti_options options = usual;
    tutti_report report = TUTTI_REPORT_INIT;
    struct work w;
    (void)state;
    work_init(&w, 3);
    w.job = JOB_SLOW_ONCE;
    w.once = once;
    options.report = &report;
    assert_int_equal(run(&w, place, options), TUTTI_OK);
    assert_true(report.startup > 0.5 && report.copy < 0.3);
    assert_true(lives(place, pid));
    work_fini(&w);
    tutti_place_close(place);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    close(mkstemp(once));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_halted),  cmocka_unit_test(test_refused),
        cmocka_unit_test(test_crash),   cmocka_unit_test(test_stop),
        cmocka_unit_test(test_timeout), cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_report),  cmocka_unit_test(test_again),
    };
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(once);
    return failures;
}
