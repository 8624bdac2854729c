/** For faces whose caller runs tasks by itself (an interpreter's loop): the
 * steps of tutti_loop_run() one by one. Second tier: may change between minor
 * versions. */
#ifndef TUTTI_SYS_CALLER_H
#define TUTTI_SYS_CALLER_H

#include <stdbool.h>
#include <stddef.h>

#include <tutti/loop.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A loop that is being run. */
typedef struct tutti_run tutti_run;

/** Begins a loop. loop->body may be NULL: then only the caller, by
 * tutti_run_claim(), and places that take messages run its tasks.
 *
 * out:  [out] written only on success; end it with tutti_run_end().
 * loop, options: must live until tutti_run_end().
 * Errors: TUTTI_EARG, TUTTI_EPLACE, TUTTI_EMEM.
 * Ownership: the caller's, until tutti_run_end().
 * Threads: any; the other calls on a run belong to the same thread.
 * Cost: about 0.1 us.
 */
TUTTI_MUST_CHECK tutti_status tutti_run_begin(tutti_run **out,
                                              const tutti_loop *loop,
                                              const tutti_options *options);

/** Claims the caller's next range [*begin, *end), and counts the one before
 * as done.
 *
 * Returns: false when nothing is left for the caller (or the place has no work
 * for it): go on with tutti_run_wait().
 * Threads: the run's.
 * Cost: a clock and two atomic operations, once a range of about 20 us.
 */
bool tutti_run_claim(tutti_run *run, size_t *begin, size_t *end);

/** Says that task `index` of the claimed range failed; the tasks behind it in
 * the range are left, no task above it is claimed any more. With a sentence
 * from tutti_task_fail().
 *
 * Threads: the run's.  Cost: a lock.
 */
void tutti_run_fail(tutti_run *run, size_t index);

/** Asks the run to stop: no new range is claimed.
 *
 * Threads: any, until tutti_run_end().  Cost: a lock.
 */
void tutti_run_cancel(tutti_run *run);

/** Waits for the ranges of other workers.
 *
 * seconds: at most so long; a signal ends the wait early.
 * Returns: true when all have ended.
 * Threads: the run's.  Cost: a futex wait.
 */
bool tutti_run_wait(tutti_run *run, double seconds);

/** Ends a run: waits for what is still running, frees it.
 *
 * Errors: as tutti_loop_run().
 * Threads: the run's.  Cost: until the last worker has left.
 */
TUTTI_MUST_CHECK tutti_status tutti_run_end(tutti_run *run);

#ifdef __cplusplus
}
#endif
#endif
