/* The caller's part of a loop: begins it, runs ranges from the front, waits
 * for the others, ends it. */
#include "sched/caller.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tutti/sys/message.h>
#include <tutti/version.h>

#include "core/clock.h"
#include "core/fork.h"
#include "core/settings.h"
#include "loop/run.h"
#include "place/places.h"
#include "sched/board.h"
#include "sched/memo.h"
#include "sched/place.h"
#include "sched/why.h"
#include "trace/account.h"
#include "trace/log.h"

#define WAIT_SLICE_NS 50000000u

static const tutti_options defaults = TUTTI_OPTIONS_INIT;

static tutti_status check(const tutti_loop *loop, const tutti_options *options)
{
    if (!loop->body && !loop->message)
        return tt_fail(TUTTI_EARG, "the loop has no body");
    if (options->size != sizeof *options)
        return tt_fail(TUTTI_EARG,
                       "options of %u bytes given, %zu expected: start from "
                       "TUTTI_OPTIONS_INIT, and compile against the tutti.h "
                       "of this library (%s)",
                       options->size, sizeof *options, TUTTI_VERSION);
    if (options->report && options->report->size != sizeof *options->report)
        return tt_fail(TUTTI_EARG,
                       "a report of %u bytes given, %zu expected: start from "
                       "TUTTI_REPORT_INIT",
                       options->report->size, sizeof *options->report);
    if (!(options->deadline >= 0) || !(options->task_timeout >= 0))
        return tt_fail(TUTTI_EARG,
                       "deadline %g s and task_timeout %g s given: expected "
                       "seconds, or 0 for none",
                       options->deadline, options->task_timeout);
    return TUTTI_OK;
}

/* A loop whose tasks may have to be killed runs in processes. */
static bool wants_processes(const tutti_options *options)
{
    return options->task_timeout > 0 || options->retries > 0;
}

static tutti_status automatic(tutti_place **out, const tutti_loop *loop,
                              const tutti_options *options)
{
    if (wants_processes(options) && loop->message)
        return tt_place_shared(out, "processes");
    *out =
        tt_place_automatic(loop->body ? TUTTI_TAKES_CALL : TUTTI_TAKES_MESSAGE);
    return *out ? TUTTI_OK : tt_place_shared(out, "serial");
}

/* Whether a place can run this loop's body as the options ask. A caller that
 * claims by itself (no body) runs Python's serial loop too. */
static tutti_status fits(const tutti_place *place, const tutti_loop *loop,
                         const tutti_options *options)
{
    unsigned takes = place->ops->takes;
    if (options->task_timeout > 0 && !(takes & TUTTI_TAKES_MESSAGE))
        return tt_fail(TUTTI_EARG,
                       "task_timeout given with place \"%s\": a task can only "
                       "be stopped in another process; use \"processes\"",
                       place->text);
    if (loop->message && takes & TUTTI_TAKES_MESSAGE)
        return TUTTI_OK;
    if (takes & TUTTI_TAKES_CALL &&
        (loop->body || place->ops == &tt_place_serial))
        return TUTTI_OK;
    return tt_fail(TUTTI_EPLACE,
                   "place \"%s\" cannot run this function: it takes %s",
                   place->text,
                   takes & TUTTI_TAKES_CALL
                       ? "functions of this process that need no interpreter"
                       : "functions that can be sent to another process");
}

/* The place that TUTTI_ON forces on every loop, for debugging; or NULL. */
static const char *forced(void)
{
    const char *on = tt_settings()->on;
    return strcmp(on, "auto") == 0 ? NULL : on;
}

/* The place that the options have open, or else that the environment or they
 * name; NULL: none. */
static tutti_status named(tutti_place **out, const tutti_options *options)
{
    const char *on = forced() ? forced() : options->on;
    *out = options->place;
    if (!*out && on && strcmp(on, "auto") != 0)
        return tt_place_shared(out, on);
    return TUTTI_OK;
}

/* A place that the caller did not name is no fault of the caller's. */
static tutti_status blame_environment(tutti_status status)
{
    char line[TT_DETAIL_SIZE];
    snprintf(line, sizeof line, "%s", tutti_detail());
    return tt_fail(status, "TUTTI_ON in the environment: %s", line);
}

struct choice {
    tutti_place *place;
    bool automatic; /* it is left to tutti: "auto" or "auto:4" */
    unsigned most;  /* the count behind "auto"; 0: none */
};

