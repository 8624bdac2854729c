#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "trace/account.h"

static struct tt_lane a, b;

#define NEAR(x, y) assert_true((x) - (y) < 1e-12 && (y) - (x) < 1e-12)

static double sum(const tutti_report *r)
{
    return r->user + r->encode + r->claim + r->copy + r->wait + r->startup +
           r->idle + r->unknown;
}

/* The caller runs a range, encodes, copies, waits; a worker joins late. */
static void splits_known_lanes(void **state)
{
    (void)state;
    tt_lane_init(&a, 0, TT_CLAIM, 1000);
    tt_lane_turn(&a, TT_USER, 1100);
    tt_lane_range(&a, 1100, 5100, 0, 4);
    tt_lane_turn(&a, TT_ENCODE, 5100);
    tt_lane_turn(&a, TT_COPY, 5400);
    tt_lane_turn(&a, TT_WAIT, 5900);
    tt_lane_init(&b, 1, TT_STARTUP, 3000);
    tt_lane_turn(&b, TT_USER, 3700);
    tt_lane_range(&b, 3700, 10700, 4, 10);
    tt_lane_turn(&b, TT_IDLE, 10700);
    struct tt_lane *lanes[] = {&a, NULL, &b};
    tutti_report r = TUTTI_REPORT_INIT;
    tt_account(&r, lanes, 3, 4, 1000, 11000);
    assert_int_equal(r.lanes, 4);
    assert_int_equal(r.joined, 2);
    assert_int_equal(r.done, 10);
    assert_int_equal(r.ranges, 2);
    NEAR(r.wall, 10e-6);
    NEAR(r.claim, 100e-9);
    NEAR(r.user, 11e-6);
    NEAR(r.encode, 300e-9);
    NEAR(r.copy, 500e-9);
    NEAR(r.wait, 5100e-9);
    NEAR(r.startup, 700e-9);
    NEAR(r.idle, 2000e-9 + 300e-9 + 2 * 10e-6);
    NEAR(r.unknown, 0);
    NEAR(r.task, 1.1e-6);
    NEAR(sum(&r), 4 * r.wall);
    assert_int_equal(a.kind, TT_IDLE);
    assert_true(a.since == 11000);
}

static void what_no_lane_measured_is_unknown(void **state)
{
    (void)state;
    tt_lane_init(&a, 0, TT_CLAIM, 0);
    a.since = 600; /* nobody says what happened until then */
    struct tt_lane *lanes[] = {&a};
    tutti_report r = TUTTI_REPORT_INIT;
    tt_account(&r, lanes, 1, 1, 0, 1000);
    NEAR(r.unknown, 600e-9);
    NEAR(r.claim, 400e-9);
    NEAR(sum(&r), r.wall);
}

static void no_lane_is_idle_for_the_whole_wall(void **state)
{
    (void)state;
    tutti_report r = TUTTI_REPORT_INIT;
    r.joined = 9;
    tt_account(&r, NULL, 0, 3, 50, 1050);
    assert_int_equal(r.joined, 0);
    assert_int_equal(r.done, 0);
    NEAR(r.idle, 3e-6);
    NEAR(r.task, 0);
    NEAR(sum(&r), 3 * r.wall);
}

static void lane_closed_after_the_end_still_adds_up(void **state)
{
    (void)state;
    tt_lane_init(&a, 0, TT_USER, 0);
    tt_lane_turn(&a, TT_IDLE, 1200);
    struct tt_lane *lanes[] = {&a};
    tutti_report r = TUTTI_REPORT_INIT;
    tt_account(&r, lanes, 1, 1, 0, 1000);
    NEAR(r.user, 1200e-9);
    NEAR(r.unknown, -200e-9);
    NEAR(sum(&r), r.wall);
}

static void any_lanes_add_up(void **state)
{
    (void)state;
    srand(1);
    for (int turn = 0; turn < 1000; turn++) {
        struct tt_lane *lanes[] = {&a, &b};
        uint64_t most = 0;
        for (unsigned i = 0; i < 2; i++) {
            uint64_t now = 100 + (uint64_t)rand() % 1000;
            tt_lane_init(lanes[i], i, (enum tt_kind)(rand() % TT_KINDS), now);
            for (int k = rand() % 50; k > 0; k--)
                tt_lane_turn(lanes[i], (enum tt_kind)(rand() % TT_KINDS),
                             now += (uint64_t)rand() % 100000);
            most = now > most ? now : most;
        }
        tutti_report r = TUTTI_REPORT_INIT;
        tt_account(&r, lanes, 2, 2 + (unsigned)turn % 3, 100, most);
        assert_true(r.unknown == 0);
        NEAR(sum(&r), r.lanes * r.wall);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits_known_lanes),
        cmocka_unit_test(what_no_lane_measured_is_unknown),
        cmocka_unit_test(no_lane_is_idle_for_the_whole_wall),
        cmocka_unit_test(lane_closed_after_the_end_still_adds_up),
        cmocka_unit_test(any_lanes_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
