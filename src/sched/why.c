#include "sched/why.h"

#include <stdio.h>

#include "sched/place.h"

static void sentence(tutti_report *report, const struct tutti_run *run)
{
    char *why = report->why;
    size_t size = sizeof report->why;
    const char *place = run->place->ops->name;
    if (!run->automatic)
        snprintf(why, size, "%s was asked for", run->place->text);
    else if (report->spread_at >= 0)
        snprintf(why, size,
                 "%.3g ms after the start, %s for the rest was expected to "
                 "save %.3g ms and to cost %.3g ms",
                 report->spread_at * 1e3, place, run->gain * 1e3,
                 run->cost * 1e3);
    else if (run->loop.n <= run->unit)
        snprintf(why, size, "one task cannot be shared");
    else if (run->width < 2)
        snprintf(why, size, "there is one CPU to run on");
    else if (run->cost > 0)
        snprintf(why, size, "%s would have saved %.3g ms and cost %.3g ms",
                 place, run->gain * 1e3, run->cost * 1e3);
    else
        snprintf(why, size, "over before %s could pay", place);
}

void tt_why(tutti_report *report, const struct tutti_run *run)
{
    bool spread = run->invited > 0;
    const char *name =
        run->automatic && !spread ? "serial" : run->place->ops->name;
    snprintf(report->place, sizeof report->place, "%s", name);
    report->n = run->loop.n;
    report->spread_at = spread ? (double)(run->spread - run->began) * 1e-9 : -1;
    report->gain = run->gain;
    report->cost = run->cost;
    sentence(report, run);
}
