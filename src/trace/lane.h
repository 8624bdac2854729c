/* A lane: what one worker did in one loop. A stopwatch that is always in one
 * of the kinds below, and a ring of events. Written by its worker alone, read
 * after the loop. */
#ifndef TT_TRACE_LANE_H
#define TT_TRACE_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tt_kind {
    TT_IDLE, /* no work: not invited, or nothing left */
    TT_STARTUP,
    TT_CLAIM,
    TT_USER,
    TT_ENCODE,
    TT_COPY,
    TT_WAIT,
    TT_KINDS
};

/* One range. */
struct tt_event {
    uint64_t from, to; /* tt_clock() */
    size_t begin, end; /* tasks */
};

#define TT_LANE_EVENTS 512 /* newest kept; a power of two */

struct tt_lane {
    uint64_t since;    /* when `kind` began */
    enum tt_kind kind; /* what the worker is doing */
    unsigned worker;   /* number of the lane in its loop */
    uint64_t spent[TT_KINDS];
    size_t tasks, ranges;
    struct tt_event events[TT_LANE_EVENTS]; /* ranges % TT_LANE_EVENTS next */
};

/* A lane of `worker` that does `kind` since `now`. */
static inline void tt_lane_init(struct tt_lane *lane, unsigned worker,
                                enum tt_kind kind, uint64_t now)
{
    lane->since = now;
    lane->kind = kind;
    lane->worker = worker;
    for (int i = 0; i < TT_KINDS; i++)
        lane->spent[i] = 0;
    lane->tasks = lane->ranges = 0;
}

/* Turns the stopwatch to `kind` at time `now`. */
static inline void tt_lane_turn(struct tt_lane *lane, enum tt_kind kind,
                                uint64_t now)
{
    lane->spent[lane->kind] += now - lane->since;
    lane->since = now;
    lane->kind = kind;
}

/* Notes a range that ran from `from` to `to`. */
static inline void tt_lane_range(struct tt_lane *lane, uint64_t from,
                                 uint64_t to, size_t begin, size_t end)
{
    struct tt_event *e = &lane->events[lane->ranges++ % TT_LANE_EVENTS];
    e->from = from;
    e->to = to;
    e->begin = begin;
    e->end = end;
    lane->tasks += end - begin;
}

#endif
