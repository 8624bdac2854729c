#define _GNU_SOURCE
#include "loop/run.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/budget.h"
#include "core/clock.h"
#include "core/fork.h"
#include "core/futex.h"

#define PROGRESS_NS 100000000u

/* In run->inside: somebody sleeps on it. */
#define SLEEPER 0x80000000u

/* A lane of a loop that ended, for the next one: they are large. */
static struct tt_lane *_Atomic spare;

void tt_run_init(struct tutti_run *run, const tutti_loop *loop,
                 const tutti_options *options, unsigned lanes, bool caller)
{
    run->loop = *loop;
    run->options = *options;
    run->lanes = lanes < TT_RUN_LANES ? lanes : TT_RUN_LANES;
    run->caller = caller;
    run->forks = tt_forks();
    run->outermost = tt_budget_inside++ == 0;
    run->began = tt_clock();
    run->finish = UINT64_MAX;
    if (options->deadline > 0 && options->deadline < 1e9)
        run->finish = run->began + (uint64_t)(options->deadline * 1e9);

    size_t unit = loop->unit ? loop->unit : 1, most = loop->n / TT_CLAIM_MAX;
    run->unit = unit * (most / unit + 1);
    size_t units = loop->n / run->unit + (loop->n % run->unit != 0);
    atomic_init(&run->claim, tt_claim_word(0, (uint32_t)units));
    atomic_init(&run->done, 0);
    atomic_init(&run->inside, 0);
    atomic_init(&run->joined, 1);
    atomic_init(&run->closed, 0);
    atomic_init(&run->open, 0);
    atomic_init(&run->seats, 0);
    atomic_init(&run->news, 0);
    run->base = 0;
    run->unsettles = false;
    run->endless = false;

    pthread_mutex_init(&run->guard, NULL);
    run->status = TUTTI_OK;
    run->failed = SIZE_MAX;

    run->next = NULL;
    run->place = NULL;
    run->spread = 0;
    run->gain = run->cost = run->expected = 0;
    run->invited = run->counted = 0;
    run->recalled = 0;
    atomic_init(&run->cpu_at, sched_getcpu());
    run->outer = NULL;
    atomic_init(&run->nests, false);
    run->automatic = run->watched = run->waits = false;

    run->grain = (struct tt_grain){0};
    run->range = (struct tt_range){0};
    run->told = run->began;
    tt_lane_init(&run->own, 0, caller ? TT_CLAIM : TT_WAIT, run->began);
    atomic_init(&run->lane[0], &run->own);
}

/* Its tasks have no end, and its opener is not the one who waits for it. */
void tt_run_make_open(struct tutti_run *run)
{
    tt_budget_inside--;
    run->loop.n = SIZE_MAX;
    run->outermost = false;
    run->endless = true;
    atomic_store(&run->open, 1);
}

bool tt_run_extend(struct tutti_run *run, size_t n)
{
    uint64_t old = atomic_load_explicit(&run->claim, memory_order_relaxed), new;
    do {
        uint32_t back = tt_claim_back_of(old);
        if (n > TT_CLAIM_MAX - back)
            return false;
        new = tt_claim_word(tt_claim_front_of(old), back + (uint32_t)n);
    } while (!atomic_compare_exchange_weak_explicit(
        &run->claim, &old, new, memory_order_acq_rel, memory_order_relaxed));
    return true;
}

void tt_run_tell_news(struct tutti_run *run)
{
    atomic_fetch_add_explicit(&run->news, 1, memory_order_release);
    tt_futex_wake(&run->news, INT_MAX);
}

static bool forked(const struct tutti_run *run)
{
    return run->forks != tt_forks();
}

unsigned tt_run_joined(const struct tutti_run *run)
{
    unsigned joined =
        forked(run) ? 1
                    : atomic_load_explicit(&run->joined, memory_order_relaxed);
    return joined < run->lanes ? joined : run->lanes;
}

void tt_run_fini(struct tutti_run *run)
{
    tt_budget_inside -= !run->endless;
    for (unsigned i = 1, joined = tt_run_joined(run); i < joined; i++)
        free(atomic_exchange(
            &spare, atomic_load_explicit(&run->lane[i], memory_order_acquire)));
    pthread_mutex_destroy(&run->guard);
}

/* Tasks in the first `units` units: the last unit may reach past the end, and
 * past what a size_t holds. */
static size_t tasks_of(const struct tutti_run *run, uint32_t units)
{
    size_t tasks;
    if (__builtin_mul_overflow(units, run->unit, &tasks) || tasks > run->loop.n)
        return run->loop.n;
    return tasks;
}

size_t tt_run_left(struct tutti_run *run)
{
    return tasks_of(run, tt_claim_left(&run->claim));
}

void tt_run_count_in(struct tutti_run *run, unsigned workers)
{
    atomic_fetch_add_explicit(&run->inside, workers, memory_order_relaxed);
}

