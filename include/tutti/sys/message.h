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

/** Memory that travels beside bytes: in a segment that processes share, so that
 * it is copied once or not at all. Counted; any thread. */
typedef struct tutti_block tutti_block;

/** Makes a block of `size` bytes, all there (no room is an error here, not a
 * signal later), of any content.
 *
 * out:  [out] written only on success.
 * Errors: TUTTI_EMEM, TUTTI_ESYS.
 * Ownership: the caller's, until tutti_block_drop().
 * Threads: any.  Cost: microseconds when memory of a dropped block is used
 *       again, else 0.5 us a KiB.
 */
TUTTI_MUST_CHECK tutti_status tutti_block_alloc(tutti_block **out, size_t size);

/** The memory of a block.
 *
 * Returns: its first byte, aligned to 64; in the process that received the
 *       block, writes are its own.
 * Ownership: the block's.  Threads: any.  Cost: a load.
 */
void *tutti_block_data(const tutti_block *block);

/** The size of a block.
 *
 * Returns: bytes.  Threads: any.  Cost: a load.
 */
size_t tutti_block_size(const tutti_block *block);

/** Counts one more user of a block.
 *
 * Returns: the block.
 * Ownership: the new user's, until tutti_block_drop().
 * Threads: any.  Cost: an atomic operation.
 */
tutti_block *tutti_block_keep(tutti_block *block);

/** Counts one user less; the last one frees it.
 *
 * block: NULL is allowed.
 * Threads: any.  Cost: an atomic operation; the last one's, microseconds.
 */
void tutti_block_drop(tutti_block *block);

/** Growing bytes, and blocks beside them. Zero-initialised is empty. */
typedef struct tutti_bytes {
    char *data;
    size_t size, room;
    tutti_block **blocks; /* kept */
    size_t count, count_room;
} tutti_bytes;

/** Appends `size` bytes of `data`.
 *
 * Errors: TUTTI_EMEM; the bytes are then as before.
 * Threads: one at a time.  Cost: a copy; growth doubles.
 */
TUTTI_MUST_CHECK tutti_status tutti_bytes_append(tutti_bytes *bytes,
                                                 const void *data, size_t size);

/** Adds `size` bytes of `data` as a block; worth it from some 64 KiB on. Memory
 * that lies in a block of this process is not copied: it is shared, and must
 * not be written until the loop has ended.
 *
 * Errors: TUTTI_EMEM, TUTTI_ESYS; the bytes are then as before.
 * Threads: one at a time.  Cost: at most one copy.
 */
TUTTI_MUST_CHECK tutti_status tutti_bytes_attach(tutti_bytes *bytes,
                                                 const void *data, size_t size);

/** Frees the bytes, drops the blocks, and leaves both empty.
 *
 * bytes: NULL is allowed.
 * Threads: one at a time.  Cost: a free.
 */
void tutti_bytes_clear(tutti_bytes *bytes);

/** Bytes and blocks that have come. All are gone after the call that hands them
 * out; a block lives on for those who keep it. */
typedef struct tutti_parcel {
    const void *data; /* aligned to 16 bytes */
    size_t size;
    tutti_block *const *blocks; /* in the order of tutti_bytes_attach() */
    size_t count;
} tutti_parcel;

/** What a worker says beside results. */
typedef enum tutti_voice {
    TUTTI_SAYS_WARNING = 0, /**< the place's own, one line, no line feed */
    TUTTI_SAYS_OUT = 1,     /**< what a task printed; whole lines */
    TUTTI_SAYS_ERR = 2
} tutti_voice;

