#define _GNU_SOURCE
#include "sched/board.h"

#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tutti/sys/message.h>

#include "core/budget.h"
#include "core/clock.h"
#include "core/cpu.h"
#include "core/fork.h"
#include "core/futex.h"
#include "core/settings.h"
#include "core/thread.h"
#include "sched/place.h"

/* A caller looks first after a heartbeat, then whenever its loop has lasted
 * half as long again; the helper is for callers inside of a long task, so it
 * comes a little later, and not more often than its tick. It stays awake for a
 * while after the last loop: a thread that is asleep costs some 10 us to call,
 * one that ticks costs the caller nothing, but a little of another CPU. */
#define HEARTBEAT_NS 100000u
#define LATER_NS 200000u
#define LOOK_MOST_NS 10000000u
#define TICK_NS 500000u
#define AWAKE_NS 50000000u
#define ASLEEP_NS 3600000000000u

/* Spread when the gain is so many times the cost: of waking workers; of
 * starting a place, which is a guess that other loops may share. */
#define WORTH_WAKING 1.25
#define WORTH_OPENING 2.0

/* A caller that used less than this share of a CPU for a while, and sleeps
 * when it is looked at, waits (for a disk, a server): such tasks want more
 * workers than CPUs. */
#define WAITS_SHARE 0.2
#define WAITS_NS 1000000u
#define WAITERS_MOST 32

#define UNSEEN_MOST 1000

static struct {
    pthread_mutex_t lock; /* guards all */
    struct tutti_run *runs;
    uint64_t added;        /* runs, so far */
    uint64_t rings;        /* when the helper wakes up by itself */
    _Atomic uint32_t bell; /* a futex that calls it */
    bool started, helped;  /* it was tried, it is there */
} board = {.lock = PTHREAD_MUTEX_INITIALIZER};

void tt_board_measure(struct tutti_run *run)
{
    const tutti_place *place = run->place;
    unsigned width = place->workers, most = run->options.workers;
    if (width == 0)
        width = most && !run->automatic ? most : tt_cpu_budget();
    if (most && most < width)
        width = most;
    run->width = width < run->lanes ? width : run->lanes;
}

/* Workers that wait take no CPU; others their place counts. */
static bool uncounted(const struct tutti_run *run)
{
    return run->waits || tt_run_by_turns(run);
}

/* Counts up to `workers` more threads, and the caller of an outermost loop, in
 * the budget of the process tree. On auto, and inside of a task, only so many
 * as are free there; else a user who names a place gets it. */
static unsigned reserve(struct tutti_run *run, unsigned workers)
{
    if (uncounted(run))
        return workers;
    if (run->counted == 0 && run->outermost && run->caller)
        tt_budget_add(run->counted = 1);
    if (!run->automatic && !tt_budget_nested)
        tt_budget_add(workers);
    else
        workers = tt_budget_take(workers);
    run->counted += workers;
    return workers;
}

void tt_board_settle(struct tutti_run *run)
{
    if (run->counted)
        tt_budget_give(run->counted);
    run->counted = 0;
}

static void ask(struct tutti_run *run, unsigned workers, uint64_t now)
{
    tutti_place *place = run->place;
    unsigned granted = reserve(run, workers), asked = 0;
    if (granted)
        asked = place->ops->invite(place->state, run, granted);
    unsigned unused = uncounted(run) ? 0 : granted - asked;
    tt_budget_give(unused);
    run->counted -= unused;
    run->invited += asked;
    if (asked && !run->spread)
        run->spread = now;
}

/* How good a worker is beside one that needs no bytes: a task's bytes are work
 * for it and, where they are made in the interpreter, for the caller. */
static double worth(const struct tutti_run *run, double per_task)
{
    const struct tutti_message *message = run->loop.message;
    double bytes = message ? message->task_cost * 1e9 : 0;
    return per_task > bytes ? (per_task - bytes) / (per_task + bytes) : 0;
}

/* Whether tasks of `rest` ns in all are worth `more` workers beside `have`. */
static bool pays(struct tutti_run *run, double rest, unsigned have,
                 unsigned more)
{
    tutti_place *place = run->place;
    tutti_place_cost cost;
    place->ops->cost(place->state, &cost);
    const struct tutti_message *message = run->loop.message;
    double job = message && !run->invited ? message->job_cost : 0;
    size_t left = tt_run_left(run);
    double extra = more * worth(run, rest / (double)(left ? left : 1));
    run->gain = rest * 1e-9 * (1.0 / have - 1.0 / (have + extra));
    run->cost = cost.invite + cost.open + job;
    return run->gain >
           WORTH_WAKING * cost.invite + WORTH_OPENING * cost.open + job;
}

