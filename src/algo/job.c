/* A job: a thread that runs a loop as its caller. */
#include <tutti/job.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/fork.h"
#include "core/futex.h"
#include "sched/caller.h"

struct tutti_job {
    tutti_loop loop;
    tutti_options options;
    pthread_t thread;
    unsigned forks; /* tt_fork_count when it was started */

    pthread_mutex_t lock; /* guards run and cancelled */
    tutti_run *run;       /* while it can be cancelled */
    bool cancelled;

    _Atomic uint32_t done; /* a futex; what follows is written before */
    tutti_status status;
    char detail[TT_DETAIL_SIZE];
};

/* Makes the run the one to cancel; NULL: there is none any more. */
static void show(struct tutti_job *job, tutti_run *run)
{
    pthread_mutex_lock(&job->lock);
    job->run = run;
    if (run && job->cancelled)
        tutti_run_cancel(run);
    pthread_mutex_unlock(&job->lock);
}

static void *job_main(void *arg)
{
    struct tutti_job *job = arg;
    tutti_run *run;
    job->status = tutti_run_begin(&run, &job->loop, &job->options);
    if (job->status == TUTTI_OK) {
        show(job, run);
        if (job->loop.body)
            tt_caller_work(run);
        while (!tutti_run_wait(run, 1))
            continue;
        show(job, NULL);
        job->status = tutti_run_end(run);
    }
    strcpy(job->detail, job->status ? tutti_detail() : "");
    atomic_store_explicit(&job->done, 1, memory_order_release);
    tt_futex_wake(&job->done, INT_MAX);
    return NULL;
}

/* No further than the caller's struct goes; one of another size is refused
 * when the loop begins. */
static void copy_options(tutti_options *to, const tutti_options *from)
{
    size_t size = from->size < sizeof *to ? from->size : sizeof *to;
    memcpy(to, from, size);
    to->size = from->size;
}

tutti_status tutti_submit(tutti_job **out, const tutti_loop *loop,
                          const tutti_options *options)
{
    static const tutti_options defaults = TUTTI_OPTIONS_INIT;
    if (!out || !loop || (!loop->body && !loop->message))
        return tt_fail(TUTTI_EARG, "tutti_submit: %s",
                       !out    ? "out is NULL"
                       : !loop ? "loop is NULL"
                               : "the loop has no body");
    struct tutti_job *job = calloc(1, sizeof *job);
    if (!job)
        return tt_fail_memory("a job");
    job->loop = *loop;
    job->options = defaults;
    if (options)
        copy_options(&job->options, options);
    job->forks = tt_forks();
    pthread_mutex_init(&job->lock, NULL);
    int error = pthread_create(&job->thread, NULL, job_main, job);
    if (error) {
        pthread_mutex_destroy(&job->lock);
        free(job);
        return tt_fail(TUTTI_ESYS, "no thread could be started for a job: %s",
                       strerror(error));
    }
    *out = job;
    return TUTTI_OK;
}

/* A forked child has the job's memory, not its thread. */
static bool forked(const struct tutti_job *job)
{
    return job->forks != tt_forks();
}

bool tutti_job_done(const tutti_job *job)
{
    return atomic_load_explicit(&job->done, memory_order_acquire);
}

tutti_status tutti_job_wait(tutti_job *job, double seconds)
{
    uint64_t now = tt_clock(), until = UINT64_MAX;
    if (seconds >= 0 && seconds < 1e9)
        until = now + (uint64_t)(seconds * 1e9);
    while (!tutti_job_done(job)) {
        if (forked(job))
            return tt_fail(TUTTI_ELOST, "the process forked: the job runs in "
                                        "the parent, wait for it there");
        if (now >= until)
            return tt_fail(TUTTI_ETIME, "the job still runs after %g s",
                           seconds);
        tt_futex_wait(&job->done, 0, until - now);
        now = tt_clock();
    }
    if (job->status)
        tt_detail_set(job->detail);
    return job->status;
}

void tutti_job_cancel(tutti_job *job)
{
    if (forked(job))
        return;
    pthread_mutex_lock(&job->lock);
    job->cancelled = true;
    if (job->run)
        tutti_run_cancel(job->run);
    pthread_mutex_unlock(&job->lock);
}

void tutti_job_free(tutti_job *job)
{
    if (!job)
        return;
    if (!forked(job)) {
        tutti_job_cancel(job);
        pthread_join(job->thread, NULL);
        pthread_mutex_destroy(&job->lock);
    }
    free(job);
}
