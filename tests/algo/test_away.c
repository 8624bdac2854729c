/* Loops of C functions in worker processes end as those of other places do:
 * failures, deadlines, a caller that cancels, many callers at once. What
 * tests/conformance/ asks of memory that is shared is asked here of values. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "seed.h"
#include "tally.h"

#define N 600

struct item {
    unsigned us;
    bool fails;
};

static int run_item(const void *item, void *result, void *context)
{
    const struct item *it = item;
    (void)context;
    tally_spin(1000u * it->us);
    if (it->fails) {
        tutti_task_fail("it is bad");
        return 1;
    }
    *(int *)result = 1;
    return 0;
}

static tutti_status run(const struct item *items, int *results, size_t n,
                        const tutti_options *given)
{
    tutti_options options = *given;
    options.on = "processes:3";
    memset(results, 0, n * sizeof *results);
    return tutti_map(
        run_item, (tutti_array){(void *)(uintptr_t)items, sizeof *items},
        (tutti_array){results, sizeof *results}, n, NULL, 0, &options);
}

static void the_lowest_failure_is_told(void **state)
{
    (void)state;
    uint64_t random = tt_seed();
    for (int turn = 0; turn < 60; turn++) {
        struct item items[N] = {{0}};
        int results[N];
        tutti_options options = TUTTI_OPTIONS_INIT;
        char want[80];
        size_t lowest = N;
        for (size_t i = 0; i < N; i++)
            items[i].us = i % 7 * 20;
        for (uint64_t count = 1 + tt_random(&random) % 9; count > 0; count--) {
            size_t index = tt_random(&random) % N;
            if (turn < 2)
                index = turn ? N - 1 : 0;
            items[index].fails = true;
            lowest = index < lowest ? index : lowest;
        }
        options.workers = (unsigned)(tt_random(&random) % 4);
        snprintf(want, sizeof want, "task %zu failed: it is bad", lowest);
        assert_int_equal(run(items, results, N, &options), TUTTI_ETASK);
        assert_string_equal(tutti_detail(), want);
        for (size_t i = 0; i <= lowest; i++)
            assert_int_equal(results[i], i < lowest);
    }
}

static size_t count(const int *results, size_t n)
{
    size_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (size_t)results[i];
    return sum;
}

static void check_deadline(unsigned us, size_t n, double deadline)
{
    struct item *items = calloc(n, sizeof *items);
    int *results = calloc(n, sizeof *results);
    tutti_report report = TUTTI_REPORT_INIT;
    tutti_options options = TUTTI_OPTIONS_INIT;
    assert_true(items && results);
    options.deadline = deadline;
    options.report = &report;
    for (size_t i = 0; i < n; i++)
        items[i].us = us;
    tutti_status status = run(items, results, n, &options);
    assert_int_equal(status, report.done < n ? TUTTI_ETIME : TUTTI_OK);
    assert_int_equal(count(results, n), report.done);
    free(items);
    free(results);
}

static void deadlines(void **state)
{
    (void)state;
    uint64_t random = tt_seed();
    check_deadline(0, 1000, 1e9);
    check_deadline(0, 1000, INFINITY);
    check_deadline(0, 1000000, 1e-9);
    check_deadline(1000, 500, 0.02);
    check_deadline(1000, 1, 1e-4);
    for (int turn = 0; turn < 30; turn++)
        check_deadline(100, 1 + tt_random(&random) % 200,
                       1e-9 * (double)(1 + tt_random(&random) % 3000000));
}

static int cancel(void *arg, size_t done, size_t n)
{
    size_t *calls = arg;
    (void)n;
    return ++*calls > 2 && done > 0;
}

static void a_caller_that_cancels(void **state)
{
    (void)state;
    static struct item items[N];
    static int results[N];
    size_t calls = 0;
    tutti_options options = TUTTI_OPTIONS_INIT;
    options.progress = cancel;
    options.progress_arg = &calls;
    for (int i = 0; i < N; i++)
        items[i].us = 5000;
    assert_int_equal(run(items, results, N, &options), TUTTI_ECANCEL);
    assert_true(count(results, N) < N);
    options.progress = NULL;
    memset(items, 0, sizeof items);
    assert_int_equal(run(items, results, N, &options), TUTTI_OK);
    assert_int_equal(count(results, N), N);
}

static void *many_loops(void *arg)
{
    static const struct item items[60] = {{0}};
    const tutti_options options = TUTTI_OPTIONS_INIT;
    size_t *lost = arg;
    for (size_t n = 1; n < 60; n++) {
        int results[60];
        if (run(items, results, n, &options) != TUTTI_OK)
            ++*lost;
        *lost += n - count(results, n);
    }
    return NULL;
}

static void callers_at_once(void **state)
{
    (void)state;
    pthread_t threads[5];
    size_t lost[5] = {0};
    for (int i = 0; i < 5; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, many_loops, &lost[i]), 0);
    for (int i = 0; i < 5; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(lost[i], 0);
    }
}

static void reports_add_up(void **state)
{
    (void)state;
    static struct item items[N];
    static int results[N];
    tutti_report r = TUTTI_REPORT_INIT;
    tutti_options options = TUTTI_OPTIONS_INIT;
    options.report = &r;
    for (int i = 0; i < N; i++)
        items[i].us = 100;
    assert_int_equal(run(items, results, N, &options), TUTTI_OK);
    double sum = r.user + r.encode + r.claim + r.copy + r.wait + r.startup +
                 r.idle + r.unknown;
    assert_true(fabs(sum - r.lanes * r.wall) < 1e-6 * sum + 1e-9);
    assert_int_equal(r.done, N);
    assert_true(r.user >= 1e-4 * N && r.ranges <= N);
    assert_string_equal(r.place, "processes:3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_lowest_failure_is_told),
        cmocka_unit_test(deadlines),
        cmocka_unit_test(a_caller_that_cancels),
        cmocka_unit_test(callers_at_once),
        cmocka_unit_test(reports_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
