#include "algo/parts.h"

#include "core/clock.h"
#include "core/status.h"
#include "loop/run.h"

void tt_parts_begin(struct tt_parts *parts, const tutti_options *given,
                    size_t n)
{
    *parts = (struct tt_parts){.given = given, .n = n};
    parts->began = tt_clock();
    parts->longest = -1;
}

static int progress(void *arg, size_t done, size_t n)
{
    struct tt_parts *p = arg;
    double part = n ? (double)done / (double)n : 1;
    double all = (p->done + p->share * part) * (double)p->n;
    p->cancelled =
        p->given->progress(p->given->progress_arg, (size_t)(all + 0.5), p->n);
    return p->cancelled;
}

/* The report of the call: that of its longest part, with the sums of all. */
static void add_report(struct tt_parts *p, const tutti_report *one)
{
    tutti_report sum = p->sum;
    if (one->wall > p->longest) {
        p->longest = one->wall;
        p->sum = *one;
    }
    p->sum.n = sum.n + one->n;
    p->sum.done = sum.done + one->done;
    p->sum.ranges = sum.ranges + one->ranges;
    p->sum.wall = sum.wall + one->wall;
    p->sum.user = sum.user + one->user;
    p->sum.encode = sum.encode + one->encode;
    p->sum.claim = sum.claim + one->claim;
    p->sum.copy = sum.copy + one->copy;
    p->sum.wait = sum.wait + one->wait;
    p->sum.startup = sum.startup + one->startup;
    p->sum.idle = sum.idle + one->idle;
    p->sum.unknown = sum.unknown + one->unknown;
    *p->given->report = p->sum;
}

tutti_status tt_parts_run(struct tt_parts *parts, const tutti_loop *loop,
                          double share)
{
    if (!parts->given || parts->given->size != sizeof(tutti_options))
        return tutti_loop_run(loop, parts->given);
    if (parts->cancelled)
        return tt_fail(TUTTI_ECANCEL, TT_RUN_CANCELLED);
    tutti_options options = *parts->given;
    tutti_report one = TUTTI_REPORT_INIT;
    bool known = options.report && options.report->size == sizeof one;
    if (options.deadline > 0) {
        options.deadline -= (double)(tt_clock() - parts->began) * 1e-9;
        if (options.deadline <= 0)
            options.deadline = 1e-9;
    }
    if (options.progress) {
        options.progress = progress;
        options.progress_arg = parts;
    }
    if (known)
        options.report = &one;
    parts->share = share;
    tutti_status status = tutti_loop_run(loop, &options);
    parts->done += share;
    if (known)
        add_report(parts, &one);
    return status;
}
