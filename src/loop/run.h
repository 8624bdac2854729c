/* A loop that is being run: what its caller and its workers share. */
#ifndef TT_LOOP_RUN_H
#define TT_LOOP_RUN_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tutti/loop.h>
#include <tutti/sys/caller.h>

#include "core/status.h"
#include "loop/claim.h"
#include "loop/grain.h"
#include "trace/lane.h"

#define TT_RUN_LANES 1024

struct tutti_run {
    /* Fixed when the run begins. */
    tutti_loop loop;
    tutti_options options;
    size_t unit;     /* tasks in a unit of the claim word */
    unsigned lanes;  /* workers that may take part, the caller included */
    bool caller;     /* the caller claims ranges */
    unsigned forks;  /* tt_fork_count then */
    bool outermost;  /* its caller is not a worker of another run */
    bool endless;    /* it began as an open loop */
    uint64_t began;  /* tt_clock() */
    uint64_t finish; /* deadline; UINT64_MAX: none */

    /* Shared, atomic. The claim word has a cache line of its own. */
    _Alignas(64) tt_claim claim;
    _Alignas(64) _Atomic size_t done; /* tasks finished */
    _Atomic uint32_t inside;          /* workers invited or at work; a futex */
    _Atomic uint32_t joined;     /* lanes handed out, the caller's included */
    _Atomic uint32_t closed;     /* cancelled, out of time, or failed */
    _Atomic uint32_t open;       /* an open loop that may get tasks */
    _Atomic uint32_t seats;      /* its workers, invited and not left; its
                                    place's */
    _Atomic uint32_t news;       /* times it was settled; a futex */
    struct tutti_run *unsettled; /* the next one; its place's */
    bool unsettles;              /* it is in that list */
    size_t base; /* tasks before the claim word's first; its claimer's */

    /* The failure that the run ends with: guarded by `guard`. */
    pthread_mutex_t guard;
    tutti_status status;
    size_t failed; /* index of the failing task, SIZE_MAX: none */
    char detail[TT_DETAIL_SIZE];

    /* The scheduler's: guarded by its board. */
    struct tutti_run *next;
    struct tutti_place *place; /* where workers are invited from */
    unsigned width;            /* workers it may have, the caller included */
    bool automatic;            /* the helper decides when */
    bool watched;              /* it is on the board */
    uint64_t watch;            /* when the helper looks next */
    uint64_t spread;           /* when workers were invited first; 0: never */
    double expected;           /* ns a task, by earlier runs; 0: unknown */
    double gain, cost;         /* seconds, of that decision */
    unsigned invited;
    unsigned counted;   /* threads of it in the budget of the process tree */
    pid_t thread;       /* the caller's, */
    clockid_t clock;    /* its CPU clock, */
    uint64_t cpu;       /* and its time when it was */
    uint64_t delay;     /* ns that others had its CPU, as read last, */
    uint64_t sampled;   /* watched last; 0: not yet */
    uint64_t spent;     /* ns that it was seen to compute or sleep, */
    uint64_t asleep;    /* and to sleep, without a break until then */
    _Atomic int cpu_at; /* the CPU that the caller was seen on, or -1 */
    struct tutti_run *outer; /* that its thread was the caller of before, */
    _Atomic bool nests;      /* which then says so */
    bool waits;              /* its tasks wait more than they compute */

    /* The caller's own. */
    struct tt_grain grain;
    struct tt_range range; /* claimed, not yet counted */
    uint64_t from;         /* when it was claimed */
    uint64_t told;         /* last call of progress */
    uint64_t look;         /* when the caller looks whether to spread */
    unsigned recalled;     /* invitations were taken back: 1, and again
                              after it was closed: 2 */
    struct tt_lane own;    /* lane[0]; the others are made by join */
    struct tt_lane *_Atomic lane[TT_RUN_LANES]; /* set below `joined`, once
                              nobody is inside; NULL: no memory */
};

/* Makes a run of `loop`, which the caller works on if `caller`. */
void tt_run_init(struct tutti_run *run, const tutti_loop *loop,
                 const tutti_options *options, unsigned lanes, bool caller);

/* Makes it an open one, before anybody works on it. */
void tt_run_make_open(struct tutti_run *run);

/* Adds tasks at the end. False: the claim word is full. */
bool tt_run_extend(struct tutti_run *run, size_t n);

/* Whether its place counts its workers in the budget while they have tasks. */
bool tt_run_by_turns(const struct tutti_run *run);

/* Workers invited or at work. */
unsigned tt_run_inside(struct tutti_run *run);

