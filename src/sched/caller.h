#ifndef TT_SCHED_CALLER_H
#define TT_SCHED_CALLER_H

#include "loop/run.h"

/* The caller's work on a run: loop.body on ranges from the front, until none
 * is left. */
void tt_caller_work(struct tutti_run *run);

/* Whether a loop that has both forms of a body would run where it is sent,
 * not called. A place that cannot be had is told by the loop's begin. */
bool tt_caller_sends(const tutti_options *options);

#endif
