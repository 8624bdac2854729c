#define _GNU_SOURCE /* strcasestr */
#include <tutti/report.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "trace/log.h"
#include "trace/text.h"

#define COLUMNS_LEAST 40
#define COLUMNS_MOST 500
#define MARGINS 17 /* the worker's name, two bars, its share */

/* Kinds that are drawn beside the tasks. */
static const char *const marks[TT_KINDS] = {
    [TT_STARTUP] = "s",
    [TT_ENCODE] = "e",
    [TT_COPY] = "c",
    [TT_WAIT] = "w",
};

struct drawing {
    struct tt_text to;
    const struct tt_last *last;
    unsigned columns; /* of the time line */
    unsigned drawn;   /* workers */
    bool utf8;
    bool seen[TT_KINDS];
    float share[COLUMNS_MOST][TT_KINDS]; /* of the lane being drawn */
};

/* As setlocale() would choose; a program need not have called it. */
static bool locale_is_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (value && value[0])
            return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
    }
    return false;
}

/* Spreads an event's busy time evenly over the columns that it touches. */
static void add_event(struct drawing *d, const struct tt_event *e)
{
    const struct tt_kept *loop = &d->last->loop;
    double width = (double)(loop->ended - loop->began) / d->columns;
    if (!(width > 0) || e->to <= e->from || e->from < loop->began ||
        e->from >= loop->ended)
        return;
    double from = (double)(e->from - loop->began) / width;
    double to = (double)(e->to - loop->began) / width;
    double density = (double)e->busy / (double)(e->to - e->from);
    for (unsigned c = (unsigned)from; c < d->columns && c < to; c++) {
        double left = from > c ? from : c, right = to < c + 1 ? to : c + 1;
        d->share[c][e->kind] += (float)((right - left) * density);
    }
}

/* The character of a column: another kind's mark where it outweighs the
 * tasks, else how full of tasks it is. */
static const char *column(struct drawing *d, const float share[TT_KINDS])
{
    static const char *const blocks[] = {" ", "▁", "▂", "▃", "▄",
                                         "▅", "▆", "▇", "█"};
    static const char *const ascii[] = {" ", ".", ":", "+", "#"};
    unsigned best = TT_USER, steps = d->utf8 ? 8 : 4;
    for (unsigned k = 0; k < TT_KINDS; k++)
        if (marks[k] && share[k] > share[best] && share[k] > 0.2f)
            best = k;
    d->seen[best] = true;
    if (best != TT_USER)
        return marks[best];
    unsigned level = (unsigned)(share[TT_USER] * (float)steps + 0.5f);
    if (!level && share[TT_USER] > 0)
        level = 1;
    if (level > steps)
        level = steps;
    return d->utf8 ? blocks[level] : ascii[level];
}

/* Draws a worker with its events [first, end). */
static void draw_lane(struct drawing *d, unsigned worker, size_t first,
                      size_t end)
{
    double user = 0;
    memset(d->share, 0, sizeof d->share);
    for (size_t i = first; i < end; i++)
        add_event(d, &d->last->events[i]);
    if (worker)
        tt_text_add(&d->to, "worker%3u|", worker);
    else
        tt_text_add(&d->to, "caller   |");
    for (unsigned c = 0; c < d->columns; c++) {
        user += d->share[c][TT_USER];
        tt_text_add(&d->to, "%s", column(d, d->share[c]));
    }
    tt_text_add(&d->to, "|%4.0f %%\n", 100 * user / d->columns);
    d->drawn++;
}

/* The caller, and the workers that came: events stand worker after worker. */
static void draw_lanes(struct drawing *d)
{
    const struct tt_event *events = d->last->events;
    size_t count = d->last->loop.count, end;
    if (!count || events[0].worker)
        draw_lane(d, 0, 0, 0);
    for (size_t i = 0; i < count; i = end) {
        for (end = i + 1; end < count; end++)
            if (events[end].worker != events[i].worker)
                break;
        draw_lane(d, events[i].worker, i, end);
    }
}

static void draw_axis(struct drawing *d)
{
    double wall = d->last->loop.report.wall;
    struct tt_time half = tt_text_time(wall / 2), end = tt_text_time(wall);
    int middle = (int)(d->columns / 2 + strlen(half.text) / 2);
    tt_text_add(&d->to, "%9s+", "");
    for (unsigned c = 0; c < d->columns; c++)
        tt_text_add(&d->to, c == d->columns / 2 ? "+" : "-");
    tt_text_add(&d->to, "+\n%9s 0%*s%*s\n", "", middle - 1, half.text,
                (int)d->columns + 1 - middle, end.text);
}

/* One entry of the legend; `used` is the width of its line so far. */
static void draw_entry(struct drawing *d, size_t *used, const char *mark,
                       const char *name)
{
    size_t width = 4 + strlen(name);
    if (*used && *used + width > d->columns + MARGINS) {
        tt_text_add(&d->to, "\n");
        *used = 0;
    }
    if (!*used) {
        tt_text_add(&d->to, "%8s", "");
        *used = 8;
    }
    tt_text_add(&d->to, "  %s %s", mark, name);
    *used += width;
}

static void draw_legend(struct drawing *d)
{
    size_t used = 0;
    draw_entry(d, &used, d->utf8 ? "█" : "#", "tasks");
    for (unsigned k = 0; k < TT_KINDS; k++)
        if (marks[k] && d->seen[k])
            draw_entry(d, &used, marks[k], tt_text_kind(k));
    tt_text_add(&d->to, "\n");
}

/* What the drawing does not show one by one. */
static void draw_counts(struct drawing *d)
{
    const struct tt_kept *loop = &d->last->loop;
    unsigned lanes = loop->report.lanes;
    size_t ranges = 0, events = 0;
    for (size_t i = 0; i < loop->count; i++) {
        if (d->last->events[i].kind != TT_USER)
            continue;
        ranges += d->last->events[i].ranges;
        events++;
    }
    if (lanes > d->drawn)
        tt_text_add(&d->to, "%9s %u of %u workers were not called\n", "",
                    lanes - d->drawn, lanes);
    if (ranges > events)
        tt_text_add(&d->to, "%9s %zu ranges drawn as %zu\n", "", ranges,
                    events);
    if (loop->dropped)
        tt_text_add(&d->to, "%9s %zu events missing\n", "", loop->dropped);
}

size_t tutti_trace_draw(char *text, size_t size, unsigned columns)
{
    struct drawing d = {.to = {.to = text, .size = size}};
    if (size)
        text[0] = 0;
    d.last = tt_trace_last();
    if (!d.last || !d.last->loop.traced)
        return 0;
    if (columns < COLUMNS_LEAST)
        columns = COLUMNS_LEAST;
    if (columns > COLUMNS_MOST)
        columns = COLUMNS_MOST;
    d.columns = columns - MARGINS;
    d.utf8 = locale_is_utf8();
    draw_lanes(&d);
    draw_axis(&d);
    draw_legend(&d);
    draw_counts(&d);
    return d.to.length;
}
