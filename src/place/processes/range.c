#include "place/processes/range.h"

#include <math.h>
#include <stdio.h>

#include "core/budget.h"
#include "core/clock.h"

/* A range of 10 ms makes 50 us of feeding 0.5 %, and a second one that waits
 * in the worker is 10 ms that another could run: not when tasks are long, and
 * not towards the end. The last ranges are a share of what is left. */
#define TARGET_NS 10e6
#define FLOOR_NS 1e6
#define TARGET_BYTES 4e6
#define GROWTH 4

/* Many tasks that are known to be short keep a worker busy for so long before
 * another one is worth its waking; few go to all. */
#define PART_NS 50e3
#define FEW 4
#define TRIP_NS 600e3
#define TAIL 3

/* A queue's tasks differ; few wait behind a long one in its range. */
#define QUEUE_MOST 8

#define AGAIN_NS 2000000u /* until the budget is asked again */

/* Tasks of a nested loop that do nothing for so long may wait for one that has
 * not begun. */
#define STILL_NS 1000000000u

/* Whether a process is there for a seat that has none, or on its way. */
static bool any_free(const struct tt_feeder *f)
{
    const struct tt_process *p = f->processes;
    while (p && p->state != TT_PROCESS_STARTS && p->state != TT_PROCESS_IDLE &&
           !(p->seat && p->seat->feed->run->endless && !p->seat->busy))
        p = p->next;
    return p;
}

bool tt_range_dealt(const struct tt_feeder *f, const struct tt_feed *feed)
{
    const struct tt_seat *seat = feed->deal ? feed->seats : NULL;
    while (seat && (seat->dealt || (!seat->process && !any_free(f))))
        seat = seat->next;
    return !seat;
}

/* Tasks to be dealt. */
static double left_of(const struct tt_feed *feed)
{
    size_t left = tt_run_left(feed->run);
    for (size_t i = 0; i < feed->ledger.count; i++) {
        const struct tt_entry *entry = &feed->ledger.entries[i];
        if (!entry->worker)
            left += entry->range.end - entry->range.begin;
    }
    return (double)left;
}

bool tt_range_divides(const struct tt_feed *feed)
{
    return feed->message->gives &&
           tt_ledger_divides(&feed->ledger, feed->run->unit);
}

static double workers_of(struct tt_feed *feed)
{
    return atomic_load_explicit(&feed->run->joined, memory_order_relaxed);
}

/* What earlier runs of the function took says how many to begin with, within
 * the share that a pool would give; these tasks may differ. Few short ones are
 * dealt at once, where workers give back what they had better not run. */
static double first_tasks(const struct tt_feed *feed)
{
    double seats = 0, without = 0, left = left_of(feed);
    double each = feed->run->expected;
    for (const struct tt_seat *seat = feed->seats; seat; seat = seat->next) {
        seats++;
        without += !seat->dealt;
    }
    if (each <= 0)
        return 1;
    if (feed->message->gives && without && left * each < FLOOR_NS * without) {
        double parts = left > FEW * seats ? ceil(left * each / PART_NS) : seats;
        return ceil(left / fmin(parts, without));
    }
    return fmin(left / (4 * seats), FLOOR_NS / each);
}

/* Tasks of a range where that is given: one that may have to be killed is
 * alone; so are the ranges of a worker that will be replaced. 0: it is not. */
static size_t tasks_given(const struct tt_feed *feed)
{
    if (feed->run->options.task_timeout > 0 || feed->seeks ||
        (feed->unread && tt_ledger_held(&feed->ledger, 0)))
        return 1;
    if (feed->message->range_tasks)
        return feed->message->range_tasks;
    return feed->message->ranges_most ? 1 : 0;
}

static size_t tasks_of(const struct tt_feeder *f, struct tt_feed *feed)
{
    double tasks = GROWTH * (double)feed->range;
    double each = feed->grain.per_task;
    if (tasks_given(feed))
        return tasks_given(feed);
    if (each == 0 || !tt_range_dealt(f, feed))
        tasks = first_tasks(feed);
    if (each == 0)
        return tasks > 1 ? (size_t)tasks : 1;
    if (tasks * each > TARGET_NS)
        tasks = TARGET_NS / each;
    if (tasks * feed->bytes > TARGET_BYTES)
        tasks = TARGET_BYTES / feed->bytes;
    double left = left_of(feed);
    double tail = left / (TAIL * workers_of(feed));
    if (tail < FLOOR_NS / each)
        tail = FLOOR_NS / each;
    /* A range that reaches to the front is the caller's before it is sent. */
    if (feed->run->caller && tail > left / 2)
        tail = left / 2;
    if (tasks > tail)
        tasks = tail;
    if (feed->run->endless)
        tasks = fmin(tasks, fmin(QUEUE_MOST, left / workers_of(feed)));
    return tasks > 1 ? (size_t)tasks : 1;
}