static tutti_status choose(struct choice *choice, const tutti_loop *loop,
                           const tutti_options *options)
{
    tutti_place *place = NULL;
    tutti_status status = tt_settings_check();
    if (status)
        return status;
    status = named(&place, options);
    choice->automatic = !place || place->automatic;
    choice->most = place && place->automatic ? place->workers : 0;
    choice->place = place;
    if (!status && choice->automatic)
        status = automatic(&choice->place, loop, options);
    if (!status)
        status = fits(choice->place, loop, options);
    bool theirs = !options->place && forced();
    return status && theirs ? blame_environment(status) : status;
}

bool tt_caller_sends(const tutti_options *options)
{
    tutti_place *place = NULL;
    if (!options)
        options = &defaults;
    bool plain = !options->place && !options->on && !wants_processes(options);
    if (options->size != sizeof *options || (plain && !forced()) ||
        named(&place, options) != TUTTI_OK)
        return false;
    if (!place || place->automatic)
        return wants_processes(options);
    return place->ops->takes & TUTTI_TAKES_MESSAGE;
}

static const void *key_of(const tutti_loop *loop)
{
    return loop->key ? loop->key : (const void *)(uintptr_t)loop->body;
}

/* Invites at once where the place was asked for; on auto only when the loop
 * is known to pay, else the helper decides. */
static void start(struct tutti_run *run)
{
    bool shared = run->loop.n > run->unit;
    run->width = 1;
    run->expected = tt_memo_get(key_of(&run->loop));
    if (shared || !run->automatic)
        tt_board_measure(run);
    if (!run->automatic)
        tt_board_invite(run);
    else if (shared)
        tt_board_decide(run);
    run->watched = (run->automatic && shared) || run->finish != UINT64_MAX;
    if (run->watched)
        tt_board_add(run);
}

/* The innermost loop that this thread is the caller of. */
static _Thread_local struct tutti_run *innermost;

static void nest(struct tutti_run *run)
{
    run->outer = innermost;
    innermost = run;
    if (run->outer)
        atomic_store_explicit(&run->outer->nests, true, memory_order_relaxed);
}

static void unnest(struct tutti_run *run)
{
    innermost = run->outer;
    if (run->outer)
        atomic_store_explicit(&run->outer->nests, false, memory_order_relaxed);
}

static tutti_status begin(struct tutti_run *run, const tutti_loop *loop,
                          const tutti_options *options)
{
    struct choice choice;
    tutti_status status = check(loop, options);
    if (status == TUTTI_OK)
        status = choose(&choice, loop, options);
    if (status)
        return status;
    bool chosen =
        choice.automatic && !(wants_processes(options) && loop->message);
    tt_run_init(run, loop, options, TT_RUN_LANES,
                chosen || choice.place->ops->caller_works);
    unsigned *most = &run->options.workers;
    if (choice.most && (*most == 0 || choice.most < *most))
        *most = choice.most;
    run->place = choice.place;
    run->automatic = chosen;
    nest(run);
    if (options->place)
        tt_place_enter(options->place);
    start(run);
    return TUTTI_OK;
}

tutti_status tutti_run_begin(tutti_run **out, const tutti_loop *loop,
                             const tutti_options *options)
{
    if (!out || !loop)
        return tt_fail(TUTTI_EARG, "tutti_run_begin: out or loop is NULL");
    struct tutti_run *run = aligned_alloc(64, sizeof *run);
    if (!run)
        return tt_fail_memory("a loop");
    tutti_status status = begin(run, loop, options ? options : &defaults);
    if (status)
        free(run);
    else
        *out = run;
    return status;
}

/* Seats that leave count themselves out before they look for tasks a last
 * time, so what was added before this is seen by one of the two. Who is inside
 * does not say: that may be somebody who settles. */
static tutti_status invite_missing(struct tutti_run *run, bool *asked)
{
    pthread_mutex_lock(&run->guard);
    atomic_thread_fence(memory_order_seq_cst);
    unsigned have = atomic_load(&run->seats);
    *asked = have < run->width &&
             run->place->ops->invite(run->place->state, run, run->width - have);
    pthread_mutex_unlock(&run->guard);
    return have || *asked ? TUTTI_OK : TUTTI_ESYS;
}

static tutti_status check_open(const tutti_loop *loop,
                               const tutti_options *options)
{
    if (!loop->message || !loop->message->lost || options->deadline > 0)
        return tt_fail(TUTTI_EARG,
                       "an open loop needs a message form that can lose "
                       "tasks, and no deadline");
    return check(loop, options);
}

