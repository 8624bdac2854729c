/* What is kept of loops that have ended: each thread's last one, and the
 * process's recent ones. */
#ifndef TT_TRACE_LOG_H
#define TT_TRACE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tutti/report.h>

#include "trace/lane.h"

#define TT_LOG_LOOPS 256   /* recent loops of the process */
#define TT_LOG_EVENTS 8192 /* and events in them: 512 KiB, static */
#define TT_LOG_SHARE 4096  /* events of one loop at most */

/* A loop that has ended. Its events stand beside it, lane after lane. */
struct tt_kept {
    tutti_report report;
    uint64_t began, ended;
    uint64_t first;  /* its first event, counted since the process started */
    size_t count;    /* events */
    size_t dropped;  /* events that found no room */
    unsigned caller; /* number of the thread that called it, from 1 */
    bool traced;     /* its events were kept */
};

struct tt_last {
    struct tt_kept loop;
    size_t room;
    struct tt_event events[];
};

/* Keeps a loop, called once at its end in its caller's thread, after
 * tt_account() has closed the lanes; they may be freed afterwards. Never
 * fails: what finds no memory is counted as dropped. Without tracing (the
 * setting TUTTI_TRACE) only the thread's report is kept. About 0.1 us. */
void tt_trace_end(const tutti_report *report, struct tt_lane *const *lanes,
                  unsigned count, uint64_t began, uint64_t ended);

/* This thread's last loop, NULL when there is none. */
const struct tt_last *tt_trace_last(void);

/* A copy of the process's recent loops, oldest first: loops[] and events[],
 * whose `first` counts from events[0]. */
struct tt_recent {
    size_t loops, events;
    uint64_t forgotten; /* loops that were pushed out */
    struct tt_kept loop[TT_LOG_LOOPS];
    struct tt_event event[TT_LOG_EVENTS];
};

void tt_trace_recent(struct tt_recent *out);

#endif
