/* The place "processes": answers, failures of tasks and of messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tutti/sys/caller.h>

#include "core/clock.h"
#include "place/processes/pool.h"
#include "squares.h"

static void test_squares(void **state)
{
    static const size_t sizes[] = {0, 1, 2, 3, 7, 100, 10000, 300000};
    tutti_place *place = open_place("processes:3");
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        check_run(sizes[i], place);
    tutti_place_close(place);
}

static void test_units(void **state)
{
    tutti_place *place = open_place("processes:2");
    struct work w;
    (void)state;
    work_init(&w, 1003);
    tutti_loop loop = loop_of(&w);
    tutti_options options = usual;
    loop.unit = 10;
    options.place = place;
    assert_int_equal(tutti_loop_run(&loop, &options), TUTTI_OK);
    check_squares(&w);
    work_fini(&w);
    tutti_place_close(place);
}

static void test_report(void **state)
{
    tutti_place *place = open_place("processes:2");
    struct work w;
    tutti_report report = TUTTI_REPORT_INIT;
    tutti_options options = usual;
    (void)state;
    work_init(&w, 40);
    for (size_t i = 0; i < w.n; i++)
        w.items[i] = (struct item){ACT_SLEEP, (int64_t)i / 8};
    options.report = &report;
    assert_int_equal(run(&w, place, options), TUTTI_OK);
    assert_int_equal(report.done, 40);
    assert_true(report.joined >= 1 && report.joined <= 2);
    double least = 8 * (1 + 2 + 3 + 4) * 1e-3;
    if (report.user < least)
        fail_msg("user %g s, at least %g", report.user, least);
    work_fini(&w);
    tutti_place_close(place);
}

static void test_deaths(void **state)
{
    static const struct {
        int64_t act;
        const char *says;
    } cases[] = {{ACT_CRASH, "was killed by signal 11 (SIGSEGV) while it ran"},
                 {ACT_EXIT, "ended with status 7 while it ran"},
                 {ACT_END, "ended with status 1 while it ran"},
                 {ACT_NONSENSE, "gave no valid answer"}};
    tutti_place *place = open_place("processes:2");
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(run_bad(place, cases[i].act, 1, 0, usual),
                         TUTTI_ELOST);
        expect_detail(cases[i].says);
        expect_detail("while it ran task 0");
        assert_int_equal(run_bad(place, cases[i].act, 50, 31, usual),
                         TUTTI_ELOST);
        expect_detail(cases[i].says);
        check_run(20, place);
    }
    tutti_place_close(place);
}

/* A loss is told at once: what runs below it is not waited for. */
static void test_death_ends_loop(void **state)
{
    tutti_place *place = open_place("processes:2");
    struct work w;
    (void)state;
    work_init(&w, 2);
    w.items[0].act = ACT_HANG;
    w.items[1].act = ACT_CRASH;
    assert_int_equal(run(&w, place, usual), TUTTI_ELOST);
    expect_detail("while it ran task 1");
    work_fini(&w);
    check_run(20, place);
    tutti_place_close(place);
}

static void test_task_fails(void **state)
{
    tutti_place *place = open_place("processes:3");
    struct work w;
    (void)state;
    for (size_t bad = 0; bad < 400; bad += 57) {
        work_init(&w, 400);
        w.items[bad].act = w.items[399].act = ACT_FAIL;
        assert_int_equal(run(&w, place, usual), TUTTI_ETASK);
        char says[80];
        snprintf(says, sizeof says, "task %zu failed: told to fail", bad);
        assert_string_equal(tutti_detail(), says);
        for (size_t i = 0; i < bad; i++)
            assert_int_equal(w.results[i], i * i);
        work_fini(&w);
    }
    tutti_place_close(place);
}

