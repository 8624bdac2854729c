/* Jobs, progress, and what a loop refuses, in every place. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "seed.h"
#include "tally.h"

static const char *on;

static tutti_options options_here(void)
{
    tutti_options options = TUTTI_OPTIONS_INIT;
    options.on = on;
    return options;
}

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
        tutti_options options = options_here();
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

static void sleep_ns(uint64_t ns)
{
    nanosleep(&(struct timespec){0, (long)ns}, NULL);
}

static void jobs_are_cancelled_at_any_time(void **state)
{
    (void)state;
    uint64_t random = tt_seed();
    for (int turn = 0; turn < 200; turn++) {
        struct tally *tally = tally_new(400);
        tutti_loop loop = {.n = 400, .body = tally_range, .context = tally};
        tutti_report report = TUTTI_REPORT_INIT;
        tutti_options options = options_here();
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
    tutti_options options = options_here();
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
    struct tally *tally = tally_new(9);
    tutti_loop loop = {.n = 9, .body = tally_range, .context = tally},
               none = {0};
    tutti_options options = options_here();
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
    options = options_here();
    options.report = &report;
    report.size = 8;
    refuse(&loop, &options, TUTTI_EARG);
    /* Of a program that was compiled against a smaller struct. */
    uint32_t *small = malloc(16);
    *small = 16;
    refuse(&loop, (tutti_options *)small, TUTTI_EARG);
    free(small);
    options = options_here();
    options.task_timeout = 1;
    options.on = "serial";
    refuse(&loop, &options, TUTTI_EARG);
    assert_int_equal(tally_ran(tally), 0);
    tally_free(tally);
}

int main(void)
{
    static const char *const places[] = {"auto", "serial", "threads",
                                         "threads:4"};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(progress_is_told_and_cancels),
        cmocka_unit_test(jobs_are_cancelled_at_any_time),
        cmocka_unit_test(jobs_have_many_waiters),
        cmocka_unit_test(what_makes_no_sense_is_refused),
    };
    int failed = 0;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        on = places[i];
        printf("--- %s\n", on);
        failed += cmocka_run_group_tests(tests, NULL, NULL);
    }
    return failed;
}
