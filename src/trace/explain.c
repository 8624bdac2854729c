#include <tutti/report.h>

#include "trace/log.h"
#include "trace/text.h"

/* What ran where, and how long. */
static void add_headline(struct tt_text *to, const tutti_report *r)
{
    if (r->done < r->n)
        tt_text_add(to, "%zu of ", r->done);
    tt_text_add(to, "%zu task%s on %.31s, ", r->n, r->n == 1 ? "" : "s",
                r->place[0] ? r->place : "auto");
    if (r->joined < r->lanes)
        tt_text_add(to, "%u of ", r->joined);
    tt_text_add(to, "%u worker%s: %s", r->lanes, r->lanes == 1 ? "" : "s",
                tt_text_time(r->wall).text);
    if (r->joined > 1 && r->wall > 0)
        tt_text_add(to, " for %s of work (%.2fx)", tt_text_time(r->user).text,
                    r->user / r->wall);
    tt_text_add(to, "\n");
}

static void add_tasks(struct tt_text *to, const tutti_report *r)
{
    if (!r->done || !r->ranges)
        return;
    tt_text_add(to, "tasks  %s each, ", tt_text_time(r->task).text);
    if (r->ranges == 1)
        tt_text_add(to, "in one range\n");
    else
        tt_text_add(to, "in %zu ranges of %.*f on average\n", r->ranges,
                    r->done < 10 * r->ranges,
                    (double)r->done / (double)r->ranges);
}

void tt_text_why(struct tt_text *to, const tutti_report *r)
{
    struct tt_time gain = tt_text_time(r->gain), cost = tt_text_time(r->cost);
    switch (r->reason) {
    case TUTTI_WHY_ASKED:
        tt_text_add(to, "%.31s was asked for", r->place);
        return;
    case TUTTI_WHY_PAYS:
        tt_text_add(to,
                    "%s after the start, sharing the rest was expected to "
                    "save %s and to cost %s",
                    tt_text_time(r->spread_at).text, gain.text, cost.text);
        return;
    case TUTTI_WHY_COSTS:
        tt_text_add(to, "sharing would have saved %s and cost %s", gain.text,
                    cost.text);
        return;
    case TUTTI_WHY_ENDED:
        tt_text_add(to, "over before it was worth a look");
        return;
    case TUTTI_WHY_ONE_TASK:
        tt_text_add(to, "one task cannot be shared");
        return;
    case TUTTI_WHY_ONE_CPU:
        tt_text_add(to, "there is one CPU to run on");
        return;
    }
    tt_text_add(to, "unknown");
}

/* Where lanes x wall went; what is below 0.05 % is left out. */
static void add_times(struct tt_text *to, const tutti_report *r)
{
    const struct {
        const char *name;
        double seconds;
        const char *meaning;
    } rows[] = {
        {tt_text_kind(TT_USER), r->user, "in the tasks"},
        {tt_text_kind(TT_ENCODE), r->encode, "items and results as bytes"},
        {tt_text_kind(TT_CLAIM), r->claim, "taking ranges, bookkeeping"},
        {tt_text_kind(TT_COPY), r->copy, "moving bytes"},
        {tt_text_kind(TT_WAIT), r->wait, "the caller, for others' last ranges"},
        {tt_text_kind(TT_STARTUP), r->startup, "workers on their way"},
        {tt_text_kind(TT_IDLE), r->idle, "workers without work"},
        {tt_text_kind(TT_KINDS), r->unknown, "not explained"},
    };
    double all = r->lanes * r->wall;
    if (!(all > 0))
        return;
    tt_text_add(to, "time   %u x %s went to\n", r->lanes,
                tt_text_time(r->wall).text);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double share = 100 * rows[i].seconds / all;
        if (share >= 0.05 || share <= -0.05)
            tt_text_add(to, "       %-8s %5.1f %%  %8s  %s\n", rows[i].name,
                        share, tt_text_time(rows[i].seconds).text,
                        rows[i].meaning);
    }
}

size_t tutti_report_text(const tutti_report *report, char *text, size_t size)
{
    struct tt_text to = {.to = text, .size = size};
    if (size)
        text[0] = 0;
    if (!report || report->size != sizeof *report)
        return 0;
    add_headline(&to, report);
    tt_text_add(&to, "why    ");
    tt_text_why(&to, report);
    tt_text_add(&to, "\n");
    add_tasks(&to, report);
    add_times(&to, report);
    return to.length;
}

size_t tutti_explain(char *text, size_t size)
{
    const struct tt_last *last = tt_trace_last();
    return tutti_report_text(last ? &last->loop.report : NULL, text, size);
}
