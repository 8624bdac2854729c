/* A run without a scheduler: how it ends, who counts, who wakes whom. */
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "loop/run.h"
#include "tally.h"

static const tutti_options defaults = TUTTI_OPTIONS_INIT;

static void make(struct tutti_run *run, const tutti_loop *loop)
{
    tt_run_init(run, loop, &defaults, 4, true);
}

static void the_lowest_failure_is_kept(void **state)
{
    (void)state;
    tutti_loop loop = {.n = 100, .body = tally_range};
    struct tutti_run run;
    make(&run, &loop);
    tt_run_close(&run, TUTTI_ETIME, "late");
    assert_string_equal(run.detail, "late");
    tt_run_close(&run, TUTTI_ECANCEL, "cancelled");
    assert_int_equal(run.status, TUTTI_ETIME);
    tt_run_fail(&run, 50, TUTTI_ETASK, "fifty");
    tt_run_fail(&run, 60, TUTTI_ETASK, "sixty");
    assert_string_equal(run.detail, "fifty");
    tt_run_fail(&run, 7, TUTTI_ELOST, "seven");
    tt_run_close(&run, TUTTI_ECANCEL, "cancelled");
    assert_string_equal(run.detail, "seven");
    assert_int_equal(run.status, TUTTI_ELOST);
    assert_int_equal(run.failed, 7);
    tt_run_fini(&run);
}

static void a_failure_leaves_what_is_below(void **state)
{
    (void)state;
    for (size_t unit = 1; unit < 9; unit++)
        for (size_t index = 0; index < 50; index++) {
            tutti_loop loop = {.n = 50, .unit = unit, .body = tally_range};
            struct tutti_run run;
            make(&run, &loop);
            tt_run_fail(&run, index, TUTTI_ETASK, "");
            assert_int_equal(tt_run_left(&run), index / unit * unit);
            tt_run_close(&run, TUTTI_ECANCEL, "");
            assert_int_equal(tt_run_left(&run), 0);
            tt_run_fini(&run);
        }
}

static void details_are_cut(void **state)
{
    (void)state;
    tutti_loop loop = {.n = 9, .body = tally_range};
    struct tutti_run run;
    char line[2 * TT_DETAIL_SIZE];
    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = 0;
    make(&run, &loop);
    tt_run_fail(&run, 1, TUTTI_ETASK, line);
    assert_int_equal(strlen(run.detail), TT_DETAIL_SIZE - 1);
    tt_run_fini(&run);
}

static size_t return_what_is_asked(void *context, size_t begin, size_t end,
                                   unsigned worker)
{
    (void)begin;
    (void)end;
    (void)worker;
    return *(size_t *)context;
}

static void bodies_that_return_nonsense_fail(void **state)
{
    (void)state;
    size_t returns[] = {0, 9, 21, SIZE_MAX};
    for (size_t i = 0; i < 4; i++) {
        tutti_loop loop = {
            .n = 100, .body = return_what_is_asked, .context = &returns[i]};
        struct tt_range range = {10, 20};
        struct tutti_run run;
        make(&run, &loop);
        tt_run_body(&run, &run.own, &run.grain, &range, run.began);
        assert_int_equal(run.status, TUTTI_EARG);
        assert_int_equal(run.done, 0);
        assert_int_equal(run.failed, 10);
        assert_non_null(strstr(run.detail, "return 20, the end of the range"));
        tt_run_fini(&run);
    }
}

static size_t doze(void *context, size_t begin, size_t end, unsigned worker)
{
    (void)context;
    (void)begin;
    (void)worker;
    nanosleep(&(struct timespec){0, 10000000}, NULL);
    return end;
}

static void *work(void *run)
{
    tt_run_work(run, ((struct tutti_run *)run)->began);
    return NULL;
}

/* A lost wake-up would hang the test. */
static void the_last_worker_wakes_the_owner(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers < 5; workers++) {
        tutti_loop loop = {.n = workers, .body = doze};
        struct tutti_run run;
        pthread_t threads[4];
        make(&run, &loop);
        tt_run_count_in(&run, workers);
        for (unsigned i = 0; i < workers; i++)
            pthread_create(&threads[i], NULL, work, &run);
        while (!tt_run_sleep(&run, 100000000000u))
            continue;
        assert_int_equal(run.done, workers);
        tt_run_fini(&run);
        memset(&run, 0xa5, sizeof run);
        for (unsigned i = 0; i < workers; i++)
            pthread_join(threads[i], NULL);
    }
}

static void *close_soon(void *run)
{
    nanosleep(&(struct timespec){0, 5000000}, NULL);
    tt_run_close(run, TUTTI_ECANCEL, "cancelled");
    return NULL;
}

static void closing_wakes_the_owner(void **state)
{
    (void)state;
    tutti_loop loop = {.n = 9, .body = doze};
    struct tutti_run run;
    pthread_t thread;
    make(&run, &loop);
    tt_run_count_in(&run, 1);
    pthread_create(&thread, NULL, close_soon, &run);
    while (!run.closed)
        tt_run_sleep(&run, 100000000000u);
    pthread_join(thread, NULL);
    tt_run_count_out(&run);
    assert_true(tt_run_empty(&run));
    tt_run_fini(&run);
}

static void sleeps_end(void **state)
{
    (void)state;
    tutti_loop loop = {.n = 9, .body = doze};
    struct tutti_run run;
    make(&run, &loop);
    tt_run_count_in(&run, 2);
    assert_false(tt_run_sleep(&run, 1000000));
    tt_run_count_out(&run);
    assert_false(tt_run_sleep(&run, 0));
    tt_run_count_out(&run);
    assert_true(tt_run_sleep(&run, 100000000000u));
    tt_run_fini(&run);
}

static void lanes_run_out(void **state)
{
    (void)state;
    tutti_loop loop = {.n = 9, .body = doze};
    struct tutti_run run;
    make(&run, &loop);
    tt_run_count_in(&run, 103);
    for (unsigned worker = 1; worker < 4; worker++) {
        struct tt_lane *lane = tt_run_join(&run, run.began);
        assert_non_null(lane);
        assert_int_equal(lane->worker, worker);
    }
    for (int i = 0; i < 100; i++)
        assert_null(tt_run_join(&run, run.began));
    tt_run_fini(&run);
}

/* A thread was about to make its lane when another one forked. */
static void a_child_frees_no_lane_that_was_not_made(void **state)
{
    (void)state;
    tutti_loop loop = {.n = 8, .body = tally_range};
    struct tutti_run run;
    int status;
    memset(&run, 0x55, sizeof run);
    make(&run, &loop);
    atomic_fetch_add(&run.joined, 1);
    pid_t child = fork();
    if (child == 0) {
        tt_run_fini(&run);
        make(&run, &loop); /* which gets lanes of the one before */
        _exit(tt_run_join(&run, run.began) == NULL);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_lowest_failure_is_kept),
        cmocka_unit_test(a_failure_leaves_what_is_below),
        cmocka_unit_test(details_are_cut),
        cmocka_unit_test(bodies_that_return_nonsense_fail),
        cmocka_unit_test(the_last_worker_wakes_the_owner),
        cmocka_unit_test(closing_wakes_the_owner),
        cmocka_unit_test(sleeps_end),
        cmocka_unit_test(lanes_run_out),
        cmocka_unit_test(a_child_frees_no_lane_that_was_not_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