/* How many more workers, of `width` in all, could claim one of `units`. */
static unsigned wanted(struct tutti_run *run, unsigned width, uint32_t units)
{
    unsigned have = run->invited + run->caller;
    if (width <= have)
        return 0;
    return width - have < units ? width - have : units;
}

static void decide(struct tutti_run *run, double rest, unsigned more,
                   uint64_t now)
{
    if (more && pays(run, rest, run->invited + run->caller, more))
        ask(run, more, now);
}

/* At the start: the caller has not claimed its first unit yet. */
static unsigned wanted_first(struct tutti_run *run)
{
    uint32_t units = tt_claim_left(&run->claim);
    return wanted(run, run->width, units - (units && run->caller));
}

void tt_board_invite(struct tutti_run *run)
{
    unsigned workers = wanted_first(run);
    if (workers)
        ask(run, workers, run->began);
    if (workers && !run->invited && !run->caller)
        tt_run_close(run, TUTTI_ESYS, tutti_detail());
}

void tt_board_decide(struct tutti_run *run)
{
    if (run->expected > 0)
        decide(run, run->expected * (double)run->loop.n, wanted_first(run),
               run->began);
}

/* Nanoseconds that what is left takes, so many having worked so far. As long as
 * no task has finished, each is taken to last as long as the first was watched
 * to, but not more than some of them: the first may be slow for being the
 * first. */
static double seen_rest(struct tutti_run *run, uint64_t now, unsigned workers)
{
    size_t done = atomic_load_explicit(&run->done, memory_order_relaxed);
    double left = (double)tt_run_left(run), lasted = (double)(now - run->began);
    if (done == 0)
        return (double)run->spent * fmin(left, UNSEEN_MOST);
    return lasted * workers / (double)done * left;
}

/* The same as far as the loop came. One that is not later than what it took
 * before is no longer than that: its first tasks may be the long ones. */
static double rest_of(struct tutti_run *run, uint64_t now)
{
    unsigned workers = run->invited ? run->invited + run->caller : 1;
    double left = (double)tt_run_left(run), lasted = (double)(now - run->began);
    double rest = seen_rest(run, now, workers);
    bool in_time = lasted < run->expected * (double)run->loop.n;
    return in_time ? fmin(rest, run->expected * left) : rest;
}

/* The beginning of a file that the kernel keeps on a thread; "": none. */
static void read_proc(char *text, size_t size, pid_t thread, const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/%s", (int)thread, name);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = file < 0 ? 0 : read(file, text, size - 1);
    if (file >= 0)
        close(file);
    text[got > 0 ? got : 0] = '\0';
}

/* Whether a thread sleeps, rather than that others have its CPU, or that a
 * process which it started computes for it. */
static bool sleeps(pid_t thread)
{
    char text[128];
    read_proc(text, sizeof text, thread, "stat");
    char *state = strstr(text, ") "); /* the name is at most 15 long */
    if (!state || (state[2] != 'S' && state[2] != 'D'))
        return false;
    read_proc(text, sizeof text, thread, "children");
    return text[0] == '\0';
}

/* Nanoseconds that others had a thread's CPU, or 0 where nobody counts them. */
static uint64_t delayed(pid_t thread)
{
    char text[64];
    unsigned long long delay = 0;
    read_proc(text, sizeof text, thread, "schedstat");
    return sscanf(text, "%*u %llu", &delay) == 1 ? delay : 0;
}

/* How much of `idle` ns without a CPU a thread slept, as far as is known. */
static uint64_t slept(struct tutti_run *run, uint64_t idle)
{
    uint64_t before = run->delay;
    run->delay = delayed(run->thread);
    uint64_t kept = run->delay - before;
    return idle > kept ? idle - kept : 0;
}

/* Notes what the caller did since it was watched last: it computed, or it
 * slept. Being kept from its CPU by others is neither, nor is waiting for the
 * workers of a loop inside of its task. */
static void sample(struct tutti_run *run, uint64_t now)
{
    uint64_t cpu = tt_clock_of(run->clock), used = cpu - run->cpu;
    uint64_t lasted = now - run->sampled;
    bool first = run->sampled == 0;
    run->cpu = cpu;
    run->sampled = now;
    if (first)
        run->delay = delayed(run->thread);
    if (first || !run->caller || atomic_load(&run->nests))
        return;
    bool asleep =
        (double)used < WAITS_SHARE * (double)lasted && sleeps(run->thread);
    uint64_t sleep = asleep ? slept(run, lasted - used) : 0;
    run->asleep = asleep ? run->asleep + sleep : 0;
    run->waits = run->asleep >= WAITS_NS;
    run->spent += used + sleep;
}

/* A loop was invited for as soon as that paid; meanwhile it may have turned out
 * to be longer. */
