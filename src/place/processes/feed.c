/* Runs and the seats that they have here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/budget.h"
#include "core/clock.h"
#include "core/thread.h"
#include "place/processes/pool.h"
#include "place/processes/range.h"
#include "place/processes/seat.h"
#include "place/processes/spawn.h"

#define GRACE_NS 25000000u    /* for ranges whose results nobody wants */
#define KEPT_MOST (32u << 10) /* bytes of a job */
#define TURN_NS 10000000u     /* of a run whose process others wait for */

static struct tt_feed *find_feed(struct tt_feeder *f, const tutti_run *run)
{
    struct tt_feed *feed = f->feeds;
    while (feed && feed->run != run)
        feed = feed->next;
    return feed;
}

void tt_feed_free(struct tt_feed *feed)
{
    if (!feed)
        return;
    tt_ledger_fini(&feed->ledger);
    tutti_bytes_clear(&feed->job);
    free(feed);
}

static struct tt_feed *make_feed(struct tt_feeder *f, tutti_run *run)
{
    struct tt_feed *feed = f->spare ? f->spare : calloc(1, sizeof *feed);
    if (!feed)
        return NULL;
    f->spare = NULL;
    feed->run = run;
    feed->message = run->loop.message;
    feed->loop = ++f->loops;
    feed->deal = run->options.place && !run->caller && !tt_budget_nested;
    f->open += run->endless;
    struct tt_feed **last = &f->feeds;
    while (*last)
        last = &(*last)->next; /* whose workers come first */
    *last = feed;
    if (feed->message->prepare)
        feed->message->prepare(run->loop.context);
    return feed;
}

/* What an open loop still has will not be run. What comes later brings new
 * seats. */
static void lose_rest(struct tt_feeder *f, struct tt_feed *feed)
{
    struct tt_range range;
    atomic_thread_fence(memory_order_seq_cst);
    const char *why = feed->status ? feed->why : "no worker was left";
    while (tt_ledger_next(&feed->ledger, feed->run, TT_CLAIM_MAX, &range))
        if (tt_ledger_skip(&feed->ledger, feed->run, &range))
            tt_range_fail(f, feed, &range,
                          feed->status ? feed->status : TUTTI_ELOST, why);
}

/* The memory is used again: most loops are short. */
static void free_feed(struct tt_feeder *f, struct tt_feed *feed)
{
    struct tt_ledger ledger = {.entries = feed->ledger.entries,
                               .room = feed->ledger.room};
    tutti_bytes job = feed->job;
    if (job.count || job.room > KEPT_MOST)
        tutti_bytes_clear(&job);
    job.size = 0;
    *feed = (struct tt_feed){.ledger = ledger, .job = job};
    tt_feed_free(f->spare);
    f->spare = feed;
}

/* The last seat leaves. What only workers could still run is left over. */
static void end_feed(struct tt_feeder *f, struct tt_feed *feed)
{
    struct tt_feed **at = &f->feeds;
    while (*at != feed)
        at = &(*at)->next;
    *at = feed->next;
    tutti_run *run = feed->run;
    f->open -= run->endless;
    if (feed->message->lost && !run->caller)
        lose_rest(f, feed);
    if (tt_ledger_held(&feed->ledger, 0) ||
        (!run->caller && !run->endless && tt_run_left(run) > 0))
        tt_run_close(run, feed->status ? feed->status : TUTTI_ELOST,
                     feed->status ? feed->why : "no worker was left");
    free_feed(f, feed);
}

static void free_process(struct tt_feeder *f, struct tt_process *p)
{
    struct tt_frame forget = {.kind = TT_FRAME_FORGET, .loop = p->loop};
    p->seat = NULL;
    if (p->state != TT_PROCESS_WORKS)
        return;
    if (p->answers) {
        tt_channel_send(&p->channel, false);
        tt_staff_turn(f, p, TT_PROCESS_PREPARES);
        return;
    }
    if (!p->keeps && tt_frame_put(&p->channel.out, forget, NULL, 0) != TUTTI_OK)
        p->loop = 0; /* it forgets at its next job */
    tt_channel_send(&p->channel, false);
    tt_staff_turn(f, p, TT_PROCESS_IDLE);
}

/* Counting out is last: it may free the run. */
void tt_seat_leave(struct tt_feeder *f, struct tt_seat *seat)
{
    struct tt_feed *feed = seat->feed;
    struct tt_seat **at = &feed->seats;
    tutti_run *run = feed->run;
    uint64_t now = tt_clock();
    if (seat->process)
        free_process(f, seat->process);
    if (seat->lane)
        tt_lane_turn(seat->lane, TT_IDLE, now);
    tt_range_end_turn(seat);
    while (*at != seat)
        at = &(*at)->next;
    *at = seat->next;
    atomic_fetch_sub(&run->seats, 1);
    if (!feed->seats)
        end_feed(f, feed);
    free(seat);
    tt_run_count_out(run);
}