void tt_run_count_out(struct tutti_run *run)
{
    _Atomic uint32_t *inside = &run->inside;
    if (atomic_fetch_sub_explicit(inside, 1, memory_order_acq_rel) ==
        (SLEEPER | 1))
        tt_futex_wake(inside, INT_MAX);
}

struct tt_lane *tt_run_join(struct tutti_run *run, uint64_t invited)
{
    unsigned worker =
        atomic_fetch_add_explicit(&run->joined, 1, memory_order_relaxed);
    if (worker >= run->lanes)
        return NULL;
    struct tt_lane *lane = atomic_exchange(&spare, NULL);
    if (!lane)
        lane = malloc(sizeof *lane);
    if (lane)
        tt_lane_init(lane, worker, TT_STARTUP, invited);
    atomic_store_explicit(&run->lane[worker], lane, memory_order_release);
    return lane;
}

static size_t units_of(const struct tutti_run *run, size_t tasks)
{
    size_t units = run->unit == 1 ? tasks : tasks / run->unit;
    if (units > TT_CLAIM_MAX)
        return TT_CLAIM_MAX;
    return units ? units : 1;
}

static void range_of(const struct tutti_run *run, struct tt_range *range,
                     uint32_t begin, uint32_t end)
{
    range->begin = run->base + tasks_of(run, begin);
    range->end = run->base + tasks_of(run, end);
}

bool tt_run_claim_back(struct tutti_run *run, size_t tasks,
                       struct tt_range *range)
{
    uint32_t begin, end, units = (uint32_t)units_of(run, tasks);
    if (!tt_claim_back(&run->claim, units, &begin, &end))
        return false;
    range_of(run, range, begin, end);
    return true;
}

bool tt_run_claim_front(struct tutti_run *run, size_t tasks,
                        struct tt_range *range)
{
    uint32_t begin, end, units = (uint32_t)units_of(run, tasks);
    if (!tt_claim_front(&run->claim, units, &begin, &end))
        return false;
    range_of(run, range, begin, end);
    return true;
}

void tt_run_ran(struct tutti_run *run, struct tt_lane *lane,
                const struct tt_range *range, size_t tasks, uint64_t from,
                uint64_t to)
{
    tt_lane_range(lane, from, to, range->begin, range->begin + tasks);
    atomic_fetch_add_explicit(&run->done, tasks, memory_order_relaxed);
}

/* Keeps what the run ends with: the lowest failure, or else the first reason
 * to close (`failed` is SIZE_MAX). In a forked child nobody else has the run,
 * and the guard may be held by a thread that the child has not got. */
static void keep(struct tutti_run *run, size_t failed, tutti_status status,
                 const char *detail)
{
    bool alone = forked(run);
    if (!alone)
        pthread_mutex_lock(&run->guard);
    if (failed < run->failed || run->status == TUTTI_OK) {
        run->failed = failed;
        run->status = status;
        snprintf(run->detail, sizeof run->detail, "%s", detail);
    }
    if (!alone)
        pthread_mutex_unlock(&run->guard);
}

void tt_run_fail(struct tutti_run *run, size_t index, tutti_status status,
                 const char *detail)
{
    keep(run, index, status, detail);
    tt_claim_close(&run->claim, (uint32_t)(index / run->unit));
}

void tt_run_close(struct tutti_run *run, tutti_status status,
                  const char *detail)
{
    keep(run, SIZE_MAX, status, detail);
    atomic_store_explicit(&run->closed, 1, memory_order_release);
    tt_claim_close(&run->claim, 0);
    tt_futex_wake(&run->inside, INT_MAX);
}

void tt_run_task_failed(struct tutti_run *run, size_t index)
{
    char line[TT_DETAIL_SIZE + 40];
    const char *why = tutti_detail();
    snprintf(line, sizeof line, "task %zu failed%s%s", index, *why ? ": " : "",
             why);
    tt_run_fail(run, index, TUTTI_ETASK, line);
}

static void returned_nonsense(struct tutti_run *run,
                              const struct tt_range *range, size_t got)
{
    char line[TT_DETAIL_SIZE];
    snprintf(line, sizeof line,
             "the body returned %zu for the tasks from %zu to %zu; return %zu, "
             "the end of the range, when all succeeded, else the index of the "
             "first that failed",
             got, range->begin, range->end - 1, range->end);
    tt_run_fail(run, range->begin, TUTTI_EARG, line);
}

void tt_run_tell(struct tutti_run *run, uint64_t now, bool last)
{
    if (!run->options.progress || (!last && now < run->told + PROGRESS_NS))
        return;
    run->told = now;
    size_t done = atomic_load_explicit(&run->done, memory_order_relaxed);
    if (run->options.progress(run->options.progress_arg, done, run->loop.n) &&
        !last)
        tt_run_close(run, TUTTI_ECANCEL, TT_RUN_CANCELLED);
}

_Thread_local struct tt_here tt_here;

/* As long as tasks cost what they did, a slice takes 2 us, beside which a look
 * at the clock is nothing. They grow from 1 where that is not known, and get
 * smaller where it shows that it is wrong. */
