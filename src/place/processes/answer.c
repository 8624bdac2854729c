/* What processes answer, and who is to blame for those that do not. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "core/clock.h"
#include "place/processes/pool.h"
#include "place/processes/range.h"
#include "place/processes/seat.h"

#define CRASHES_MOST 3 /* workers a seat that die without a range */

/* The tasks that a lost process answers for: the one that it ran. Those before
 * it have run too; a queue's tasks are not run twice unasked. */
static struct tt_range guilty(struct tt_feed *feed, struct tt_process *p,
                              const struct tt_entry *entry)
{
    tutti_run *run = feed->run;
    struct tt_range range = entry->range;
    size_t at = tt_process_at(p);
    if (at < range.begin || at >= range.end)
        at = range.begin;
    at -= at % run->unit;
    if (!(run->endless || feed->message->once) || run->options.retries)
        range.begin = at > range.begin ? at : range.begin;
    if (range.end - at > run->unit)
        range.end = at + run->unit;
    return range;
}

/* Where the last unit of a range begins. */
static size_t last_unit(const tutti_run *run, const struct tt_range *range)
{
    return range->begin +
           (range->end - range->begin - 1) / run->unit * run->unit;
}

/* Whether a process has taken its job. */
static bool has_prepared(const struct tt_process *p)
{
    return p->again ? tt_channel_prepared(&p->channel) == p->jobs : !p->answers;
}

/* A worker died that ran no range: it prepared, or all its results are here.
 * Nothing is lost with it, so others may go on, but not for ever: all seats may
 * have lost theirs at once. */
static void crashed(struct tt_feed *feed, struct tt_process *p,
                    const char *cause)
{
    char why[TT_DETAIL_SIZE];
    snprintf(why, sizeof why, "a worker process (pid %ld) %s while it %s",
             (long)p->pid, cause,
             has_prepared(p) ? "waited for tasks, all it had being done"
                             : "prepared for the function");
    unsigned seats = 0;
    for (struct tt_seat *seat = feed->seats; seat; seat = seat->next)
        seats++;
    if (++feed->crashes >= (CRASHES_MOST + feed->run->options.retries) * seats)
        tt_feed_break(feed, TUTTI_ELOST, why);
}

void tt_seat_cut_overdue(struct tt_feeder *f, struct tt_seat *seat)
{
    struct tt_feed *feed = seat->feed;
    struct tt_process *p = seat->process;
    struct tt_entry *entry = tt_ledger_runs(&feed->ledger, p->number);
    if (!entry || entry->deadline > f->now) {
        if (entry && entry->deadline != UINT64_MAX)
            tt_feeder_due(f, entry->deadline);
        return;
    }
    tutti_run *run = feed->run;
    struct tt_range late = guilty(feed, p, entry);
    char why[TT_DETAIL_SIZE];
    tt_seat_cut_off(f, seat);
    tt_lane_turn(seat->lane, TT_STARTUP, tt_clock());
    if (!has_prepared(p)) {
        tt_ledger_release(&feed->ledger, p->number);
        crashed(feed, p, "was killed, as it was silent for too long,");
        return;
    }
    if (!tt_ledger_lost(&feed->ledger, p->number, run->options.retries, &late))
        return;
    snprintf(why, sizeof why,
             "task %zu took longer than the %g s it may take; worker %u (pid "
             "%ld), which ran it, was killed",
             late.begin, run->options.task_timeout, seat->lane->worker,
             (long)p->pid);
    tt_range_fail(f, feed, &late, TUTTI_ETIME, why);
}

void tt_feed_lost(struct tt_feeder *f, struct tt_process *p, const char *cause)
{
    struct tt_seat *seat = p->seat;
    struct tt_feed *feed = seat->feed;
    tutti_run *run = feed->run;
    struct tt_entry *entry;
    char why[TT_DETAIL_SIZE];
    seat->process = NULL;
    p->seat = NULL;
    tt_feeder_due(f, 0);
    if (seat->lane)
        tt_lane_turn(seat->lane, TT_STARTUP, tt_clock());
    entry = tt_ledger_runs(&feed->ledger, p->number);
    if (p->loop != feed->loop || !entry || !has_prepared(p)) {
        tt_ledger_release(&feed->ledger, p->number);
        crashed(feed, p, cause);
        return;
    }
    struct tt_range lost = guilty(feed, p, entry), before = lost;
    if (!tt_ledger_lost(&feed->ledger, p->number, run->options.retries, &lost))
        return;
    snprintf(why, sizeof why, "worker %u (pid %ld) %s while it ran task %zu",
             seat->lane->worker, (long)p->pid, cause, lost.end - 1);
    lost.begin = before.end = last_unit(run, &lost);
    if (before.begin < before.end)
        tt_range_fail(f, feed, &before, TUTTI_ECANCEL, why);
    tt_range_fail(f, feed, &lost, TUTTI_ELOST, why);
    if (!feed->message->lost)
        tt_run_close(run, TUTTI_ELOST, why);
}

bool tt_feed_stopped(struct tt_feeder *f, struct tt_process *p, const char *how)
{
    struct tt_feed *feed = p->seat ? p->seat->feed : NULL;
    char line[TT_DETAIL_SIZE];
    if (!feed || !has_prepared(p) || !tt_ledger_runs(&feed->ledger, p->number))
        return false;
    if (!feed->message->say)
        return true;
    int size = snprintf(line, sizeof line,
                        "worker %u (pid %ld) %s and the loop waits for it: "
                        "\"kill -CONT %ld\" lets it go on; task_timeout would "
                        "end its task",
                        p->seat->lane->worker, (long)p->pid, how, (long)p->pid);
    feed->message->say(feed->run->loop.context, TUTTI_SAYS_WARNING, line,
                       (size_t)size);
    tt_range_note_news(f, feed->run);
    return true;
}

