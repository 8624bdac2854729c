#ifndef TUTTI_LOOP_H
#define TUTTI_LOOP_H

#include <stddef.h>
#include <stdint.h>

#include <tutti/place.h>
#include <tutti/report.h>
#include <tutti/status.h>

#ifdef __cplusplus
extern "C" {
#endif

struct tutti_message;

/** Runs the tasks [begin, end) of a loop.
 *
 * context: the loop's; shared by all workers, so what they write must not
 *       overlap between tasks.
 * worker: 0 for the caller, 1, 2, ... for others; below the loop's lanes.
 * Returns: `end`, or the index of the first task that failed; that range is
 *       left there. tutti_task_fail() gives the failure its sentence.
 */
typedef size_t (*tutti_body)(void *context, size_t begin, size_t end,
                             unsigned worker);

/** A loop: n independent tasks and the body that runs ranges of them. */
typedef struct tutti_loop {
    size_t n;            /**< tasks */
    size_t unit;         /**< ranges are cut at its multiples; 0 means 1 */
    tutti_body body;     /**< the call form */
    void *context;       /**< handed to the body */
    size_t context_size; /**< its bytes, if it may travel; else 0 */
    const void *key;     /**< what the cost of a task is remembered by;
                              NULL: the body's address */
    const struct tutti_message *message; /**< the message form (see
                              tutti/sys/message.h), or NULL */
} tutti_loop;

/** Called in the caller's thread, at most ten times a second and once at the
 * end. `done` of `n` tasks are finished. A result other than 0 cancels. */
typedef int (*tutti_progress)(void *arg, size_t done, size_t n);

/** How to run a loop. Start from TUTTI_OPTIONS_INIT. */
typedef struct tutti_options {
    uint32_t size;       /**< sizeof(tutti_options), set by the initialiser */
    const char *on;      /**< place by its text; NULL: "auto" */
    tutti_place *place;  /**< an open place; wins over `on` */
    unsigned workers;    /**< at most so many, the caller included; 0: the
                              CPU budget */
    unsigned retries;    /**< runs of a lost range beyond the first */
    double deadline;     /**< seconds for the whole loop; 0: none */
    double task_timeout; /**< seconds for one task; 0: none; processes only */
    size_t item_size;    /**< tutti_map() in other processes: bytes of an
                              item; 0: those of its stride */
    size_t result_size;  /**< likewise, of a result */
    tutti_progress progress;
    void *progress_arg;
    tutti_report *report; /**< [out] filled at the end; may be NULL */
} tutti_options;

#define TUTTI_OPTIONS_INIT TUTTI_INIT(tutti_options)

/** Runs a loop: starts in the caller and spreads when that pays (on "auto"),
 * or runs in the place asked for.
 *
 * loop:    read during the call only.
 * options: NULL for the defaults.
 * Errors: TUTTI_EARG (no body, a size of options that this library does not
 *       know, an unknown place), TUTTI_EPLACE, TUTTI_EMEM, TUTTI_ETASK (the
 *       lowest failing index is in the detail; tasks below it have run),
 *       TUTTI_ELOST, TUTTI_ETIME, TUTTI_ECANCEL (a progress callback's).
 * Threads: any, also from inside a body (nested loops share the workers).
 * Cost: about 1 us when the caller does it all; workers are woken only
 *       when the measured rest of the loop pays for it.
 * Source: heartbeat scheduling (Acar et al., PLDI 2018), lazy splitting
 *       (Tzannes et al., PPoPP 2010).
 */
TUTTI_MUST_CHECK tutti_status tutti_loop_run(const tutti_loop *loop,
                                             const tutti_options *options);

/** Gives the failure of a task its sentence; call in a body before it returns
 * the task's index.
 *
 * format: as printf; the result is cut at 500 bytes.
 * Threads: any.  Cost: formatting.
 */
void tutti_task_fail(const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 1, 2)))
#endif
    ;

/** The CPUs that this process may keep busy: the least of affinity, cgroup
 * quota along the whole path, and TUTTI_WORKERS; at least 1.
 *
 * Threads: any.  Cost: 10 to 50 us (reads the system each time).
 */
unsigned tutti_cpu_count(void);

/** The CPUs of tutti_cpu_count() that no loop of this process tree computes on
 * now. A task that asks has counted itself.
 *
 * Threads: any.  Cost: below 1 us, now and then some 50.
 */
unsigned tutti_cpu_idle(void);

#ifdef __cplusplus
}
#endif
#endif
