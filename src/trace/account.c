#include "trace/account.h"

/* Signed: what is left may be below 0. */
static double seconds(uint64_t ns)
{
    return 1e-9 * (double)(int64_t)ns;
}

/* Closes one lane and adds it to the totals; the time before it was started
 * is idle. */
static void add_lane(struct tt_lane *lane, tutti_report *report,
                     uint64_t total[TT_KINDS], uint64_t began, uint64_t ended)
{
    if (ended > lane->since)
        tt_lane_turn(lane, TT_IDLE, ended);
    for (unsigned k = 0; k < TT_KINDS; k++)
        total[k] += lane->spent[k];
    if (lane->start > began)
        total[TT_IDLE] += lane->start - began;
    report->joined += lane->ranges > 0;
    report->done += lane->tasks;
    report->ranges += lane->ranges;
}

void tt_account(tutti_report *report, struct tt_lane *const *lanes,
                unsigned count, unsigned possible, uint64_t began,
                uint64_t ended)
{
    uint64_t total[TT_KINDS] = {0}, wall = ended - began, sum = 0;
    unsigned present = 0;
    report->joined = 0;
    report->done = report->ranges = 0;
    for (unsigned i = 0; i < count; i++) {
        if (!lanes[i])
            continue;
        add_lane(lanes[i], report, total, began, ended);
        present++;
    }
    report->lanes = possible > present ? possible : present;
    total[TT_IDLE] += (report->lanes - present) * wall;
    for (unsigned k = 0; k < TT_KINDS; k++)
        sum += total[k];
    report->wall = seconds(wall);
    report->user = seconds(total[TT_USER]);
    report->encode = seconds(total[TT_ENCODE]);
    report->claim = seconds(total[TT_CLAIM]);
    report->copy = seconds(total[TT_COPY]);
    report->wait = seconds(total[TT_WAIT]);
    report->startup = seconds(total[TT_STARTUP]);
    report->idle = seconds(total[TT_IDLE]);
    report->unknown = seconds(report->lanes * wall - sum);
    report->task = report->done ? report->user / (double)report->done : 0;
}
