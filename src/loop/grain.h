/* Grain: how many tasks to claim at once, from measured time. */
#ifndef TT_LOOP_GRAIN_H
#define TT_LOOP_GRAIN_H

#include <stddef.h>
#include <stdint.h>

/* Tasks [begin, end) that were claimed. */
struct tt_range {
    size_t begin, end;
};

/* What a worker knows of the time of a task. Zero: nothing. */
struct tt_grain {
    size_t next;     /* tasks of the last claim */
    double per_task; /* ns, the larger of last range's and mean; 0: unknown */
    double spent;    /* ns in ranges so far, fading */
    double tasks;    /* in them, fading */
};

/* A range of `tasks` tasks took `ns`. */
void tt_grain_learn(struct tt_grain *grain, size_t tasks, uint64_t ns);

/* Tasks to claim when `left` are unclaimed and `workers` claim: 1, 2, 4, ...
 * up to a range of 20 us, less near the end. */
size_t tt_grain_next(struct tt_grain *grain, size_t left, unsigned workers);

#endif