/* Whether tasks may still come. */
static inline bool tt_run_open(struct tutti_run *run)
{
    return atomic_load_explicit(&run->open, memory_order_acquire) &&
           !atomic_load_explicit(&run->closed, memory_order_acquire);
}

/* What was decoded or lost has been told. */
void tt_run_tell_news(struct tutti_run *run);

/* Lanes that were made, once nobody is inside; in a forked child the caller's
 * alone: those whose turn it was are not there to make theirs. */
unsigned tt_run_joined(const struct tutti_run *run);

/* Frees the lanes. Nobody is inside. */
void tt_run_fini(struct tutti_run *run);

/* Tasks that nobody has claimed. */
size_t tt_run_left(struct tutti_run *run);

/* An inviter counts workers in before it tells them; one that is recalled
 * before it joined is counted out. Counting out may free the run: touch
 * nothing of it afterwards. */
void tt_run_count_in(struct tutti_run *run, unsigned workers);
void tt_run_count_out(struct tutti_run *run);

/* A worker that was counted in takes a lane; `invited` is when it was asked.
 * NULL: no lane left or no memory; count out. */
struct tt_lane *tt_run_join(struct tutti_run *run, uint64_t invited);

/* Claims up to `tasks` tasks (at least a unit) from the back or the front. */
bool tt_run_claim_back(struct tutti_run *run, size_t tasks,
                       struct tt_range *range);
bool tt_run_claim_front(struct tutti_run *run, size_t tasks,
                        struct tt_range *range);

/* Notes in `lane` that `range` ran from `from` to `to` with `tasks` tasks
 * finished, and counts these. */
void tt_run_ran(struct tutti_run *run, struct tt_lane *lane,
                const struct tt_range *range, size_t tasks, uint64_t from,
                uint64_t to);

/* Task `index` failed: those above are given up, the lowest failure is kept.
 * The detail line is copied. */
void tt_run_fail(struct tutti_run *run, size_t index, tutti_status status,
                 const char *detail);

/* The same for a task that says it failed: this thread's detail is why. */
void tt_run_task_failed(struct tutti_run *run, size_t index);

/* Gives up all that is not claimed: cancelled, out of time, broken. A failed
 * task that is known wins. */
void tt_run_close(struct tutti_run *run, tutti_status status,
                  const char *detail);

/* The detail of a run that is closed by its progress callback; by its deadline.
 */
#define TT_RUN_CANCELLED "cancelled by the progress callback"
#define TT_RUN_LATE "the deadline passed before the last task"

/* Closes a run whose deadline has passed. */
static inline void tt_run_check_deadline(struct tutti_run *run, uint64_t now)
{
    if (now >= run->finish)
        tt_run_close(run, TUTTI_ETIME, TT_RUN_LATE);
}

/* Tells progress in the caller's thread, `last` or when it is due. */
void tt_run_tell(struct tutti_run *run, uint64_t now, bool last);

/* The body that this thread is in, and its slices. */
struct tt_here {
    struct tutti_run *run; /* NULL: in none */
    bool caller;
    bool stopped; /* it was told so */
    size_t slice, most;
    size_t left;     /* of this slice */
    uint64_t looked; /* by the coarse clock */
};

/* Beside its user's loops a call to find it would show. */
extern __attribute__((
    tls_model("initial-exec"))) _Thread_local struct tt_here tt_here;

/* A slice is over: looks whether the run was closed. */
bool tt_run_look(void);

/* For bodies that can end early, as their tasks may be long: how many to run
 * before tt_run_past(). At least 1; all in a thread that runs no body. */
static inline size_t tt_run_slice(void)
{
    return tt_here.run ? tt_here.left : SIZE_MAX;
}

/* So many tasks more are done. True: what this thread works on was closed, and
 * the body shall return at once, with the tasks that are done; the caller's
 * thread tells progress first. */
static inline bool tt_run_past(size_t tasks)
{
    if (tasks >= tt_here.left)
        return tt_run_look();
    tt_here.left -= tasks;
    return false;
}

/* Runs loop.body on a claimed range from time `from` on, with all that is to
 * be noted and learnt of it; returns the time. */
uint64_t tt_run_body(struct tutti_run *run, struct tt_lane *lane,
                     struct tt_grain *grain, const struct tt_range *range,
                     uint64_t from);

/* The whole stay of a worker that calls loop.body: join, claim from the back,
 * leave. Counts itself out. */
void tt_run_work(struct tutti_run *run, uint64_t invited);

/* Nobody is inside, or those who were stayed behind a fork. */
bool tt_run_empty(struct tutti_run *run);

/* Waits until nobody is inside, at most `ns`; may end early. */
bool tt_run_sleep(struct tutti_run *run, uint64_t ns);

#endif
