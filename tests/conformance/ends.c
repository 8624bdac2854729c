/* How loops end: failures, deadlines. */
#include <math.h>
#include <stdio.h>

#include "seed.h"
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

CONFORM_PART(ends) = {
    cmocka_unit_test(the_lowest_failure_is_told),
    cmocka_unit_test(deadlines),
};
const size_t conform_ends_count = sizeof conform_ends / sizeof *conform_ends;
