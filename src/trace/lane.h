/* A lane: what one worker did in one loop. A stopwatch that is always in one
 * of the kinds below, and events: ranges, and whatever else took a while.
 * Written by its worker alone, read after the loop. */
#ifndef TT_TRACE_LANE_H
#define TT_TRACE_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Those up to TT_USER are not noted as events by tt_lane_turn(). */
enum tt_kind {
    TT_CLAIM,
    TT_USER,
    TT_STARTUP,
    TT_ENCODE,
    TT_COPY,
    TT_WAIT,
    TT_IDLE, /* no work: not invited, or nothing left */
    TT_KINDS
};

/* A range, or a stay in another kind; or several that were merged. */
struct tt_event {
    uint64_t from, to; /* tt_clock() */
    uint64_t busy;     /* ns of it in `kind`: less than to - from if merged */
    size_t begin, end; /* tasks: the lowest, and one past the highest */
    size_t tasks;      /* of these, how many ran */
    size_t ranges;     /* ranges or stays that were merged; 1: none */
    uint32_t kind;     /* enum tt_kind */
    uint32_t worker;   /* set when the loop is kept */
};

#define TT_LANE_EVENTS 252 /* a lane is below 16 KiB */
#define TT_LANE_NONE UINT16_MAX
#define TT_LANE_SHORT 1000 /* ns: shorter stays are in `spent` only */

struct tt_lane {
    uint64_t start;    /* when the stopwatch was started */
    uint64_t since;    /* when `kind` began */
    uint64_t grain;    /* ns: events that fit in it are merged; 0: none yet */
    enum tt_kind kind; /* what the worker is doing */
    unsigned worker;   /* number of the lane in its loop */
    uint64_t spent[TT_KINDS];
    size_t tasks, ranges;
    uint16_t used;           /* events in use, in the order of their end */
    uint16_t last[TT_KINDS]; /* newest event of a kind, or TT_LANE_NONE */
    bool kept;               /* events are kept */
    struct tt_event events[TT_LANE_EVENTS];
};

/* Starts a lane's stopwatch. Touches the head only, so it costs the same
 * whatever was there before. */
void tt_lane_init(struct tt_lane *lane, unsigned worker, enum tt_kind kind,
                  uint64_t now);

/* Adds an event; when all are in use, neighbours are merged, so the events
 * cover the whole loop, evenly, at any number of ranges. Amortised O(1). */
void tt_lane_add(struct tt_lane *lane, enum tt_kind kind, uint64_t from,
                 uint64_t to, size_t begin, size_t end);

/* Merges neighbours until at most `room` events are left, or one a kind. */
void tt_lane_squeeze(struct tt_lane *lane, unsigned room);

/* Turns the stopwatch to `kind` at time `now`. */
static inline void tt_lane_turn(struct tt_lane *lane, enum tt_kind kind,
                                uint64_t now)
{
    uint64_t spent = now - lane->since;
    lane->spent[lane->kind] += spent;
    if (lane->kind > TT_USER && spent >= TT_LANE_SHORT)
        tt_lane_add(lane, lane->kind, lane->since, now, 0, 0);
    lane->since = now;
    lane->kind = kind;
}

/* Notes a range that ran from `from` to `to`. The stopwatch is not touched. */
static inline void tt_lane_range(struct tt_lane *lane, uint64_t from,
                                 uint64_t to, size_t begin, size_t end)
{
    lane->ranges++;
    lane->tasks += end - begin;
    tt_lane_add(lane, TT_USER, from, to, begin, end);
}

#endif