double tutti_run_gain(tutti_run *run)
{
    if (!run->automatic)
        return INFINITY;
    pthread_mutex_lock(&board.lock);
    double rest = seen_rest(run, tt_clock(), 1) * 1e-9;
    double gain =
        fmax(run->gain, rest * (1 - 1.0 / (run->width + !run->width)));
    pthread_mutex_unlock(&board.lock);
    return gain;
}

/* When to look again at a run that was looked at now. */
static uint64_t next_look(const struct tutti_run *run, uint64_t now)
{
    uint64_t pause = (now - run->began) / 2;
    if (pause < HEARTBEAT_NS)
        pause = HEARTBEAT_NS;
    return now + (pause < LOOK_MOST_NS ? pause : LOOK_MOST_NS);
}

/* Whether the user, or the batch system, has said how many workers. */
static bool capped(const struct tutti_run *run)
{
    const struct tt_settings *settings = tt_settings();
    return run->options.workers || settings->workers || settings->granted;
}

/* The board is locked, so the run's owner has not ended it. */
static void look(struct tutti_run *run, uint64_t now)
{
    uint32_t units = tt_claim_left(&run->claim);
    if (units == 0 || !run->automatic)
        return;
    tt_board_measure(run);
    if (run->waits && run->width < WAITERS_MOST && !capped(run))
        run->width = WAITERS_MOST;
    decide(run, rest_of(run, now), wanted(run, run->width, units), now);
}

void tt_board_look(struct tutti_run *run, uint64_t now)
{
    if (run->forks != tt_forks())
        return; /* this is a child: the run's workers stayed behind */
    run->look = next_look(run, now);
    run->cpu_at = sched_getcpu();
    pthread_mutex_lock(&board.lock);
    look(run, now);
    pthread_mutex_unlock(&board.lock);
}

static void watch(struct tutti_run *run, uint64_t now)
{
    tt_run_check_deadline(run, now);
    if (run->automatic)
        sample(run, now);
    look(run, now);
    run->watch = next_look(run, now);
    if (run->watch > run->finish && now < run->finish)
        run->watch = run->finish;
}

/* Watches the runs that are due; returns when the next one is. */
static uint64_t watch_all(uint64_t now)
{
    uint64_t next = UINT64_MAX;
    for (struct tutti_run *run = board.runs; run; run = run->next) {
        if (run->watch <= now)
            watch(run, now);
        if (run->watch < next)
            next = run->watch;
    }
    return next;
}

static void *helper_main(void *arg)
{
    uint64_t seen = 0, awake = 0;
    (void)arg;
    tt_thread_prompt();
    for (;;) {
        pthread_mutex_lock(&board.lock);
        uint64_t now = tt_clock(), next = watch_all(now);
        if (seen != board.added)
            awake = now + AWAKE_NS;
        seen = board.added;
        if (next == UINT64_MAX)
            next = now < awake ? now : now + ASLEEP_NS;
        if (next < now + TICK_NS)
            next = now + TICK_NS;
        board.rings = next;
        uint32_t bell = board.bell;
        pthread_mutex_unlock(&board.lock);
        tt_futex_wait(&board.bell, bell, next - now);
    }
    return NULL;
}

static void start_helper(void)
{
    board.started = true; /* not tried again: without it, callers look */
    board.helped = tt_thread_start(NULL, helper_main, NULL);
}

/* Sees to it that the helper wakes up for a run, more or less when it should.
 * The board is locked. */
static void call_helper(const struct tutti_run *run)
{
    if (!board.started)
        start_helper();
    if (!board.helped || board.rings <= run->watch + TICK_NS)
        return;
    board.rings = run->watch;
    board.bell++;
    tt_futex_wake(&board.bell, 1);
}

/* In a forked child there is no helper, and no loop but those that begin: the
 * board starts anew, at once, while the child has one thread. */
static void in_child(void)
{
    pthread_mutex_init(&board.lock, NULL);
    board.runs = NULL;
    board.rings = 0;
    board.started = board.helped = false;
}

__attribute__((constructor)) static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, in_child);
}

void tt_board_add(struct tutti_run *run)
{
    pthread_getcpuclockid(pthread_self(), &run->clock);
    run->thread = gettid();
    run->sampled = run->spent = run->asleep = 0;
    run->look = run->began + HEARTBEAT_NS;
    run->watch = run->look + LATER_NS;
    if (run->watch > run->finish)
        run->watch = run->finish;
    pthread_mutex_lock(&board.lock);
    board.added++;
    run->next = board.runs;
    board.runs = run;
    call_helper(run);
    pthread_mutex_unlock(&board.lock);
}

void tt_board_remove(struct tutti_run *run)
{
    if (run->forks != tt_forks())
        return; /* began before a fork, on the parent's board */
    pthread_mutex_lock(&board.lock);
    struct tutti_run **at = &board.runs;
    while (*at != run)
        at = &(*at)->next;
    *at = run->next;
    pthread_mutex_unlock(&board.lock);
}
