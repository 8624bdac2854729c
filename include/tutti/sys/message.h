/** For faces whose functions cannot be called from another process: how the
 * ranges of a loop become bytes and back. Second tier: may change between
 * minor versions. */
#ifndef TUTTI_SYS_MESSAGE_H
#define TUTTI_SYS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <tutti/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Growing bytes. Zero-initialised is empty. */
typedef struct tutti_bytes {
    char *data;
    size_t size, room;
} tutti_bytes;

/** Appends `size` bytes of `data`.
 *
 * Errors: TUTTI_EMEM; the bytes are then as before.
 * Threads: one at a time.  Cost: a copy; growth doubles.
 */
TUTTI_MUST_CHECK tutti_status tutti_bytes_append(tutti_bytes *bytes,
                                                 const void *data, size_t size);

/** Frees the bytes and leaves them empty.
 *
 * bytes: NULL is allowed.
 * Threads: one at a time.  Cost: a free.
 */
void tutti_bytes_clear(tutti_bytes *bytes);

/** The message form of a loop's body. The callbacks get the loop's context,
 * run one at a time (in a thread of the place, or in the caller), and must not
 * call tutti but for tutti_bytes_append() and tutti_task_fail(). One that
 * fails gives its sentence by tutti_task_fail(). */
typedef struct tutti_message {
    /** Command that becomes a zygote: it must call tutti_zygote_serve() on
     * descriptor 3. NULL-terminated; the first is looked up in PATH. It gets
     * the environment of that moment, /dev/null as standard input, a process
     * group of its own, and no descriptor above 3. Loops with equal commands
     * share one. */
    const char *const *command;
    /** Bytes that prepare a worker for this loop (the function). Called once
     * a loop, before the first range. A failure leaves the loop to the
     * caller, or ends it if the caller does not run tasks. */
    tutti_status (*encode_job)(void *context, tutti_bytes *out);
    /** Bytes of the items [begin, end). A failure as of encode_job. */
    tutti_status (*encode_range)(void *context, size_t begin, size_t end,
                                 tutti_bytes *out);
    /** Stores the results of [begin, end); `data` is aligned to 16 bytes and
     * gone after the call. *failed is SIZE_MAX at the call; set it to the
     * index of the first task that failed, if one did. */
    tutti_status (*decode_range)(void *context, size_t begin, size_t end,
                                 const void *data, size_t size, size_t *failed);
    /** The workers are needed soon: a good moment to prepare encode_job.
     * Called in any thread; may be NULL. */
    void (*prepare)(void *context);
    /** Seconds of the caller's own time that encode_job takes, and encoding
     * and decoding of a task: "auto" weighs them. 0: nothing. */
    double job_cost, task_cost;
} tutti_message;

/** What a worker process does with messages. It is asked by one loop at a
 * time: job, ranges, forget. */
typedef struct tutti_worker {
    void *arg;
    /** Prepares for loop `loop` from encode_job's bytes. 0, or anything else:
     * the worker cannot run this loop; `error` may get a sentence. */
    int (*job)(void *arg, uint64_t loop, const void *data, size_t size,
               tutti_bytes *error);
    /** Forgets loop `loop`. */
    void (*forget)(void *arg, uint64_t loop);
    /** Runs [begin, end) and appends the results for decode_range; `data` is
     * aligned to 16 bytes and gone after the call. `worker` is the number of
     * its lane: 1, 2, ... Returns 0, or anything else to end the worker. */
    int (*range)(void *arg, uint64_t loop, size_t begin, size_t end,
                 unsigned worker, const void *data, size_t size,
                 tutti_bytes *out);
} tutti_worker;

/** Serves as a zygote on `control` until it is closed: forks a worker for each
 * request, kills one on request, and reports deaths. When control is closed,
 * it kills its workers, each with its process group. It gets SIGKILL when the
 * thread that started it ends, a worker when its zygote ends.
 *
 * control: a SOCK_SEQPACKET socket; closed at return.
 * before, after_parent, after_child: around each fork; may be NULL.
 * Returns: the channel of a worker, in each forked worker, for
 *       tutti_worker_serve(); -1 in the zygote itself at the end: exit.
 * Threads: the process must have one.  Cost: a fork a worker.
 */
int tutti_zygote_serve(int control, void (*before)(void),
                       void (*after_parent)(void), void (*after_child)(void));

/** Serves as a worker on `channel` until it is closed.
 *
 * channel: closed at return.
 * Returns: 0 when the channel was closed in order, -1 when it broke or
 *       worker->range asked for the end; tutti_detail() says why.
 * Threads: one.  Cost: two system calls a range.
 */
int tutti_worker_serve(int channel, const tutti_worker *worker);

#ifdef __cplusplus
}
#endif
#endif