/* Ranges that a process may hold. */
static size_t depth_of(const struct tt_feeder *f, struct tt_feed *feed)
{
    double each = feed->grain.per_task;
    double left = left_of(feed) * each;
    bool plenty = left > 2 * TARGET_NS * workers_of(feed);
    bool even = (double)feed->longest < 4 * TARGET_NS;
    bool alone = feed->run->options.task_timeout > 0 ||
                 feed->message->ranges_most || !tt_range_dealt(f, feed);
    return plenty && even && !alone ? 2 : 1;
}

static void learn_bytes(struct tt_feed *feed, size_t bytes, size_t tasks)
{
    double each = (double)bytes / (double)tasks;
    if (each > feed->bytes)
        feed->bytes = each;
}

void tt_range_note_news(struct tt_feeder *f, tutti_run *run)
{
    if (run->unsettles || !run->loop.message->settle)
        return;
    tt_run_count_in(run, 1);
    run->unsettles = true;
    run->unsettled = f->unsettled;
    f->unsettled = run;
}

void tt_range_fail(struct tt_feeder *f, struct tt_feed *feed,
                   const struct tt_range *range, tutti_status status,
                   const char *why)
{
    tutti_run *run = feed->run;
    if (!feed->message->lost) {
        tt_run_fail(run, range->begin, status, why);
        return;
    }
    feed->message->lost(run->loop.context, range->begin, range->end, status,
                        why);
    atomic_fetch_add_explicit(&run->done, range->end - range->begin,
                              memory_order_relaxed);
    tt_range_note_news(f, run);
}

/* Items that cannot be sent, or not so many at once, are left to a caller that
 * runs tasks; else the first of them fails, found by smaller ranges. */
static void not_encoded(struct tt_feeder *f, struct tt_feed *feed,
                        const struct tt_range *range, tutti_status status)
{
    tutti_run *run = feed->run;
    char why[TT_DETAIL_SIZE + 40];
    snprintf(why, sizeof why, "task %zu cannot be sent to a worker%s%s",
             range->begin, *tutti_detail() ? ": " : "", tutti_detail());
    bool again = tt_ledger_held(&feed->ledger, 0) > 0;
    if (run->caller && !again) {
        tt_feed_break(feed, status, why);
        return;
    }
    feed->seeks = !again && range->end - range->begin > run->unit;
    if (feed->seeks)
        return;
    if (feed->message->lost && !tt_ledger_skip(&feed->ledger, run, range))
        return;
    tt_range_fail(f, feed, range, status, why);
    if (!feed->message->lost)
        tt_ledger_close(&feed->ledger, range->begin);
}

/* Puts `range` into `out` as a frame. */
static tutti_status encode(struct tt_seat *seat, const struct tt_range *range,
                           tutti_bytes *out)
{
    struct tt_feed *feed = seat->feed;
    struct tt_frame frame = {.kind = TT_FRAME_RANGE,
                             .loop = feed->loop,
                             .begin = range->begin,
                             .end = range->end,
                             .worker = seat->lane->worker};
    struct tt_mark mark;
    tutti_status status = tt_frame_open(out, &mark);
    if (status)
        return status;
    tt_detail_clear();
    status = feed->message->encode_range(feed->run->loop.context, range->begin,
                                         range->end, seat->sitting, out);
    if (!status)
        status = tt_frame_close(out, mark, frame);
    return status;
}

/* Whether a caller who works will have done what is left before a range could
 * be there and back. */
static bool little_left(struct tt_feed *feed)
{
    tutti_run *run = feed->run;
    size_t done = atomic_load_explicit(&run->done, memory_order_relaxed);
    if (!run->caller || done == 0 || tt_ledger_held(&feed->ledger, 0))
        return false;
    double each = (double)(tt_clock() - run->began) / (double)done;
    return each * workers_of(feed) * (double)tt_run_left(run) < TRIP_NS;
}

bool tt_range_worn_out(const struct tt_seat *seat)
{
    unsigned most = seat->feed->message->ranges_most;
    return most && seat->process->ranges >= most;
}

/* Encodes before it claims, so that a task that cannot travel stays where the
 * caller finds it. False: nothing was sent and there is no use to try again. */
