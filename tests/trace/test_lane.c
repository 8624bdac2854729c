#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "trace/lane.h"

static struct tt_lane lane;

/* Every event inside [from, to], busy no longer than its span; sums of busy
 * time, tasks and ranges of one kind. */
static void sums(enum tt_kind kind, uint64_t *busy, size_t *tasks,
                 size_t *ranges)
{
    *busy = *tasks = *ranges = 0;
    for (unsigned i = 0; i < lane.used; i++) {
        const struct tt_event *e = &lane.events[i];
        assert_true(e->busy <= e->to - e->from);
        if (e->kind != kind)
            continue;
        *busy += e->busy;
        *tasks += e->tasks;
        *ranges += e->ranges;
    }
}

/* Runs `count` ranges of `ns` with `gap` between, ten tasks each, from 1000. */
static uint64_t run(size_t count, uint64_t ns, uint64_t gap)
{
    uint64_t now = 1000;
    tt_lane_init(&lane, 3, TT_CLAIM, now);
    for (size_t i = 0; i < count; i++) {
        tt_lane_turn(&lane, TT_USER, now);
        tt_lane_turn(&lane, TT_CLAIM, now + ns);
        tt_lane_range(&lane, now, now + ns, 10 * i, 10 * i + 10);
        now += ns + gap;
    }
    return now - gap;
}

static void starts_empty_whatever_was_there(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof lane; i++)
        ((unsigned char *)&lane)[i] = 0xa5;
    tt_lane_init(&lane, 7, TT_STARTUP, 42);
    assert_int_equal(lane.worker, 7);
    assert_int_equal(lane.kind, TT_STARTUP);
    assert_int_equal(lane.start, 42);
    assert_int_equal(lane.since, 42);
    assert_int_equal(lane.used, 0);
    assert_int_equal(lane.tasks + lane.ranges, 0);
    for (unsigned k = 0; k < TT_KINDS; k++)
        assert_int_equal(lane.spent[k], 0);
}

static void few_ranges_stay_single(void **state)
{
    (void)state;
    run(TT_LANE_EVENTS, 20, 1);
    assert_int_equal(lane.used, TT_LANE_EVENTS);
    for (size_t i = 0; i < lane.used; i++) {
        assert_int_equal(lane.events[i].ranges, 1);
        assert_int_equal(lane.events[i].begin, 10 * i);
        assert_int_equal(lane.events[i].end, 10 * i + 10);
        assert_int_equal(lane.events[i].worker, 3);
    }
}

static void a_million_ranges_keep_time_and_ends(void **state)
{
    (void)state;
    uint64_t end = run(1000000, 20000, 150), busy;
    size_t tasks, ranges;
    sums(TT_USER, &busy, &tasks, &ranges);
    assert_true(busy == 1000000ull * 20000);
    assert_true(lane.spent[TT_USER] == busy);
    assert_int_equal(tasks, 10000000);
    assert_int_equal(ranges, 1000000);
    assert_int_equal(lane.ranges, 1000000);
    assert_true(lane.used >= TT_LANE_EVENTS / 4);
    assert_true(lane.used <= TT_LANE_EVENTS);
    assert_true(lane.events[0].from == 1000);
    assert_int_equal(lane.events[0].begin, 0);
    assert_true(lane.events[lane.used - 1].to == end);
    assert_int_equal(lane.events[lane.used - 1].end, 10000000);
    /* Evenly: none covers more than a fiftieth of the whole. */
    for (unsigned i = 0; i < lane.used; i++)
        assert_true(lane.events[i].to - lane.events[i].from < end / 50);
}

static void one_more_than_fits_merges_neighbours(void **state)
{
    (void)state;
    run(TT_LANE_EVENTS + 1, 30000, 10);
    assert_true(lane.used < TT_LANE_EVENTS);
    size_t next = 0;
    for (unsigned i = 0; i < lane.used; i++) {
        assert_int_equal(lane.events[i].begin, next);
        next = lane.events[i].end;
    }
    assert_int_equal(next, 10 * (TT_LANE_EVENTS + 1));
}