void tt_feed_order(struct tt_feeder *f, const struct tt_order *order)
{
    struct tt_feed *feed = find_feed(f, order->run);
    unsigned made = 0;
    if (!feed)
        feed = make_feed(f, order->run);
    for (; feed && made < order->workers; made++) {
        struct tt_seat *seat = malloc(sizeof *seat);
        if (!seat)
            break;
        *seat = (struct tt_seat){
            .feed = feed, .invited = order->at, .next = feed->seats};
        feed->seats = seat;
    }
    atomic_fetch_sub(&order->run->seats, order->workers - made);
    if (feed && !feed->seats)
        end_feed(f, feed);
    for (; made < order->workers; made++)
        tt_run_count_out(order->run);
}

/* Keeps why work may be left over. */
static void note_why(struct tt_feed *feed, tutti_status status, const char *why)
{
    if (feed->status)
        return;
    feed->status = status;
    snprintf(feed->why, sizeof feed->why, "%s",
             *why ? why : "the function cannot be sent to a worker process");
}

void tt_feed_break(struct tt_feed *feed, tutti_status status, const char *why)
{
    note_why(feed, status, why);
    feed->broken = true;
}

/* Whether a worker more could find something to do. */
static bool has_work(struct tt_feed *feed)
{
    return !feed->broken &&
           (tt_run_open(feed->run) || tt_ledger_held(&feed->ledger, 0) ||
            tt_run_left(feed->run) > 0 || tt_range_divides(feed));
}

static struct tt_frame job_frame(const struct tt_feed *feed)
{
    return (struct tt_frame){
        .kind = TT_FRAME_JOB, .loop = feed->loop, .worker = feed->run->caller};
}

/* Encodes the job, once a run. A small one may be what workers have kept from
 * the run before: then it goes by that one's number. */
static tutti_status encode_job(struct tt_feeder *f, struct tt_feed *feed)
{
    tutti_bytes *job = &feed->job;
    struct tt_mark mark;
    if (job->size)
        return TUTTI_OK;
    tt_detail_clear();
    tutti_status status = tt_frame_open(job, &mark);
    if (!status)
        status = feed->message->encode_job(feed->run->loop.context, job);
    if (status)
        return status;
    size_t size = job->size - sizeof(struct tt_frame);
    const char *payload = job->data + sizeof(struct tt_frame);
    feed->keeps = feed->message->keeps && size <= KEPT_MOST && !job->count;
    if (feed->keeps && size == f->kept.size &&
        memcmp(payload, f->kept.data, size) == 0) {
        feed->loop = f->kept_loop;
    } else if (feed->keeps) {
        f->kept.size = 0;
        status = tutti_bytes_append(&f->kept, payload, size);
        f->kept_loop = feed->loop;
    }
    if (!status)
        status = tt_frame_close(job, mark, job_frame(feed));
    return status;
}

/* Sends the job. False: it cannot be. */
static bool send_job(struct tt_feeder *f, struct tt_feed *feed,
                     struct tt_process *p)
{
    tutti_bytes *out = &p->channel.out;
    tutti_status status = encode_job(f, feed);
    p->again = !status && feed->keeps && p->keeps && p->loop == feed->loop;
    struct tt_frame once_more = job_frame(feed);
    once_more.begin = 1;
    if (p->again)
        status = tt_frame_put(out, once_more, NULL, 0);
    else if (!status)
        status = tt_frame_copy(out, &feed->job);
    if (status) {
        tutti_bytes_clear(&feed->job);
        tt_feed_break(feed, status, tutti_detail());
    }
    p->keeps = !status && feed->keeps;
    p->jobs += !status;
    p->answers = !status && !p->again;
    return !status;
}

/* Whether the first ranges follow a job at once. What a process prepares for
 * the first time may take its time, and what it had would wait: not when a
 * caller or another worker of a queue could run it, nor where the time of tasks
 * is limited. */
static bool goes_ahead(const struct tt_feed *feed, const struct tt_process *p)
{
    const tutti_run *run = feed->run;
    bool warm = p->loop && !run->caller && !run->endless;
    return p->again || (warm && !(run->options.task_timeout > 0));
}

/* Whether there are tasks to claim now. */
static bool has_tasks(struct tt_feed *feed)
{
    return !feed->broken &&
           (tt_ledger_held(&feed->ledger, 0) || tt_run_left(feed->run) > 0);
}