tutti_status tutti_run_open(tutti_run **out, const tutti_loop *loop,
                            const tutti_options *options)
{
    struct choice choice;
    bool asked;
    options = options ? options : &defaults;
    if (!out || !loop)
        return tt_fail(TUTTI_EARG, "tutti_run_open: out or loop is NULL");
    tutti_status status = check_open(loop, options);
    if (!status)
        status = choose(&choice, loop, options);
    if (!status && (choice.automatic || choice.place->ops->caller_works))
        status = tt_fail(TUTTI_EPLACE,
                         "an open loop runs in a place such as \"processes\" "
                         "only");
    struct tutti_run *run = status ? NULL : aligned_alloc(64, sizeof *run);
    if (!status && !run)
        status = tt_fail_memory("a loop");
    if (status)
        return status;
    tt_run_init(run, loop, options, TT_RUN_LANES, false);
    tt_run_make_open(run);
    run->place = choice.place;
    if (options->place)
        tt_place_enter(options->place);
    tt_board_measure(run);
    status = invite_missing(run, &asked);
    if (!status) {
        *out = run;
        return TUTTI_OK;
    }
    tt_run_close(run, status, tutti_detail());
    return tutti_run_end(run);
}

tutti_status tutti_run_extend(tutti_run *run, size_t n, bool helped)
{
    bool asked;
    if (!tt_run_open(run))
        return tt_fail(TUTTI_EARG, "the loop takes no more tasks: it was "
                                   "finished");
    if (!tt_run_extend(run, n))
        return tt_fail(TUTTI_EMEM, "too many tasks wait");
    tutti_status status = invite_missing(run, &asked);
    if (!status && !asked && !helped)
        run->place->ops->recall(run->place->state, run);
    return status;
}

void tutti_run_finish(tutti_run *run)
{
    atomic_store(&run->open, 0);
    run->place->ops->recall(run->place->state, run);
}

uint32_t tutti_run_news(const tutti_run *run)
{
    return atomic_load_explicit(&run->news, memory_order_acquire);
}

void tutti_run_help(tutti_run *run, uint32_t seen, double seconds)
{
    uint64_t ns = seconds < 1e9 ? (uint64_t)(seconds * 1e9) : 1000000000u;
    run->place->ops->help(run->place->state, run, seen, ns);
}

size_t tutti_run_workers(tutti_run *run, long *pids, size_t room)
{
    return run->place->ops->list(run->place->state, run, pids, room);
}

/* What a caller does between two ranges; returns the time after it. */
static uint64_t between(struct tutti_run *run, uint64_t now)
{
    tt_run_tell(run, now, false);
    tt_run_check_deadline(run, now);
    if (!run->watched || now < run->look)
        return run->options.progress ? tt_clock() : now;
    tt_board_look(run, now);
    return tt_clock();
}

/* Claims the caller's next range. */
static bool claim(struct tutti_run *run)
{
    unsigned workers = atomic_load_explicit(&run->joined, memory_order_relaxed);
    size_t left = tt_run_left(run);
    return run->caller &&
           tt_run_claim_front(run, tt_grain_next(&run->grain, left, workers),
                              &run->range);
}

/* Counts the caller's range as done, up to task `end`. */
static void settle(struct tutti_run *run, size_t end, uint64_t now)
{
    size_t tasks = end - run->range.begin;
    if (run->range.begin == run->range.end)
        return;
    tt_run_ran(run, &run->own, &run->range, tasks, run->from, now);
    tt_grain_learn(&run->grain, tasks, now - run->from);
    run->range.begin = run->range.end;
}

bool tutti_run_claim(tutti_run *run, size_t *first, size_t *last)
{
    uint64_t now = tt_clock();
    settle(run, run->range.end, now);
    tt_lane_turn(&run->own, TT_CLAIM, now);
    now = between(run, now);
    bool some = claim(run);
    tt_lane_turn(&run->own, some ? TT_USER : TT_WAIT, now);
    if (!some)
        return false;
    run->from = now;
    *first = run->range.begin;
    *last = run->range.end;
    return true;
}

void tutti_run_fail(tutti_run *run, size_t index)
{
    char line[TT_DETAIL_SIZE];
    snprintf(line, sizeof line, "%s", tutti_detail());
    uint64_t now = tt_clock();
    settle(run, index, now);
    tt_lane_turn(&run->own, TT_WAIT, now);
    tt_run_fail(run, index, TUTTI_ETASK, line);
}

size_t tutti_run_failed(tutti_run *run)
{
    pthread_mutex_lock(&run->guard);
    size_t failed = run->failed;
    pthread_mutex_unlock(&run->guard);
    return failed;
}

void tutti_run_cancel(tutti_run *run)
{
    tt_run_close(run, TUTTI_ECANCEL, "cancelled before the last task");
}

/* When nothing is left to claim, workers that did not come yet need not; when
 * the run is closed, places end what they can. */