#define SLICE_NS 2000.0
#define QUICK_NS 5000000u
#define SLOW_NS 20000000u
#define BLOCK 512 /* long slices are multiples: bodies may work by blocks */

/* Some milliseconds late, for 5 ns. */
static uint64_t coarse_clock(void)
{
    return tt_clock_of(CLOCK_MONOTONIC_COARSE);
}

static void next_slice(uint64_t now)
{
    uint64_t took = now - tt_here.looked;
    tt_here.looked = now;
    if (took < QUICK_NS && tt_here.slice < tt_here.most)
        tt_here.slice *= 2;
    else if (took > SLOW_NS)
        tt_here.slice = tt_here.slice / 16 + 1;
    tt_here.left = tt_here.slice;
}

bool tt_run_look(void)
{
    struct tutti_run *run = tt_here.run;
    if (!run)
        return false;
    uint64_t now = coarse_clock();
    next_slice(now);
    if (tt_here.caller)
        tt_run_tell(run, now, false);
    tt_run_check_deadline(run, now);
    tt_here.stopped = atomic_load_explicit(&run->closed, memory_order_relaxed);
    return tt_here.stopped;
}

static void enter(struct tutti_run *run, const struct tt_lane *lane,
                  double per_task)
{
    tt_here.run = run;
    tt_here.caller = lane == &run->own;
    tt_here.stopped = false;
    tt_here.most = per_task > 0 ? (size_t)(SLICE_NS / per_task) + 1 : SIZE_MAX;
    if (tt_here.most > BLOCK)
        tt_here.most -= tt_here.most % BLOCK;
    tt_here.slice = tt_here.left = per_task > 0 ? tt_here.most : 1;
    tt_here.looked = coarse_clock();
}

/* Calls the body, which may run other loops; whether it was stopped. */
static size_t call_body(struct tutti_run *run, const struct tt_lane *lane,
                        const struct tt_range *range, double per_task,
                        bool *stopped)
{
    struct tt_here outer = tt_here;
    enter(run, lane, per_task);
    size_t end = run->loop.body(run->loop.context, range->begin, range->end,
                                lane->worker);
    *stopped = tt_here.stopped;
    tt_here = outer;
    return end;
}

uint64_t tt_run_body(struct tutti_run *run, struct tt_lane *lane,
                     struct tt_grain *grain, const struct tt_range *range,
                     uint64_t from)
{
    tt_lane_turn(lane, TT_USER, from);
    tt_detail_clear();
    bool stopped;
    size_t end = call_body(run, lane, range, grain->per_task, &stopped);
    uint64_t to = tt_clock();
    tt_lane_turn(lane, TT_CLAIM, to);
    if (end < range->begin || end > range->end) {
        returned_nonsense(run, range, end);
        end = range->begin;
    } else if (end < range->end && !stopped) {
        tt_run_task_failed(run, end);
    }
    tt_run_ran(run, lane, range, end - range->begin, from, to);
    tt_grain_learn(grain, end - range->begin, to - from);
    return to;
}

void tt_run_work(struct tutti_run *run, uint64_t invited)
{
    struct tt_lane *lane = tt_run_join(run, invited);
    if (lane) {
        struct tt_grain grain = {0};
        struct tt_range range;
        uint64_t now = tt_clock();
        tt_lane_turn(lane, TT_CLAIM, now);
        tt_budget_inside++;
        while (tt_run_claim_back(
            run,
            tt_grain_next(
                &grain, tt_run_left(run),
                atomic_load_explicit(&run->joined, memory_order_relaxed)),
            &range)) {
            now = tt_run_body(run, lane, &grain, &range, tt_clock());
            if (forked(run))
                break; /* the rest is the parent's */
            tt_run_check_deadline(run, now);
        }
        tt_budget_inside--;
        tt_lane_turn(lane, TT_IDLE, now);
    }
    tt_run_count_out(run);
}

bool tt_run_by_turns(const struct tutti_run *run)
{
    return run->endless ||
           (tt_budget_nested && !run->automatic && !run->caller);
}

unsigned tt_run_inside(struct tutti_run *run)
{
    return atomic_load_explicit(&run->inside, memory_order_acquire) & ~SLEEPER;
}

bool tt_run_empty(struct tutti_run *run)
{
    return tt_run_inside(run) == 0 || forked(run);
}

/* About 6 us of pauses and 50 us of yields, then sleep: measured, the best of
 * both on shared and free cores. */
bool tt_run_sleep(struct tutti_run *run, uint64_t ns)
{
    for (int i = 0; i < 200; i++) {
        if (tt_run_empty(run))
            return true;
        if (i < 100)
            tt_pause();
        else
            sched_yield();
    }
    uint32_t inside = SLEEPER | atomic_fetch_or_explicit(&run->inside, SLEEPER,
                                                         memory_order_acq_rel);
    if (inside != SLEEPER)
        tt_futex_wait(&run->inside, inside, ns);
    atomic_fetch_and_explicit(&run->inside, ~SLEEPER, memory_order_relaxed);
    return tt_run_empty(run);
}