/* A seat that has nothing to do, and waits for more, gives up its process. */
static void free_one(struct tt_feeder *f, const struct tt_feed *other)
{
    for (struct tt_feed *feed = f->feeds; feed; feed = feed->next) {
        if (feed == other || has_tasks(feed))
            continue;
        for (struct tt_seat *seat = feed->seats; seat; seat = seat->next) {
            struct tt_process *p = seat->process;
            if (!p || p->state != TT_PROCESS_WORKS ||
                tt_ledger_runs(&feed->ledger, p->number))
                continue;
            free_process(f, p);
            seat->process = NULL;
            return;
        }
    }
}

/* Whether seats of other runs wait for a process, with tasks for it. */
static bool others_wait(struct tt_feeder *f, const struct tt_feed *own)
{
    for (struct tt_feed *feed = f->feeds; feed; feed = feed->next)
        for (struct tt_seat *seat = feed->seats; seat; seat = seat->next)
            if (feed != own && !seat->process && has_tasks(feed))
                return true;
    return false;
}

/* Seats of a run that have a process; *wait: of those that have none. */
static unsigned count_seats(const struct tt_feed *feed, unsigned *wait)
{
    unsigned have = 0;
    *wait = 0;
    for (const struct tt_seat *seat = feed->seats; seat; seat = seat->next)
        *(seat->process ? &have : wait) += 1;
    return have;
}

/* Whether the process of a seat goes to another run, which waits for one and
 * has fewer or none. */
static bool gives_way(struct tt_feeder *f, const struct tt_seat *seat)
{
    unsigned wait;
    if (!f->feeds->next || f->now - seat->process->since < TURN_NS)
        return false;
    unsigned own = count_seats(seat->feed, &wait);
    for (struct tt_feed *feed = f->feeds; feed; feed = feed->next) {
        unsigned have = count_seats(feed, &wait);
        if (feed != seat->feed && wait && has_tasks(feed) &&
            (have == 0 || have + 1 < own))
            return true;
    }
    return false;
}

/* Its run comes last when processes are given out again. */
static void give_way(struct tt_feeder *f, struct tt_seat *seat)
{
    struct tt_feed **at = &f->feeds;
    while (*at != seat->feed)
        at = &(*at)->next;
    *at = seat->feed->next;
    while (*at)
        at = &(*at)->next;
    *at = seat->feed;
    seat->feed->next = NULL;
    tt_range_end_turn(seat);
    tt_lane_turn(seat->lane, TT_WAIT, tt_clock());
    free_process(f, seat->process);
    seat->process = NULL;
    tt_feeder_due(f, 0);
}

/* Gives a seat to an idle process, or has one forked. */
static void seek(struct tt_feeder *f, struct tt_seat *seat)
{
    struct tt_feed *feed = seat->feed;
    const char *const *command = feed->message->command;
    bool tasks = has_tasks(feed);
    if (!tasks)
        tt_range_end_turn(seat);
    if (tasks ? !tt_range_turn(f, seat)
              : !tt_run_open(feed->run) || tt_budget_nested ||
                    others_wait(f, feed))
        return;
    struct tt_process *p = tt_staff_idle(f, command, !tasks);
    if (!p && tasks) {
        free_one(f, feed);
        p = tt_staff_idle(f, command, false);
    }
    if (!p && !tasks && tt_staff_idle(f, command, false))
        return; /* it stands by */
    if (!p) {
        struct tt_zygote *z = tt_staff_zygote(f, command);
        if (z) {
            z->wanted++;
            z->weighed |= feed->message->task_cost > 0;
            return;
        }
        note_why(feed, TUTTI_ESYS, tutti_detail());
        tt_seat_leave(f, seat);
        return;
    }
    if (!send_job(f, feed, p)) {
        tt_seat_leave(f, seat);
        return;
    }
    if (feed->run->caller)
        tt_thread_avoid(p->pid, feed->run->cpu_at);
    bool ahead = goes_ahead(feed, p);
    seat->process = p;
    seat->sitting = ++f->numbers;
    p->seat = seat;
    p->loop = feed->loop;
    tt_staff_turn(f, p, TT_PROCESS_PREPARES);
    if (ahead)
        tt_seat_join(f, seat); /* without a round trip */
    else
        tt_channel_send(&p->channel, false);
    tt_feeder_due(f, f->now + TT_LOOK_NS);
}

/* Tasks from here on need not be run: SIZE_MAX: all must. */
static size_t wanted_below(tutti_run *run)
{
    pthread_mutex_lock(&run->guard);
    size_t failed = run->failed;
    pthread_mutex_unlock(&run->guard);
    return atomic_load_explicit(&run->closed, memory_order_acquire) ? 0
                                                                    : failed;
}

