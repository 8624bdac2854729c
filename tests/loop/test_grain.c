/* Grain, by a clock of our own. */
#include "loop/grain.h"
#include "tally.h"

/* Runs `ranges` ranges of tasks that take `cost` ns; the last one's tasks. */
static size_t run(struct tt_grain *grain, double cost, int ranges)
{
    size_t tasks = 0;
    while (ranges-- > 0) {
        tasks = tt_grain_next(grain, SIZE_MAX / 2, 1);
        tt_grain_learn(grain, tasks, (uint64_t)(cost * (double)tasks) + 1);
    }
    return tasks;
}

static void starts_with_one_and_doubles(void **state)
{
    (void)state;
    struct tt_grain grain = {0};
    for (size_t want = 1; want <= 64; want *= 2) {
        assert_int_equal(tt_grain_next(&grain, SIZE_MAX, 1), want);
        tt_grain_learn(&grain, want, want * 10);
    }
}

static void ranges_take_twenty_microseconds(void **state)
{
    (void)state;
    static const double costs[] = {0.01, 0.3, 1, 7, 50, 333, 1000, 4000, 9000};
    for (size_t i = 0; i < sizeof costs / sizeof *costs; i++) {
        struct tt_grain grain = {0};
        double ns = costs[i] * (double)run(&grain, costs[i], 60);
        if (ns < 9000 || ns > 20100)
            fail_msg("tasks of %g ns: ranges of %g ns", costs[i], ns);
    }
    for (double cost = 15000; cost < 1e12; cost *= 10) {
        struct tt_grain grain = {0};
        assert_int_equal(run(&grain, cost, 60), 1);
    }
}

static void giants_are_forgotten(void **state)
{
    (void)state;
    struct tt_grain grain = {0};
    run(&grain, 100, 60);
    tt_grain_learn(&grain, 1, 50000000);
    assert_int_equal(tt_grain_next(&grain, SIZE_MAX / 2, 1), 1);
    tt_grain_learn(&grain, 1, 100);
    assert_true(run(&grain, 100, 300) >= 100);
}

/* Costs that grow are followed at once: no range of ten times the aim. */
static void growing_costs_are_followed(void **state)
{
    (void)state;
    struct tt_grain grain = {0};
    double cost = 10;
    run(&grain, cost, 60);
    for (int i = 0; i < 100; i++) {
        cost *= 1.2;
        double ns = cost * (double)run(&grain, cost, 1);
        assert_true(ns < 30000 || ns < 2 * cost);
    }
}

static void the_tail_is_short(void **state)
{
    (void)state;
    struct tt_grain grain = {0};
    for (unsigned workers = 2; workers < 20; workers++) {
        run(&grain, 100, 60);
        for (size_t left = 3000; left > 0; left = left * 9 / 10) {
            struct tt_grain here = grain;
            size_t tasks = tt_grain_next(&here, left, workers);
            size_t tail = left / (4 * workers);
            assert_true(tasks >= 1 && tasks <= (tail > 20 ? tail : 20));
        }
    }
}

static void no_count_overflows(void **state)
{
    (void)state;
    struct tt_grain grain = {0};
    for (int i = 0; i < 300; i++) {
        size_t tasks = tt_grain_next(&grain, i % 2 ? SIZE_MAX : 0, 1 + i % 3);
        assert_true(tasks >= 1);
        tt_grain_learn(&grain, tasks, 1);
    }
    tt_grain_learn(&grain, 0, 1000);
    tt_grain_learn(&grain, SIZE_MAX, UINT64_MAX);
    assert_true(tt_grain_next(&grain, SIZE_MAX, 1) >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_with_one_and_doubles),
        cmocka_unit_test(ranges_take_twenty_microseconds),
        cmocka_unit_test(giants_are_forgotten),
        cmocka_unit_test(growing_costs_are_followed),
        cmocka_unit_test(the_tail_is_short),
        cmocka_unit_test(no_count_overflows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