/** The message form of a loop's body. The callbacks get the loop's context,
 * run one at a time (in a thread of the place, or in one that waits for the
 * loop), and must not call tutti but for tutti_bytes_...(), tutti_block_...(),
 * tutti_run_gain() and tutti_task_fail(). One that fails gives its sentence by
 * tutti_task_fail(). */
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
    /** Bytes of the items [begin, end). `sitting` tells workers apart: it is a
     * new number for every worker process that was prepared for this loop. A
     * failure as of encode_job. */
    tutti_status (*encode_range)(void *context, size_t begin, size_t end,
                                 uint64_t sitting, tutti_bytes *out);
    /** Stores the results of [begin, end). *failed is SIZE_MAX at the call; set
     * it to the index of the first task that failed, if one did. */
    tutti_status (*decode_range)(void *context, size_t begin, size_t end,
                                 const tutti_parcel *parcel, size_t *failed);
    /** The tasks [begin, end) will have no result, and the loop goes on: their
     * worker was lost in the first of them (TUTTI_ELOST), or in one behind
     * them (TUTTI_ECANCEL), the first took too long (TUTTI_ETIME), or they
     * cannot be sent (what encode_range gave); `why` is a sentence. NULL: the
     * loop fails there. */
    void (*lost)(void *context, size_t begin, size_t end, tutti_status status,
                 const char *why);
    /** A worker printed, or the place warns. NULL: what was printed goes to
     * this process's own standard output and error; warnings go nowhere. */
    void (*say)(void *context, tutti_voice voice, const char *text,
                size_t size);
    /** Something was decoded, lost or said: called in the same thread, soon
     * after and with no lock held, so it may take its time and call tutti. For
     * open loops; may be NULL. */
    void (*settle)(void *context);
    /** The workers are needed soon: a good moment to prepare encode_job.
     * Called in any thread; may be NULL. */
    void (*prepare)(void *context);
    /** A worker process is replaced after so many ranges; 0: never. */
    unsigned ranges_most;
    /** Tasks of a range; 0: as many as their times suggest, with ranges_most
     * one. */
    size_t range_tasks;
    /** Tasks that a lost worker has run, though their results are lost with
     * it, are lost too, unless options.retries has them run again. A queue's
     * always are. */
    bool once;
    /** Its workers may return TUTTI_RANGE_GIVES. */
    bool gives;
    /** A worker may keep what it prepared from small bytes of encode_job: for a
     * loop whose bytes are equal, it gets an empty parcel. */
    bool keeps;
    /** Seconds of the caller's own time that encode_job takes, and encoding
     * and decoding of a task: "auto" weighs them. 0: nothing. */
    double job_cost, task_cost;
} tutti_message;

/** What tutti_worker.range returns when others had better run the rest. */
#define TUTTI_RANGE_GIVES (-2)

/** What a worker process does with messages. It is asked by one loop at a
 * time: job, ranges, forget. */
typedef struct tutti_worker {
    void *arg;
    /** Prepares for loop `loop` from encode_job's bytes; an empty parcel: from
     * those of the last call, which were the same. 0, or anything else:
     * the worker cannot run this loop; `error` may get a sentence. */
    int (*job)(void *arg, uint64_t loop, const tutti_parcel *parcel,
               tutti_bytes *error);
    /** Forgets loop `loop`. */
    void (*forget)(void *arg, uint64_t loop);
    /** Runs [begin, end) and appends the results for decode_range. `worker` is
     * the number of its lane: 1, 2, ... *ran is end - begin at the call; a
     * worker that sets it lower (not to 0) has its results sent at once, and
     * is called again with the same parcel for the rest; but with
     * TUTTI_RANGE_GIVES the rest goes back, for any worker; all of it (0), when
     * it cannot be read: it comes again unit by unit, and a unit that cannot
     * be read fails. Returns that, 0, or anything else to end the worker. */
    int (*range)(void *arg, uint64_t loop, size_t begin, size_t end,
                 unsigned worker, const tutti_parcel *parcel, tutti_bytes *out,
                 size_t *ran);
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
 * Threads: one.  Cost: under a microsecond a range while ranges come fast, a
 *       futex wake-up after a pause.
 */
int tutti_worker_serve(int channel, const tutti_worker *worker);

/** In a worker: task `index` begins. Should the process die now, it is the one
 * that is named.
 *
 * Threads: that of tutti_worker_serve(); in others nothing happens.
 * Cost: a store.
 */
void tutti_worker_at(size_t index);

/** In a worker: has `text` said where the loop was called (see
 * tutti_message.say); gone to this process's own standard output or error when
 * it has no loop.
 *
 * voice: whose it is.
 * text, size: whole lines, any bytes.
 * Threads: any.  Cost: a copy.
 */
void tutti_worker_say(tutti_voice voice, const char *text, size_t size);

#ifdef __cplusplus
}
#endif
#endif
