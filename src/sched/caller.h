#ifndef TT_SCHED_CALLER_H
#define TT_SCHED_CALLER_H

#include "loop/run.h"

/* The caller's work on a run: loop.body on ranges from the front, until none
 * is left. */
void tt_caller_work(struct tutti_run *run);

#endif
