/* Made-up loops for the tests of the trace. */
#ifndef TT_TESTS_TRACE_MADE_H
#define TT_TESTS_TRACE_MADE_H

#include <stdio.h>

#include "trace/account.h"
#include "trace/log.h"

static struct tt_lane made_a, made_b;

/* A loop of two lanes from `began`: the caller runs `ranges` ranges of 20 us,
 * encodes 5 us and waits 5 us; a worker starts up for 10 us after 10 us, then
 * runs as many ranges of 10 us. Kept. Returns its end. */
static inline uint64_t made_loop(uint64_t began, size_t ranges,
                                 tutti_report *report)
{
    uint64_t now = began, ended;
    struct tt_lane *lanes[] = {&made_a, &made_b};
    tt_lane_init(&made_a, 0, TT_CLAIM, now);
    for (size_t i = 0; i < ranges; i++) {
        tt_lane_turn(&made_a, TT_USER, now);
        tt_lane_range(&made_a, now, now + 20000, i * 2, i * 2 + 2);
        tt_lane_turn(&made_a, TT_CLAIM, now += 20000);
    }
    tt_lane_turn(&made_a, TT_ENCODE, now);
    tt_lane_turn(&made_a, TT_WAIT, now += 5000);
    ended = now + 5000;
    now = began + 10000;
    tt_lane_init(&made_b, 1, TT_STARTUP, now);
    now += 10000;
    for (size_t i = 0; i < ranges; i++) {
        tt_lane_turn(&made_b, TT_USER, now);
        tt_lane_range(&made_b, now, now + 10000, 4 * ranges - i - 1,
                      4 * ranges - i);
        tt_lane_turn(&made_b, TT_CLAIM, now += 10000);
    }
    tt_lane_turn(&made_b, TT_IDLE, now);
    ended = ended > now ? ended : now;
    report->size = sizeof *report;
    report->n = 3 * ranges;
    report->spread_at = 1e-5;
    if (!report->place[0])
        snprintf(report->place, sizeof report->place, "threads");
    tt_account(report, lanes, 2, 2, began, ended);
    tt_trace_end(report, lanes, 2, began, ended);
    return ended;
}

#endif
