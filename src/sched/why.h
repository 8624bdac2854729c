/* The decision on a run, for the report. */
#ifndef TT_SCHED_WHY_H
#define TT_SCHED_WHY_H

#include <tutti/report.h>

#include "loop/run.h"

/* Fills, of an empty report, n, place, spread_at, gain, cost and reason. */
void tt_why(tutti_report *report, const struct tutti_run *run);

#endif
