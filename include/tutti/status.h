#ifndef TUTTI_STATUS_H
#define TUTTI_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

/** What a call came to. Zero is success; tutti_detail() has the sentence. */
typedef enum tutti_status {
    TUTTI_OK = 0,
    TUTTI_EARG,    /**< an argument or an input file is off */
    TUTTI_EMEM,    /**< no memory, or no room in shared memory */
    TUTTI_ESYS,    /**< a system call failed */
    TUTTI_EPLACE,  /**< the place is absent, or cannot run this body */
    TUTTI_ETASK,   /**< a task failed: the detail names the lowest index */
    TUTTI_ELOST,   /**< a worker died: the detail names task and cause */
    TUTTI_ECANCEL, /**< cancelled before the last task */
    TUTTI_ETIME    /**< the deadline passed before the last task */
} tutti_status;

#if defined(__GNUC__)
#define TUTTI_MUST_CHECK __attribute__((warn_unused_result))
#else
#define TUTTI_MUST_CHECK
#endif

/* A structure's own size, all else zero; C++17 has no designators. */
#ifdef __cplusplus
#define TUTTI_INIT(type) \
    { \
        sizeof(type) \
    }
#else
#define TUTTI_INIT(type) \
    { \
        .size = sizeof(type) \
    }
#endif

/** The short name of a status, such as "task failed".
 *
 * status: any value, also one that is not in the enum.
 * Returns: a constant string, never NULL.
 * Threads: any.  Cost: a switch.
 */
const char *tutti_status_name(tutti_status status);

/** One line on the failure of this thread's last call of tutti: what was given,
 * what was expected, what to do.
 *
 * Returns: a string owned by the thread, valid until its next call of tutti,
 * also one that succeeds; empty when nothing has failed yet; never NULL.
 * Threads: any; each has its own line.  Cost: a load.
 */
const char *tutti_detail(void);

#ifdef __cplusplus
}
#endif
#endif