static void recall(struct tutti_run *run)
{
    bool closed = atomic_load_explicit(&run->closed, memory_order_acquire);
    unsigned why = 1u + closed;
    bool helps = run->place->ops->help && !run->caller && !run->endless;
    if (helps || run->recalled >= why || tt_run_empty(run) ||
        (!closed && tt_run_left(run) > 0))
        return;
    run->recalled = why;
    run->place->ops->recall(run->place->state, run);
}

/* Off the board first: the helper may have invited until then. */
static void unwatch(struct tutti_run *run)
{
    if (run->watched && run->finish == UINT64_MAX && tt_run_left(run) == 0) {
        tt_board_remove(run);
        run->watched = false;
    }
}

static void wait_or_help(struct tutti_run *run, uint64_t ns)
{
    tutti_place *place = run->place;
    if (place->ops->help && !run->endless)
        place->ops->help(place->state, run, 0, ns);
    else
        tt_run_sleep(run, ns);
}

bool tutti_run_wait(tutti_run *run, double seconds)
{
    uint64_t now = tt_clock(), until = UINT64_MAX;
    if (seconds < 1e9)
        until = now + (uint64_t)(seconds > 0 ? seconds * 1e9 : 0);
    settle(run, run->range.end, now);
    tt_lane_turn(&run->own, TT_WAIT, now);
    unwatch(run);
    recall(run);
    if (!tt_run_empty(run) && now < until) {
        uint64_t most = until - now;
        wait_or_help(run, most < WAIT_SLICE_NS ? most : WAIT_SLICE_NS);
        between(run, tt_clock());
    }
    return tt_run_empty(run);
}

/* What nobody ran although nobody failed: workers could not be had. A run that
 * was closed when all was done is none the worse. */
static void check_all_done(struct tutti_run *run)
{
    if (run->endless)
        return;
    size_t done = atomic_load(&run->done);
    if (run->failed == SIZE_MAX && done >= run->loop.n)
        run->status = TUTTI_OK;
    else if (run->status == TUTTI_OK)
        tt_run_fail(run, done, TUTTI_ELOST,
                    run->forks != tt_forks()
                        ? "the process forked inside the loop: the child has "
                          "no workers to end it"
                        : "no worker could be started for the loop");
}

static void account(struct tutti_run *run, uint64_t now)
{
    tutti_report report = TUTTI_REPORT_INIT;
    struct tt_lane *lanes[TT_RUN_LANES];
    unsigned joined = tt_run_joined(run), count = 0;
    for (unsigned i = 0; i < joined; i++) {
        struct tt_lane *lane = atomic_load(&run->lane[i]);
        if (lane)
            lanes[count++] = lane;
    }
    unsigned width = run->width;
    tt_why(&report, run);
    tt_account(&report, lanes, count, width > count ? width : count, run->began,
               now);
    tt_trace_end(&report, lanes, count, run->began, now);
    if (run->options.report)
        *run->options.report = report;
    if (report.done)
        tt_memo_put(key_of(&run->loop), report.task * 1e9);
}

static tutti_status end(struct tutti_run *run)
{
    while (!tutti_run_wait(run, 1))
        continue;
    if (run->watched) {
        tt_board_remove(run);
        run->watched = false;
        /* The helper may have invited until then. */
        while (!tutti_run_wait(run, 1))
            continue;
    }
    tt_board_settle(run);
    check_all_done(run);
    uint64_t now = tt_clock();
    if (!run->endless) {
        tt_run_tell(run, now, true);
        tt_lane_turn(&run->own, TT_IDLE, now);
        account(run, now);
        unnest(run);
    }
    tutti_status status = run->status;
    if (status)
        tt_detail_set(run->detail);
    if (run->options.place)
        tt_place_leave(run->options.place);
    tt_run_fini(run);
    return status;
}

tutti_status tutti_run_end(tutti_run *run)
{
    if (run->endless)
        tutti_run_finish(run);
    tutti_status status = end(run);
    free(run);
    return status;
}

void tt_caller_work(struct tutti_run *run)
{
    uint64_t now = run->began;
    while (claim(run)) {
        struct tt_range range = run->range;
        run->range.begin = range.end;
        now =
            between(run, tt_run_body(run, &run->own, &run->grain, &range, now));
    }
}

tutti_status tutti_loop_run(const tutti_loop *loop,
                            const tutti_options *options)
{
    struct tutti_run run;
    if (!loop)
        return tt_fail(TUTTI_EARG, "tutti_loop_run: loop is NULL");
    tutti_status status = begin(&run, loop, options ? options : &defaults);
    if (status)
        return status;
    if (loop->body)
        tt_caller_work(&run);
    return end(&run);
}
