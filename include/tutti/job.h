#ifndef TUTTI_JOB_H
#define TUTTI_JOB_H

#include <stdbool.h>

#include <tutti/loop.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A loop that runs while the caller does something else. */
typedef struct tutti_job tutti_job;

/** Starts a loop and returns.
 *
 * out:  [out] written only on success.
 * loop, options: copied; what they point to must live until the job is done.
 *       progress is called in the job's thread.
 * Errors: TUTTI_EARG (out or loop is NULL, or no body), TUTTI_EMEM,
 *       TUTTI_ESYS (no thread could be started). What tutti_loop_run() finds
 *       wrong, tutti_job_wait() returns.
 * Ownership: the caller's, until tutti_job_free().
 * Threads: any.  Cost: starts a thread, about 20 us.
 */
TUTTI_MUST_CHECK tutti_status tutti_submit(tutti_job **out,
                                           const tutti_loop *loop,
                                           const tutti_options *options);

/** Waits for a job.
 *
 * seconds: at most so long; negative: until it is done.
 * Returns: what tutti_loop_run() would have, with its detail; TUTTI_ETIME
 *       when the job is still running (ask tutti_job_done()).
 * Threads: any, several at once.  Cost: a futex wait.
 */
TUTTI_MUST_CHECK tutti_status tutti_job_wait(tutti_job *job, double seconds);

/** Asks a job to stop: no new range is claimed, running ones end. Returns at
 * once; tutti_job_wait() then gives TUTTI_ECANCEL, unless the job had finished
 * or failed.
 *
 * Threads: any.  Cost: an atomic operation.
 */
void tutti_job_cancel(tutti_job *job);

/** Whether a job has ended.  Threads: any.  Cost: a load. */
bool tutti_job_done(const tutti_job *job);

/** Cancels, waits and frees.
 *
 * job: NULL is allowed.
 * Threads: one, and nobody may use the job after.
 * Cost: as long as the ranges that are running take.
 */
void tutti_job_free(tutti_job *job);

#ifdef __cplusplus
}
#endif
#endif