static void test_retries(void **state)
{
    char once[] = "/tmp/tutti-once-XXXXXX";
    tutti_place *place = open_place("processes:2");
    struct work w;
    tutti_options options = usual;
    (void)state;
    close(mkstemp(once));
    options.retries = 1;
    for (int i = 0; i < 5; i++) {
        unlink(once);
        work_init(&w, 30);
        w.once = once;
        w.items[17].act = ACT_ONCE;
        if (run(&w, place, options))
            fail_msg("%s", tutti_detail());
        check_squares(&w);
        work_fini(&w);
    }
    unlink(once);
    assert_int_equal(run_bad(place, ACT_CRASH, 30, 17, options), TUTTI_ELOST);
    tutti_place_close(place);
}

static void test_timeout(void **state)
{
    tutti_place *place = open_place("processes:2");
    tutti_options options = usual;
    (void)state;
    options.task_timeout = 0.2;
    for (int i = 0; i < 3; i++) {
        uint64_t from = tt_clock();
        assert_int_equal(run_bad(place, ACT_HANG, 20, 11, options),
                         TUTTI_ETIME);
        expect_detail("task 11 took longer than the 0.2 s");
        assert_true(tt_clock() - from >= 200000000u);
        check_run(20, place);
    }
    tutti_place_close(place);
}

static void test_deadline(void **state)
{
    tutti_place *place = open_place("processes:2");
    tutti_options options = usual;
    (void)state;
    options.deadline = 0.2;
    assert_int_equal(run_bad(place, ACT_HANG, 20, 11, options), TUTTI_ETIME);
    check_run(20, place);
    tutti_place_close(place);
}

static void test_cancel(void **state)
{
    tutti_place *place = open_place("processes:2");
    struct work w;
    (void)state;
    for (int i = 0; i < 20; i++) {
        work_init(&w, 100);
        for (size_t k = 0; k < w.n; k++)
            w.items[k] = (struct item){i % 2 ? ACT_HANG : ACT_SLEEP, 20};
        tutti_loop loop = loop_of(&w);
        tutti_options options = usual;
        tutti_job *job;
        options.place = place;
        assert_int_equal(tutti_submit(&job, &loop, &options), TUTTI_OK);
        usleep((useconds_t)(i * 5000));
        tutti_job_cancel(job);
        assert_int_equal(tutti_job_wait(job, 30), TUTTI_ECANCEL);
        tutti_job_free(job);
        work_fini(&w);
    }
    check_run(100, place);
    tutti_place_close(place);
}

static void test_not_sendable(void **state)
{
    tutti_place *place = open_place("processes:2");
    struct work w;
    (void)state;
    work_init(&w, 50);
    w.bad_item = 33;
    assert_int_equal(run(&w, place, usual), TUTTI_EARG);
    assert_string_equal(
        tutti_detail(),
        "task 33 cannot be sent to a worker: item 33 cannot travel");
    for (size_t i = 0; i < 33; i++)
        assert_int_equal(w.results[i], i * i);
    work_fini(&w);

    work_init(&w, 50);
    w.bad_job = true;
    assert_int_equal(run(&w, place, usual), TUTTI_EARG);
    assert_string_equal(tutti_detail(), "the job cannot travel");
    work_fini(&w);
    tutti_place_close(place);
}

static void test_no_memory_to_send(void **state)
{
    tutti_place *place = open_place("processes:2");
    struct work w;
    (void)state;
    work_init(&w, 500);
    w.most = 1;
    if (run(&w, place, usual))
        fail_msg("%s", tutti_detail());
    check_squares(&w);

    tutti_loop loop = loop_of(&w);
    tutti_options options = usual;
    loop.unit = 2;
    options.place = place;
    assert_int_equal(tutti_loop_run(&loop, &options), TUTTI_EMEM);
    assert_string_equal(
        tutti_detail(),
        "task 0 cannot be sent to a worker: no memory for 2 items");
    work_fini(&w);
    tutti_place_close(place);
}

