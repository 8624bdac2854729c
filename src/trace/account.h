/* Where lanes x wall went. */
#ifndef TT_TRACE_ACCOUNT_H
#define TT_TRACE_ACCOUNT_H

#include <stdint.h>

#include <tutti/report.h>

#include "trace/lane.h"

/* Closes the stopwatches of `lanes` (`count` of them, NULL entries allowed) at
 * `ended` and fills the report's lanes, joined, done, ranges, wall, user ..
 * unknown and task. `possible` workers could have taken part: one without a
 * lane was idle all the time. Costs some ns a lane; allocates nothing. */
void tt_account(tutti_report *report, struct tt_lane *const *lanes,
                unsigned count, unsigned possible, uint64_t began,
                uint64_t ended);

#endif