static bool send_one(struct tt_feeder *f, struct tt_seat *seat)
{
    struct tt_feed *feed = seat->feed;
    struct tt_process *p = seat->process;
    struct tt_range range;
    struct tt_entry *entry = NULL;
    tutti_bytes *out = &p->channel.out;
    struct tt_mark mark = {out->size, out->count};
    if (feed->broken || little_left(feed) ||
        (seat->dealt && !tt_range_dealt(f, feed)) || tt_range_worn_out(seat) ||
        !tt_ledger_next(&feed->ledger, feed->run, tasks_of(f, feed), &range))
        return false;
    uint64_t from = tt_clock();
    tutti_status status = encode(seat, &range, out);
    if (status)
        not_encoded(f, feed, &range, status);
    else if (tt_ledger_take(&feed->ledger, feed->run, &range, p->number,
                            &entry))
        tt_feed_break(feed, TUTTI_EMEM, tutti_detail());
    uint64_t now = tt_clock();
    seat->encoded += now - from;
    if (!entry) {
        tt_frame_give_up(out, mark);
        return !feed->broken;
    }
    learn_bytes(feed, tt_frame_bytes(out, mark), range.end - range.begin);
    feed->range = range.end - range.begin;
    seat->dealt = true;
    seat->process->ranges++;
    double limit = feed->run->options.task_timeout;
    if (limit > 0 && limit < 1e9)
        entry->deadline = now + (uint64_t)(limit * 1e9);
    return true;
}

static bool is_led(const struct tt_feed *feed)
{
    const struct tt_seat *seat = feed->seats;
    while (seat && !seat->leads)
        seat = seat->next;
    return seat;
}

/* What the workers with a turn have computed, ever. */
static uint64_t cpu_of(const struct tt_feed *feed)
{
    uint64_t ns = 0;
    for (const struct tt_seat *seat = feed->seats; seat; seat = seat->next) {
        clockid_t clock;
        if (seat->busy && seat->process &&
            !clock_getcpuclockid(seat->process->pid, &clock))
            ns += tt_clock_of(clock);
    }
    return ns;
}

/* Since a while, no task has ended and hardly one computes. */
static bool stands_still(struct tt_feed *feed, uint64_t now)
{
    uint64_t time = now - feed->seen;
    if (time < STILL_NS)
        return false;
    uint64_t cpu = cpu_of(feed);
    size_t done = atomic_load_explicit(&feed->run->done, memory_order_relaxed);
    bool still = feed->seen && done == feed->seen_done &&
                 cpu - feed->seen_cpu < time / 2;
    feed->seen = now;
    feed->seen_cpu = cpu;
    feed->seen_done = done;
    return still;
}

bool tt_range_turn(struct tt_feeder *f, struct tt_seat *seat)
{
    if (seat->busy || !tt_run_by_turns(seat->feed->run))
        return true;
    if (!tt_budget_nested)
        tt_budget_add(1);
    else if (!is_led(seat->feed))
        seat->leads = true;
    else if (stands_still(seat->feed, f->now))
        tt_budget_add(1);
    else if (!tt_budget_take(1)) {
        tt_feeder_due(f, f->now + AGAIN_NS);
        return false;
    }
    return seat->busy = true;
}

void tt_range_end_turn(struct tt_seat *seat)
{
    if (seat->busy && !seat->leads)
        tt_budget_give(1);
    seat->busy = seat->leads = false;
}

bool tt_range_send(struct tt_feeder *f, struct tt_seat *seat)
{
    struct tt_feed *feed = seat->feed;
    struct tt_process *p = seat->process;
    while (tt_ledger_held(&feed->ledger, p->number) < depth_of(f, feed) &&
           send_one(f, seat))
        ;
    tt_channel_send(&p->channel, false);
    struct tt_entry *entry = tt_ledger_runs(&feed->ledger, p->number);
    if (entry)
        tt_feeder_due(f, f->now + TT_LOOK_NS);
    if (entry && entry->deadline != UINT64_MAX)
        tt_feeder_due(f, entry->deadline);
    if (entry && seat->lane->kind == TT_WAIT)
        tt_lane_turn(seat->lane, TT_COPY, tt_clock());
    if (entry)
        tt_range_turn(f, seat);
    else
        tt_range_end_turn(seat);
    return entry != NULL;
}

/* The times are the worker's, of the same clock; what it says is kept within
 * what is possible. */
