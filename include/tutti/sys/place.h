/** For those who write places. A place is one folder, one table of this kind,
 * one line in the registry (src/sched/place.c). Read place/serial first. Places
 * are built into the library for now: invite() works on a run by tt_run_...
 * (src/loop/run.h), which is not public.
 * Second tier: may change between minor versions. */
#ifndef TUTTI_SYS_PLACE_H
#define TUTTI_SYS_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tutti/status.h>
#include <tutti/sys/caller.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TUTTI_PLACE_VERSION 1

/** The forms of a body that a place can run. */
enum {
    TUTTI_TAKES_CALL = 1,    /**< loop->body, in this address space */
    TUTTI_TAKES_MESSAGE = 2, /**< loop->message */
    TUTTI_TAKES_SOURCE = 4   /**< a kernel's text, by compile(); no place does
                                yet */
};

/** What using a place costs, in seconds; measured, see `tutti info`. */
typedef struct tutti_place_cost {
    double open;   /**< until the first worker can claim, nothing started */
    double invite; /**< to wake one worker that exists */
    double range;  /**< to hand out one range */
    double byte;   /**< to move a byte there */
} tutti_place_cost;

/** A place's own memory (devices). All entries are required if there is one;
 * a place that shares the caller's memory has none. */
typedef struct tutti_place_memory {
    tutti_status (*alloc)(void *state, void **out, size_t size);
    void (*free)(void *state, void *block);
    tutti_status (*put)(void *state, void *to, const void *from, size_t size);
    tutti_status (*get)(void *state, void *to, const void *from, size_t size);
} tutti_place_memory;

/** The operations of a place. Where NULL has a meaning, it is told; the others
 * are required. `state` is what open() made. */
typedef struct tutti_place_ops {
    uint32_t version; /**< TUTTI_PLACE_VERSION */
    const char *name;
    unsigned takes;    /**< TUTTI_TAKES_... */
    bool caller_works; /**< the caller claims ranges too */

    /** Whether the place can be opened here, and a line on why (not). No lock
     * held; may take milliseconds. NULL: always present. */
    bool (*probe)(char *reason, size_t size);

    /** Makes the state for `workers` workers, the caller included if it
     * works; 0: the CPU budget, read at each loop. Starts nothing. */
    tutti_status (*open)(void **state, unsigned workers);

    /** Ends all workers and frees the state. No run is under way. */
    void (*close)(void *state);

    /** What it would cost to use it now. Does not block; called by any thread,
     * with the scheduler's board locked (the helper) and without (a caller
     * that begins a loop). */
    void (*cost)(void *state, tutti_place_cost *cost);

    /** Memory of its own. NULL: the caller's. */
    const tutti_place_memory *memory;

    /** Compiles a kernel's text to something invite() can run. NULL: `takes`
     * lacks TUTTI_TAKES_SOURCE. */
    tutti_status (*compile)(void *state, void **out, const char *text);

    /** Asks up to `workers` more workers to join the run; returns how many it
     * asked, 0 with the reason in tutti_detail(). Each joins by tt_run_join(),
     * claims by tt_run_claim_back(), counts itself out by tt_run_count_out().
     * Does not wait. Called by any thread, one at a time for a run. */
    unsigned (*invite)(void *state, tutti_run *run, unsigned workers);

    /** Takes back the invitations of a run that nobody has taken up yet, and
     * makes those who hold ranges of it end early if the run was cancelled.
     * Called by the run's owner; for an open loop by any thread, also when it
     * got tasks. */
    void (*recall)(void *state, tutti_run *run);

    /** Who waits for a run may do the place's work: until nobody is inside, or
     * an open loop's news are not `seen`; at most `ns`. NULL: it sleeps. */
    void (*help)(void *state, tutti_run *run, uint32_t seen, uint64_t ns);

    /** The process ids of the run's workers, at most `room` of them; returns
     * how many there are. NULL: no open loop runs here. */
    size_t (*list)(void *state, tutti_run *run, long *pids, size_t room);
} tutti_place_ops;

#ifdef __cplusplus
}
#endif
#endif