static void test_refused(void **state)
{
    tutti_place *place = open_place("processes:2");
    struct work w;
    (void)state;
    work_init(&w, 50);
    w.job = JOB_REFUSE;
    assert_int_equal(run(&w, place, usual), TUTTI_EPLACE);
    expect_detail("cannot run this function: it was told to refuse");
    w.job = JOB_CRASH;
    assert_int_equal(run(&w, place, usual), TUTTI_ELOST);
    expect_detail("(SIGSEGV) while it prepared for the function");
    w.job = JOB_FINE;
    assert_int_equal(run(&w, place, usual), TUTTI_OK);
    work_fini(&w);
    tutti_place_close(place);
}

/* Each of four seats loses one worker before any serves. */
static void test_crash_together(void **state)
{
    char times[] = "/tmp/tutti-times-XXXXXX";
    tutti_place *place = open_place("processes:4");
    struct work w;
    (void)state;
    close(mkstemp(times));
    work_init(&w, 50);
    w.job = JOB_CRASH_4;
    w.once = times;
    if (run(&w, place, usual))
        fail_msg("%s", tutti_detail());
    check_squares(&w);
    unlink(times);
    work_fini(&w);
    tutti_place_close(place);
}

/* What its worker cannot read comes again in units, of which the last is short;
 * a unit that cannot be read fails, and costs no worker. */
static void test_unread(void **state)
{
    tutti_place *place = open_place("processes:1");
    tutti_options options = usual;
    struct work w;
    (void)state;
    work_init(&w, 1005);
    for (size_t i = 0; i < w.n; i++)
        w.items[i] = (struct item){ACT_UNREAD, 10};
    w.items[0].act = ACT_PID;
    tutti_loop loop = loop_of(&w);
    loop.unit = 10;
    options.place = place;
    options.deadline = 60;
    if (tutti_loop_run(&loop, &options))
        fail_msg("%s", tutti_detail());
    for (size_t i = 1; i < w.n; i++)
        assert_int_equal(w.results[i], 100);
    int64_t pid = w.results[0];
    w.items[1002].value = 4;
    assert_int_equal(tutti_loop_run(&loop, &options), TUTTI_ESYS);
    expect_detail("cannot read the items of tasks 1000..1004");
    assert_int_equal(w.results[0], pid);
    work_fini(&w);
    tutti_place_close(place);
}

/* A caller that runs tasks itself goes on when nothing can be sent. */
static void run_as_caller(struct work *w)
{
    tutti_loop loop = loop_of(w);
    tutti_run *r;
    size_t begin, end;
    assert_int_equal(tutti_run_begin(&r, &loop, NULL), TUTTI_OK);
    while (tutti_run_claim(r, &begin, &end))
        for (; begin < end; begin++) {
            usleep(2000);
            w->results[begin] = w->items[begin].value * w->items[begin].value;
        }
    tutti_status status = tutti_run_end(r);
    if (status)
        fail_msg("%s", tutti_detail());
    check_squares(w);
}

/* The pids that `n` loops of a kept job ran in; how many. */
static size_t pids_of(tutti_place *place, int64_t job, int n)
{
    struct work w;
    tutti_message keeping = message;
    int64_t seen[20];
    size_t count = 0;
    keeping.keeps = true;
    for (int i = 0; i < n; i++) {
        work_init(&w, 1);
        w.job = job;
        w.items[0].act = ACT_PID;
        tutti_loop loop = loop_of(&w);
        tutti_options options = usual;
        loop.message = &keeping;
        options.place = place;
        assert_int_equal(tutti_loop_run(&loop, &options), TUTTI_OK);
        bool known = false;
        for (size_t k = 0; k < count; k++)
            known |= seen[k] == w.results[0];
        if (!known)
            seen[count++] = w.results[0];
        work_fini(&w);
    }
    return count;
}

/* Loops whose job is the same ask their workers whether they still have it; one
 * that has not is replaced, and nothing is lost. */