static void account(struct tt_seat *seat, uint64_t *from, uint64_t *to)
{
    struct tt_lane *lane = seat->lane;
    uint64_t now = tt_clock(), since = lane->since;
    *from = *from < since ? since : *from > now ? now : *from;
    *to = *to < *from ? *from : *to > now ? now : *to;
    uint64_t gap = *from - since;
    uint64_t encoded = seat->encoded < gap ? seat->encoded : gap;
    seat->encoded = 0;
    tt_lane_turn(lane, TT_ENCODE, since);
    tt_lane_turn(lane, TT_COPY, since + encoded);
    tt_lane_turn(lane, TT_USER, *from);
    tt_lane_turn(lane, TT_COPY, *to);
}

/* Only a unit is to blame for what its worker cannot read. */
static void fail_unread(struct tt_feeder *f, struct tt_feed *feed,
                        uint64_t number, struct tt_range range)
{
    char why[TT_DETAIL_SIZE];
    snprintf(why, sizeof why,
             "its worker cannot read the items of tasks %zu..%zu", range.begin,
             range.end - 1);
    if (tt_ledger_done(&feed->ledger, number, range.begin, range.end))
        tt_range_fail(f, feed, &range, TUTTI_ESYS, why);
}

/* A range came back that its worker cannot read: one task of it, perhaps. */
static tutti_status unread(struct tt_feeder *f, struct tt_seat *seat,
                           const struct tt_frame *frame)
{
    struct tt_feed *feed = seat->feed;
    uint64_t number = seat->process->number, from = frame->to, to = frame->to;
    const struct tt_entry *entry = tt_ledger_runs(&feed->ledger, number);
    if (frame->loop != feed->loop || !entry ||
        entry->range.begin != frame->begin)
        return tt_fail(TUTTI_ESYS, "it gave back tasks that it did not have");
    account(seat, &from, &to);
    if (entry->range.end - entry->range.begin <= feed->run->unit)
        fail_unread(f, feed, number, entry->range);
    else
        feed->unread = tt_ledger_give(&feed->ledger, number, frame->begin);
    return TUTTI_OK;
}

tutti_status tt_range_done(struct tt_feeder *f, struct tt_seat *seat,
                           const struct tt_frame *frame,
                           const tutti_parcel *parcel)
{
    struct tt_feed *feed = seat->feed;
    tutti_run *run = feed->run;
    struct tt_range range = {frame->begin, frame->end};
    uint64_t from = frame->from, to = frame->to;
    if (frame->kind == TT_FRAME_PART && frame->begin == frame->end)
        return unread(f, seat, frame);
    size_t failed = SIZE_MAX, tasks = range.end - range.begin;
    uint64_t number = seat->process->number;
    const struct tt_entry *entry = tt_ledger_runs(&feed->ledger, number);
    bool part = frame->kind == TT_FRAME_PART;
    if (frame->loop != feed->loop ||
        (part && entry && entry->range.end <= range.end) ||
        !tt_ledger_done(&feed->ledger, number, range.begin, range.end) ||
        (part && !tt_ledger_give(&feed->ledger, number, range.end)))
        return tt_fail(TUTTI_ESYS, "results of tasks that it did not have");
    account(seat, &from, &to);
    tt_detail_clear();
    uint64_t start = tt_clock();
    tutti_status status = feed->message->decode_range(
        run->loop.context, range.begin, range.end, parcel, &failed);
    seat->encoded += tt_clock() - start;
    tt_range_note_news(f, run);
    if (status)
        tt_range_fail(f, feed, &range, status, tutti_detail());
    else if (failed >= range.begin && failed < range.end)
        tt_run_task_failed(run, failed);
    if (status || (failed >= range.begin && failed < range.end))
        tasks = status ? 0 : failed - range.begin;
    tt_run_ran(run, seat->lane, &range, tasks, from, to);
    tt_grain_learn(&feed->grain, tasks, to - from + 1);
    learn_bytes(feed, tt_parcel_bytes(parcel), range.end - range.begin);
    feed->crashes = 0;
    feed->longest -= feed->longest / 8; /* a stall is forgotten */
    if (to - from > feed->longest)
        feed->longest = to - from;
    return TUTTI_OK;
}

void tt_range_look_after(struct tt_feeder *f, struct tt_process *p)
{
    if (p->state != TT_PROCESS_PREPARES &&
        !tt_ledger_runs(&p->seat->feed->ledger, p->number))
        return;
    if (f->now >= p->nudged + TT_LOOK_NS) {
        if (p->nudged)
            tt_channel_nudge(&p->channel);
        p->nudged = f->now;
    }
    tt_feeder_due(f, p->nudged + TT_LOOK_NS);
}