void tt_seat_cut_off(struct tt_feeder *f, struct tt_seat *seat)
{
    struct tt_process *p = seat->process;
    seat->process = NULL;
    p->seat = NULL;
    tt_staff_kill(f, p);
}

/* What runs although nobody wants it gets a short grace: a worker that ends
 * by itself stays warm. True: the seat has left. */
static bool cut_unwanted(struct tt_feeder *f, struct tt_seat *seat,
                         size_t below)
{
    struct tt_feed *feed = seat->feed;
    uint64_t number = seat->process->number;
    struct tt_entry *entry = tt_ledger_runs(&feed->ledger, number);
    if (!entry || entry->range.begin < below)
        return false;
    if (!feed->grace)
        feed->grace = f->now + GRACE_NS;
    tt_feeder_due(f, feed->grace);
    if (f->now < feed->grace)
        return false;
    tt_ledger_drop(&feed->ledger, number);
    tt_seat_cut_off(f, seat);
    tt_seat_leave(f, seat);
    return true;
}

/* A process that has run its share of ranges makes room for a fresh one. */
static bool retire(struct tt_feeder *f, struct tt_seat *seat)
{
    struct tt_process *p = seat->process;
    if (!tt_range_worn_out(seat))
        return false;
    seat->process = NULL;
    p->seat = NULL;
    tt_staff_dismiss(f, p);
    tt_feeder_due(f, 0);
    return true;
}

void tt_seat_serve(struct tt_feeder *f, struct tt_seat *seat)
{
    struct tt_feed *feed = seat->feed;
    if (gives_way(f, seat)) {
        if (!tt_ledger_runs(&feed->ledger, seat->process->number))
            give_way(f, seat);
        return;
    }
    if (has_tasks(feed) && !tt_range_turn(f, seat)) {
        tt_channel_send(&seat->process->channel, false);
        return;
    }
    if (tt_range_send(f, seat) || retire(f, seat))
        return;
    bool waits =
        tt_run_open(feed->run) || (seat->dealt && !tt_range_dealt(f, feed));
    if (feed->broken || !(waits ? has_work(feed) : tt_range_divides(feed)))
        tt_seat_leave(f, seat);
    else if (seat->lane->kind != TT_WAIT)
        tt_lane_turn(seat->lane, TT_WAIT, tt_clock());
}

static void tend_seat(struct tt_feeder *f, struct tt_seat *seat, size_t below)
{
    bool joined = seat->process && seat->process->state == TT_PROCESS_WORKS;
    if (seat->process)
        tt_range_look_after(f, seat->process);
    if (joined) {
        if (cut_unwanted(f, seat, below))
            return;
        tt_seat_cut_overdue(f, seat);
    }
    if (joined && seat->process &&
        !tt_ledger_runs(&seat->feed->ledger, seat->process->number)) {
        tt_seat_serve(f, seat);
        return;
    }
    if (!seat->process || seat->process->state == TT_PROCESS_PREPARES) {
        if (!has_work(seat->feed))
            tt_seat_leave(f, seat);
        else if (!seat->process)
            seek(f, seat);
    }
}

void tt_feed_tend(struct tt_feeder *f)
{
    for (struct tt_feed *feed = f->feeds, *next; feed; feed = next) {
        next = feed->next;
        size_t below = wanted_below(feed->run);
        tt_ledger_close(&feed->ledger, below);
        for (struct tt_seat *seat = feed->seats, *after; seat; seat = after) {
            after = seat->next; /* leaving frees the feed with the last seat */
            tend_seat(f, seat, below);
        }
    }
}

void tt_seat_join(struct tt_feeder *f, struct tt_seat *seat)
{
    if (!seat->lane)
        seat->lane = tt_run_join(seat->feed->run, seat->invited);
    tt_staff_turn(f, seat->process, TT_PROCESS_WORKS);
    if (seat->lane && !seat->process->answers)
        tt_lane_turn(seat->lane, TT_COPY, tt_clock());
    if (seat->lane)
        tt_seat_serve(f, seat);
    else
        tt_seat_leave(f, seat);
}

void tt_feed_starve(struct tt_feeder *f, const struct tt_zygote *z,
                    tutti_status status)
{
    char why[TT_DETAIL_SIZE];
    snprintf(why, sizeof why, "%s", tutti_detail());
    for (struct tt_feed *feed = f->feeds, *next; feed; feed = next) {
        next = feed->next;
        if (!tt_command_same(z->command, feed->message->command))
            continue;
        note_why(feed, status, why);
        for (struct tt_seat *seat = feed->seats, *after; seat; seat = after) {
            after = seat->next;
            if (!seat->process)
                tt_seat_leave(f, seat);
        }
    }
}