static void test_kept(void **state)
{
    tutti_place *place = open_place("processes:1");
    (void)state;
    assert_int_equal(pids_of(place, JOB_FINE, 9), 1);
    assert_int_equal(pids_of(place, JOB_FORGETS, 5), 5);
    assert_int_equal(pids_of(place, JOB_FINE, 9), 1);
    tutti_place_close(place);
}

static void test_automatic(void **state)
{
    struct work w;
    (void)state;
    for (int i = 0; i < 6; i++) {
        work_init(&w, i < 4 ? 200 : 2);
        w.bad_job = i == 1;
        w.bad_item = i == 2 || i == 4 ? w.n - 1 : SIZE_MAX;
        w.job = i == 3 ? JOB_REFUSE : JOB_FINE;
        run_as_caller(&w);
        work_fini(&w);
    }
}

static void test_no_command(void **state)
{
    static const char *const absent[] = {"/nonexistent/python", NULL};
    static const char *const fails[] = {SQUARER, "fail", NULL};
    tutti_place *place = open_place("processes:2");
    struct work w;
    (void)state;
    for (int i = 0; i < 2; i++) {
        tutti_message other = message;
        other.command = i ? fails : absent;
        work_init(&w, 50);
        tutti_loop loop = loop_of(&w);
        loop.message = &other;
        tutti_options options = usual;
        options.place = place;
        assert_int_equal(tutti_loop_run(&loop, &options), TUTTI_ESYS);
        expect_detail(i ? "ended with status 3 before a worker served"
                        : "cannot be started: No such file");
        work_fini(&w);
    }
    check_run(50, place);
    tutti_place_close(place);
}

/* What never serves is given up, also when it was the last that the feeder
 * did before it slept: one seat, so nothing else wakes it. */
static void test_start_limit(void **state)
{
    static const char *const stalls[] = {SQUARER, "stall", NULL};
    static const char *const mute[] = {SQUARER, "mute", NULL};
    tutti_place *place = open_place("processes:8");
    (void)state;
    check_run(1, place);
    for (int i = 0; i < 2; i++) {
        tutti_message other = message;
        tutti_options options = usual;
        struct work w;
        other.command = i ? mute : stalls;
        work_init(&w, 1);
        tutti_loop loop = loop_of(&w);
        loop.message = &other;
        options.place = place;
        options.deadline = 15;
        tt_pool_start_ns = 1000000000u;
        assert_int_equal(tutti_loop_run(&loop, &options), TUTTI_ESYS);
        expect_detail("did not start in time");
        tt_pool_start_ns = 30000000000u;
        work_fini(&w);
    }
    check_run(1, place);
    tutti_place_close(place);
}

static void test_large(void **state)
{
    tutti_place *place = open_place("processes:2");
    struct work w;
    (void)state;
    work_init(&w, 6);
    w.padding = 64u << 20;
    if (run(&w, place, usual))
        fail_msg("%s", tutti_detail());
    check_squares(&w);
    work_fini(&w);
    tutti_place_close(place);
}

static void *run_many(void *arg)
{
    for (int i = 0; i < 30; i++)
        check_run((size_t)(50 * i), arg);
    return NULL;
}

static void test_many_callers(void **state)
{
    tutti_place *place = open_place("processes:2");
    pthread_t threads[4];
    (void)state;
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, run_many, place);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    tutti_place_close(place);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_squares),
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_report),
        cmocka_unit_test(test_deaths),
        cmocka_unit_test(test_death_ends_loop),
        cmocka_unit_test(test_task_fails),
        cmocka_unit_test(test_retries),
        cmocka_unit_test(test_timeout),
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_not_sendable),
        cmocka_unit_test(test_no_memory_to_send),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_crash_together),
        cmocka_unit_test(test_unread),
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_automatic),
        cmocka_unit_test(test_no_command),
        cmocka_unit_test(test_start_limit),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_many_callers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
