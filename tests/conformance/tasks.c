/* Every task runs, once, in ranges that respect the unit. */
#include <stdlib.h>

#include "seed.h"
#include "conformance.h"

static uint64_t uniform(size_t index, size_t n)
{
    (void)index;
    return 4000000 / n;
}

static uint64_t front_loaded(size_t index, size_t n)
{
    return 8000000 / n * (n - index) / n;
}

static uint64_t back_loaded(size_t index, size_t n)
{
    return 8000000 / n * index / n;
}

static uint64_t heavy_tail(size_t index, size_t n)
{
    uint64_t x = index;
    return 1000000 / (1 + tt_random(&x) % n);
}

static uint64_t one_giant(size_t index, size_t n)
{
    return index == n / 3 ? 3000000 : 100;
}

static void check_once(size_t n, uint64_t (*cost)(size_t, size_t))
{
    struct tally *tally = tally_new(n);
    tutti_report report = TUTTI_REPORT_INIT;
    tutti_options options = conform_options();
    options.report = &report;
    tally->cost = cost;
    assert_int_equal(tutti_for(tally_task, n, tally, 0, &options), TUTTI_OK);
    assert_int_equal(tally_ran(tally), n);
    assert_int_equal(report.n, n);
    assert_int_equal(report.done, n);
    tally_free(tally);
}

static void each_task_runs_once(void **state)
{
    (void)state;
    static const size_t counts[] = {0, 1, 2, 3, 7, 64, 1000, 100003};
    static uint64_t (*const costs[])(size_t, size_t) = {
        uniform, front_loaded, back_loaded, heavy_tail, one_giant};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        check_once(counts[i], NULL);
    for (size_t i = 0; i < sizeof costs / sizeof *costs; i++) {
        check_once(5, costs[i]);
        check_once(3001, costs[i]);
    }
}

/* What the ranges of a loop were: their number, the sum of end^2 - begin^2,
 * which is n^2 if they tile [0, n), and whether one was cut wrongly. */
struct tiles {
    size_t n, unit;
    _Atomic uint64_t squares, wrong;
};

static size_t tile(void *context, size_t begin, size_t end, unsigned worker)
{
    struct tiles *tiles = context;
    (void)worker;
    tiles->squares += (uint64_t)end * end - (uint64_t)begin * begin;
    tiles->wrong += begin >= end || end > tiles->n ||
                    begin % tiles->unit != 0 ||
                    (end != tiles->n && end % tiles->unit != 0);
    if (tiles->n < 5000)
        tally_spin(2000);
    return end;
}

static void check_tiles(size_t n, size_t unit)
{
    struct tiles tiles = {.n = n, .unit = unit ? unit : 1};
    tutti_loop loop = {.n = n, .unit = unit, .body = tile, .context = &tiles};
    tutti_options options = conform_options();
    assert_int_equal(tutti_loop_run(&loop, &options), TUTTI_OK);
    if (tiles.wrong || tiles.squares != (uint64_t)n * n)
        fail_msg("n %zu, unit %zu: %llu ranges cut wrongly, %s", n, unit,
                 (unsigned long long)tiles.wrong,
                 tiles.squares == (uint64_t)n * n ? "none lost"
                                                  : "some lost or twice");
}

static void ranges_are_cut_at_units(void **state)
{
    (void)state;
    static const size_t units[] = {0,   1,    2,    3,        7,       64,
                                   999, 1000, 1001, 1u << 31, SIZE_MAX};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        check_tiles(1000, units[i]);
        check_tiles(1, units[i]);
        check_tiles(0, units[i]);
    }
}

static void huge_counts(void **state)
{
    (void)state;
    static const size_t counts[] = {
        UINT32_MAX - 1,  UINT32_MAX,   (size_t)UINT32_MAX + 1,
        (size_t)5 << 40, SIZE_MAX / 2, SIZE_MAX - 1,
        SIZE_MAX};
    static const size_t units[] = {1, 3, (size_t)1 << 33, SIZE_MAX / 2,
                                   SIZE_MAX};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        for (size_t k = 0; k < sizeof units / sizeof *units; k++)
            check_tiles(counts[i], units[k]);
}

CONFORM_PART(tasks) = {
    cmocka_unit_test(each_task_runs_once),
    cmocka_unit_test(ranges_are_cut_at_units),
    cmocka_unit_test(huge_counts),
};
const size_t conform_tasks_count = sizeof conform_tasks / sizeof *conform_tasks;