static void refused(struct tt_feeder *f, struct tt_process *p, const char *data,
                    size_t size)
{
    struct tt_seat *seat = p->seat;
    char why[TT_DETAIL_SIZE];
    tt_staff_turn(f, p, TT_PROCESS_IDLE);
    p->keeps = false;
    if (!seat)
        return;
    tt_ledger_release(&seat->feed->ledger, p->number);
    snprintf(why, sizeof why,
             "a worker process (pid %ld) cannot run this function%s%.*s",
             (long)p->pid, size ? ": " : "", size < 400 ? (int)size : 400,
             data);
    tt_feed_break(seat->feed, TUTTI_EPLACE, why);
    tt_seat_leave(f, seat);
}

/* What it prints goes to whom it works for, else to this process's own. */
static void said(struct tt_feeder *f, struct tt_process *p,
                 const struct tt_frame *frame, const char *text, size_t size)
{
    struct tt_feed *feed = p->seat ? p->seat->feed : NULL;
    tutti_voice voice = (tutti_voice)frame->worker;
    if (feed && frame->loop == feed->loop && feed->message->say) {
        feed->message->say(feed->run->loop.context, voice, text, size);
        tt_range_note_news(f, feed->run);
        return;
    }
    int fd = voice == TUTTI_SAYS_OUT   ? STDOUT_FILENO
             : voice == TUTTI_SAYS_ERR ? STDERR_FILENO
                                       : -1;
    while (fd >= 0 && size) {
        ssize_t n = write(fd, text, size);
        if (n < 0 && errno != EINTR)
            return;
        text += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
}

/* A process is not any more what it was taken to be, prepared. It ran none of
 * the tasks that it was given. */
static void has_forgotten(struct tt_feeder *f, struct tt_process *p)
{
    struct tt_seat *seat = p->seat;
    if (seat) {
        tt_ledger_release(&seat->feed->ledger, p->number);
        if (seat->lane)
            tt_lane_turn(seat->lane, TT_STARTUP, tt_clock());
        tt_seat_cut_off(f, seat);
    } else {
        tt_staff_kill(f, p);
    }
    tt_feeder_due(f, 0);
}

/* It is prepared since `at`, by its own clock. */
static void is_prepared(struct tt_feeder *f, struct tt_process *p, uint64_t at)
{
    struct tt_seat *seat = p->seat;
    uint64_t now = tt_clock();
    if (!seat && p->state == TT_PROCESS_PREPARES)
        tt_staff_turn(f, p, TT_PROCESS_IDLE);
    else if (seat && p->state == TT_PROCESS_PREPARES)
        tt_seat_join(f, seat);
    else if (seat && seat->lane)
        tt_lane_turn(seat->lane, TT_COPY,
                     at < seat->lane->since ? seat->lane->since
                     : at < now             ? at
                                            : now);
}

/* The answer to a job; only that to the last one matters. */
static tutti_status heard_job(struct tt_feeder *f, struct tt_process *p,
                              const struct tt_frame *frame,
                              const tutti_parcel *parcel)
{
    bool ready = frame->kind == TT_FRAME_PREPARED;
    if (frame->end < p->jobs && frame->kind == TT_FRAME_REFUSED)
        return TUTTI_OK;
    if (frame->end != p->jobs || (!ready && frame->kind != TT_FRAME_REFUSED) ||
        (!p->answers && (ready || !p->again)))
        return tt_fail(TUTTI_ESYS, "a message of kind %u was not expected",
                       frame->kind);
    p->answers = false;
    if (p->state >= TT_PROCESS_LOST && !ready && p->seat)
        tt_ledger_release(&p->seat->feed->ledger, p->number);
    if (p->state >= TT_PROCESS_LOST)
        return TUTTI_OK;
    if (ready)
        is_prepared(f, p, frame->to);
    else if (p->again)
        has_forgotten(f, p);
    else
        refused(f, p, parcel->data, parcel->size);
    return TUTTI_OK;
}

/* A queue's next task goes to who had the last: it has memory and caches that
 * are warm, and others need not have as much. */
static void put_first(struct tt_seat *seat)
{
    struct tt_seat **at = &seat->feed->seats;
    while (*at != seat)
        at = &(*at)->next;
    *at = seat->next;
    seat->next = seat->feed->seats;
    seat->feed->seats = seat;
}

tutti_status tt_feed_hear(struct tt_feeder *f, struct tt_process *p,
                          const struct tt_frame *frame,
                          const tutti_parcel *parcel)
{
    struct tt_seat *seat = p->seat;
    if (frame->kind == TT_FRAME_SAID) {
        said(f, p, frame, parcel->data, parcel->size);
        return TUTTI_OK;
    }
    if (frame->kind != TT_FRAME_DONE && frame->kind != TT_FRAME_PART)
        return heard_job(f, p, frame, parcel);
    if (!seat && p->state >= TT_PROCESS_LOST)
        return TUTTI_OK;
    if (!seat || !seat->lane || p->answers)
        return tt_fail(TUTTI_ESYS, "results of tasks that it did not have");
    p->zygote->since = f->now;
    if (seat->feed->run->endless)
        put_first(seat);
    tutti_status status = tt_range_done(f, seat, frame, parcel);
    if (!status && p->state == TT_PROCESS_WORKS)
        tt_seat_serve(f, seat);
    return status;
}
