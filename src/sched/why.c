#include "sched/why.h"

#include <string.h>

#include "sched/place.h"

static tutti_reason reason_of(const struct tutti_run *run)
{
    if (!run->automatic)
        return TUTTI_WHY_ASKED;
    if (run->invited > 0)
        return TUTTI_WHY_PAYS;
    if (run->loop.n <= run->unit)
        return TUTTI_WHY_ONE_TASK;
    if (run->width < 2)
        return TUTTI_WHY_ONE_CPU;
    return run->cost > 0 ? TUTTI_WHY_COSTS : TUTTI_WHY_ENDED;
}

void tt_why(tutti_report *report, const struct tutti_run *run)
{
    bool spread = run->invited > 0;
    const char *place = !run->automatic ? run->place->text
                        : spread        ? run->place->ops->name
                                        : "serial";
    strcpy(report->place, place); /* names and texts are that short */
    report->n = run->loop.n;
    report->spread_at = spread ? (double)(run->spread - run->began) * 1e-9 : -1;
    report->gain = run->gain;
    report->cost = run->cost;
    report->reason = reason_of(run);
}