static void long_ranges_stay_single_among_short_ones(void **state)
{
    (void)state;
    uint64_t now = 0;
    tt_lane_init(&lane, 0, TT_CLAIM, now);
    for (size_t i = 0; i < 2000; i++) {
        uint64_t ns = i % 100 == 50 ? 110000 : 1000;
        tt_lane_range(&lane, now, now + ns, i, i + 1);
        now += ns;
    }
    unsigned single = 0;
    for (unsigned i = 0; i < lane.used; i++)
        single += lane.events[i].ranges == 1 && lane.events[i].busy == 110000;
    assert_int_equal(single, 20);
}

static void long_stays_are_noted_short_ones_only_timed(void **state)
{
    (void)state;
    uint64_t busy;
    size_t tasks, ranges;
    tt_lane_init(&lane, 0, TT_STARTUP, 100);
    tt_lane_turn(&lane, TT_WAIT, 5100);
    tt_lane_turn(&lane, TT_ENCODE, 5100 + TT_LANE_SHORT - 1);
    tt_lane_turn(&lane, TT_CLAIM, 9000);
    tt_lane_turn(&lane, TT_USER, 90000);
    tt_lane_turn(&lane, TT_IDLE, 99000);
    assert_int_equal(lane.used, 2);
    sums(TT_STARTUP, &busy, &tasks, &ranges);
    assert_int_equal(busy, 5000);
    sums(TT_ENCODE, &busy, &tasks, &ranges);
    assert_int_equal(busy, 9000 - 5100 - TT_LANE_SHORT + 1);
    assert_int_equal(lane.spent[TT_WAIT], TT_LANE_SHORT - 1);
    assert_int_equal(lane.spent[TT_CLAIM], 81000);
    assert_int_equal(lane.spent[TT_USER], 9000);
}

static void alternating_kinds_merge_each_with_its_own(void **state)
{
    (void)state;
    uint64_t now = 0, busy;
    size_t tasks, ranges;
    tt_lane_init(&lane, 0, TT_CLAIM, now);
    for (size_t i = 0; i < 100000; i++) {
        tt_lane_turn(&lane, TT_ENCODE, now);
        tt_lane_turn(&lane, TT_USER, now += 2000);
        tt_lane_range(&lane, now, now + 3000, i, i + 1);
        tt_lane_turn(&lane, TT_CLAIM, now += 3000);
    }
    sums(TT_USER, &busy, &tasks, &ranges);
    assert_int_equal(busy, 300000000);
    assert_int_equal(tasks, 100000);
    sums(TT_ENCODE, &busy, &tasks, &ranges);
    assert_int_equal(busy, 200000000);
    assert_int_equal(ranges, 100000);
    tt_lane_squeeze(&lane, TT_KINDS);
    assert_true(lane.used <= TT_KINDS);
    sums(TT_USER, &busy, &tasks, &ranges);
    assert_int_equal(busy, 300000000);
}

static void squeezing_ends_with_absurd_times(void **state)
{
    (void)state;
    tt_lane_init(&lane, 0, TT_CLAIM, 0);
    for (size_t i = 0; i < 1000; i++)
        tt_lane_range(&lane, i % 2 ? UINT64_MAX - i : i, i % 3, i, i + 1);
    tt_lane_squeeze(&lane, TT_KINDS);
    assert_true(lane.used <= TT_KINDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_empty_whatever_was_there),
        cmocka_unit_test(few_ranges_stay_single),
        cmocka_unit_test(a_million_ranges_keep_time_and_ends),
        cmocka_unit_test(one_more_than_fits_merges_neighbours),
        cmocka_unit_test(long_ranges_stay_single_among_short_ones),
        cmocka_unit_test(long_stays_are_noted_short_ones_only_timed),
        cmocka_unit_test(alternating_kinds_merge_each_with_its_own),
        cmocka_unit_test(squeezing_ends_with_absurd_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
