/** For faces whose caller runs tasks by itself (an interpreter's loop): the
 * steps of tutti_loop_run() one by one. Second tier: may change between minor
 * versions. */
#ifndef TUTTI_SYS_CALLER_H
#define TUTTI_SYS_CALLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

/** Tells which task the run will fail with.
 *
 * Returns: the lowest index known to have failed; SIZE_MAX: none.
 * Threads: the run's.  Cost: a lock.
 */
size_t tutti_run_failed(tutti_run *run);

/** Tells what sharing the loop is worth: nobody should spend more on it.
 *
 * Returns: the seconds that it is expected to save, as seen so far; INFINITY
 *        where the user named the place.
 * Threads: any, until tutti_run_end().  Cost: a lock.
 */
double tutti_run_gain(tutti_run *run);

/** Ends a run: waits for what is still running, frees it.
 *
 * Errors: as tutti_loop_run().
 * Threads: the run's.  Cost: until the last worker has left.
 */
TUTTI_MUST_CHECK tutti_status tutti_run_end(tutti_run *run);

/** Begins an open loop: one that gets more tasks while it runs, as a queue of
 * work does. Only places whose workers take messages, and no caller that works,
 * can run one; loop->n tasks are there from the start. A task's failure does
 * not end it: give loop->message a `lost`. Its workers come at once, and stay
 * with it until its end.
 *
 * out:  [out] written only on success; end it with tutti_run_end().
 * loop, options: as tutti_run_begin(); a deadline is refused.
 * Errors: TUTTI_EARG, TUTTI_EPLACE, TUTTI_EMEM; TUTTI_ESYS: no worker can be
 *       asked for.
 * Ownership: the caller's.
 * Threads: any; so are tutti_run_extend(), _help(), _finish(), _cancel().
 * Cost: starts the place's workers, some milliseconds that nobody waits for.
 */
TUTTI_MUST_CHECK tutti_status tutti_run_open(tutti_run **out,
                                             const tutti_loop *loop,
                                             const tutti_options *options);

/** Adds `n` tasks at the end of an open loop.
 *
 * helped: the caller goes on to tutti_run_help() at once, so nobody need be
 *       woken.
 * Errors: TUTTI_EARG (it was finished), TUTTI_EMEM (4e9 tasks wait),
 *       TUTTI_ESYS (no worker can be asked for; the tasks wait).
 * Threads: any.  Cost: an atomic operation; 2 us when the place sleeps.
 */
TUTTI_MUST_CHECK tutti_status tutti_run_extend(tutti_run *run, size_t n,
                                               bool helped);

/** Tells whether an open loop has settled since (see tutti_message.settle).
 *
 * Returns: a number that changes each time it does.
 * Threads: any.  Cost: a load.
 */
uint32_t tutti_run_news(const tutti_run *run);

/** Does the place's own work for an open loop (sending, receiving) until
 * tutti_run_news() is not `seen` any more, or for `seconds`. Where another
 * thread does that work already, it only waits.
 *
 * Threads: any, several at once; not in a callback of the loop but settle.
 * Cost: spins for some 50 us, then sleeps.
 */
void tutti_run_help(tutti_run *run, uint32_t seen, double seconds);

/** Says that an open loop gets no more tasks: its workers leave when all are
 * done, and tutti_run_wait() can become true.
 *
 * Threads: any.  Cost: a lock.
 */
void tutti_run_finish(tutti_run *run);

/** The process ids of an open loop's workers that live now, in no order.
 *
 * pids: [out] at most `room` of them; may be NULL when room is 0.
 * Returns: how many there are.
 * Threads: any, but without a lock that the loop's callbacks take.
 * Cost: a lock.
 */
size_t tutti_run_workers(tutti_run *run, long *pids, size_t room);

#ifdef __cplusplus
}
#endif
#endif
