/* How loops end: failures, cancellation, deadlines, jobs, what is refused. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../seed.h"
#include "conformance.h"

static uint64_t some_us(size_t index, size_t n)
{
    (void)n;
    return index % 7 * 1000;
}

static uint64_t a_millisecond(size_t index, size_t n)
{
    (void)index;
    (void)n;
    return 1000000;
}

/* The lowest failing task is told, all below it ran, none twice. */
static void check_failure(const bool *fails, size_t n, size_t lowest,
                          size_t workers)
{
    struct tally *tally = tally_new(n);
    tutti_options options = conform_options();
    char want[80];
    options.workers = (unsigned)workers;
    tally->cost = some_us;
    tally->fails = fails;
    snprintf(want, sizeof want, "task %zu failed: index %zu is bad", lowest,
             lowest);
    assert_int_equal(tutti_for(tally_task, n, tally, 0, &options), TUTTI_ETASK);
    assert_string_equal(tutti_detail(), want);
    tally_ran(tally);
    for (size_t i = 0; i <= lowest; i++)
        assert_int_equal(tally->times[i], 1);
    tally_free(tally);
}

static void the_lowest_failure_is_told(void **state)
{
    (void)state;
    enum { n = 600 };
    uint64_t random = tt_seed();
    for (int turn = 0; turn < 100; turn++) {
        bool fails[n] = {false};
        size_t lowest = n;
        for (uint64_t count = 1 + tt_random(&random) % 9; count > 0; count--) {
            size_t index = tt_random(&random) % n;
            if (turn < 2)
                index = turn ? n - 1 : 0;
            fails[index] = true;
            lowest = index < lowest ? index : lowest;
        }
        check_failure(fails, n, lowest, tt_random(&random) % 6);
    }
}

/* Fails at one task of a range, silently. */
static size_t fail_at(void *context, size_t begin, size_t end, unsigned worker)
{
    size_t bad = *(const size_t *)context;
    (void)worker;
    return begin <= bad && bad < end ? bad : end;
}

static void failures_without_a_sentence(void **state)
{
    (void)state;
    static const size_t bad[] = {0, 1, 99, 4096};
    for (size_t i = 0; i < 4; i++)
        for (size_t unit = 0; unit < 3; unit++) {
            size_t n = unit == 2 ? SIZE_MAX : 5000;
            tutti_loop loop = {n, unit * 10, fail_at, (void *)&bad[i],
                               0, NULL,      NULL};
            tutti_options options = conform_options();
            char want[40];
            snprintf(want, sizeof want, "task %zu failed", bad[i]);
            assert_int_equal(tutti_loop_run(&loop, &options), TUTTI_ETASK);
            assert_string_equal(tutti_detail(), want);
        }
}

struct told {
    size_t calls, last, most;
    size_t cancel_at; /* call */
    bool backwards;
};

static int tell(void *arg, size_t done, size_t n)
{
    struct told *told = arg;
    told->backwards |= done < told->last || done > n;
    told->last = done;
    return ++told->calls == told->cancel_at;
}

static void progress_is_told_and_cancels(void **state)
{
    (void)state;
    for (size_t cancel_at = 0; cancel_at < 2; cancel_at++) {
        struct told told = {.cancel_at = cancel_at};
        struct tally *tally = tally_new(1000);
        tutti_report report = TUTTI_REPORT_INIT;
        tutti_options options = conform_options();
        options.progress = tell;
        options.progress_arg = &told;
        options.report = &report;
        tally->cost = cancel_at ? a_millisecond : some_us;
        tutti_status status = tutti_for(tally_task, 1000, tally, 0, &options);
        assert_int_equal(status, cancel_at ? TUTTI_ECANCEL : TUTTI_OK);
        assert_int_equal(tally_ran(tally), report.done);
        assert_int_equal(told.last, report.done);
        assert_true(cancel_at ? report.done < 1000 : report.done == 1000);
        assert_true(told.calls >= 1 + cancel_at && !told.backwards);
        tally_free(tally);
    }
}

/* A loop that did not run all its tasks says why, and one that did is fine. */
static void check_deadline(uint64_t (*cost)(size_t, size_t), size_t n,
                           double deadline)
{
    struct tally *tally = tally_new(n);
    tutti_report report = TUTTI_REPORT_INIT;
    tutti_options options = conform_options();
    options.deadline = deadline;
    options.report = &report;
    tally->cost = cost;
    tutti_status status = tutti_for(tally_task, n, tally, 0, &options);
    assert_int_equal(status, report.done < n ? TUTTI_ETIME : TUTTI_OK);
    assert_int_equal(tally_ran(tally), report.done);
    tally_free(tally);
}

static void deadlines(void **state)
{
    (void)state;
    uint64_t random = tt_seed();
    check_deadline(NULL, 1000, 1e9);
    check_deadline(NULL, 1000, INFINITY);
    check_deadline(NULL, 10000000, 1e-9);
    check_deadline(some_us, 100000, 0.02);
    check_deadline(a_millisecond, 500, 0.02);
    check_deadline(a_millisecond, 1, 1e-4);
    check_deadline(a_millisecond, 2, 1e-4);
    for (int turn = 0; turn < 60; turn++) {
        double most = 1e-9 * (double)(1 + tt_random(&random) % 600000);
        check_deadline(some_us, 1 + tt_random(&random) % 200, most);
    }
}

static void sleep_ns(uint64_t ns)
{
    nanosleep(&(struct timespec){0, (long)ns}, NULL);
}

