/* The decision on a run in one sentence, for the report. */
#ifndef TT_SCHED_WHY_H
#define TT_SCHED_WHY_H

#include <tutti/report.h>

#include "loop/run.h"

/* Fills n, place, spread_at, gain, cost and why. */
void tt_why(tutti_report *report, const struct tutti_run *run);

#endif