static size_t tally_range(void *context, size_t begin, size_t end,
                          unsigned worker)
{
    (void)worker;
    while (begin < end && tally_task(begin, context) == 0)
        begin++;
    return begin;
}

static void jobs_are_cancelled_at_any_time(void **state)
{
    (void)state;
    uint64_t random = tt_seed();
    for (int turn = 0; turn < 200; turn++) {
        struct tally *tally = tally_new(400);
        tutti_loop loop = {.n = 400, .body = tally_range, .context = tally};
        tutti_report report = TUTTI_REPORT_INIT;
        tutti_options options = conform_options();
        tutti_job *job;
        options.report = &report;
        tally->cost = some_us;
        assert_int_equal(tutti_submit(&job, &loop, &options), TUTTI_OK);
        sleep_ns(tt_random(&random) % 1500000);
        if (turn % 4 == 0) {
            tutti_job_free(job);
        } else {
            if (turn % 4 != 1)
                tutti_job_cancel(job);
            tutti_status status = tutti_job_wait(job, -1);
            assert_true(tutti_job_done(job));
            assert_int_equal(status,
                             report.done < 400 ? TUTTI_ECANCEL : TUTTI_OK);
            assert_int_equal(tutti_job_wait(job, 0), status);
            tutti_job_cancel(job);
            tutti_job_free(job);
        }
        assert_int_equal(tally_ran(tally), report.done);
        tally_free(tally);
    }
    tutti_job_free(NULL);
}

struct waiter {
    tutti_job *job;
    tutti_status status;
    char detail[80];
};

static void *wait_for_it(void *arg)
{
    struct waiter *waiter = arg;
    waiter->status = tutti_job_wait(waiter->job, -1);
    snprintf(waiter->detail, sizeof waiter->detail, "%s", tutti_detail());
    return NULL;
}

static void jobs_have_many_waiters(void **state)
{
    (void)state;
    bool fails[50] = {[31] = true};
    struct tally *tally = tally_new(50);
    tutti_loop loop = {.n = 50, .body = tally_range, .context = tally};
    tutti_options options = conform_options();
    struct waiter waiters[3];
    pthread_t threads[3];
    tutti_job *job;
    tally->cost = a_millisecond;
    tally->fails = fails;
    assert_int_equal(tutti_submit(&job, &loop, &options), TUTTI_OK);
    for (int i = 0; i < 3; i++) {
        waiters[i].job = job;
        pthread_create(&threads[i], NULL, wait_for_it, &waiters[i]);
    }
    tutti_status early = tutti_job_wait(job, 0);
    assert_true(early == TUTTI_ETIME || tutti_job_done(job));
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(waiters[i].status, TUTTI_ETASK);
        assert_string_equal(waiters[i].detail,
                            "task 31 failed: index 31 is bad");
    }
    tutti_job_free(job);
    tally_free(tally);
}

static void refuse(const tutti_loop *loop, const tutti_options *options,
                   tutti_status want)
{
    tutti_job *job;
    assert_int_equal(tutti_loop_run(loop, options), want);
    assert_true(*tutti_detail());
    assert_null(strchr(tutti_detail(), '\n'));
    if (!loop || !loop->body)
        return;
    assert_int_equal(tutti_submit(&job, loop, options), TUTTI_OK);
    assert_int_equal(tutti_job_wait(job, -1), want);
    assert_true(*tutti_detail());
    tutti_job_free(job);
}

static void what_makes_no_sense_is_refused(void **state)
{
    (void)state;
    size_t bad = SIZE_MAX;
    tutti_loop loop = {.n = 9, .body = fail_at, .context = &bad}, none = {0};
    tutti_options options = conform_options();
    tutti_report report = TUTTI_REPORT_INIT;
    tutti_job *job;
    refuse(NULL, &options, TUTTI_EARG);
    refuse(&none, &options, TUTTI_EARG);
    assert_int_equal(tutti_submit(NULL, &loop, &options), TUTTI_EARG);
    assert_int_equal(tutti_submit(&job, NULL, &options), TUTTI_EARG);
    assert_int_equal(tutti_submit(&job, &none, &options), TUTTI_EARG);
    for (size_t wrong = 0; wrong < 3; wrong++) {
        static const double odd[] = {NAN, -1, -INFINITY};
        options.deadline = odd[wrong];
        refuse(&loop, &options, TUTTI_EARG);
    }
    options = conform_options();
    options.report = &report;
    report.size = 8;
    refuse(&loop, &options, TUTTI_EARG);
    /* Of a program that was compiled against a smaller struct. */
    uint32_t *small = malloc(16);
    *small = 16;
    refuse(&loop, (tutti_options *)small, TUTTI_EARG);
    free(small);
    options = conform_options();
    options.task_timeout = 1;
    options.on = "serial";
    refuse(&loop, &options, TUTTI_EARG);
}

CONFORM_PART(ends) = {
    cmocka_unit_test(the_lowest_failure_is_told),
    cmocka_unit_test(failures_without_a_sentence),
    cmocka_unit_test(progress_is_told_and_cancels),
    cmocka_unit_test(deadlines),
    cmocka_unit_test(jobs_are_cancelled_at_any_time),
    cmocka_unit_test(jobs_have_many_waiters),
    cmocka_unit_test(what_makes_no_sense_is_refused),
};
const size_t conform_ends_count = sizeof conform_ends / sizeof *conform_ends;
