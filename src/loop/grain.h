/* Grain: how many tasks to claim at once, from measured time. */
#ifndef TT_LOOP_GRAIN_H
#define TT_LOOP_GRAIN_H

#include <stddef.h>
#include <stdint.h>

/* Tasks [begin, end) that were claimed. */
struct tt_range {
    size_t begin, end;
};

struct tt_grain {
    size_t next;     /* tasks to claim next */
    double per_task; /* measured ns, the largest of last and mean; 0: unknown */
    uint64_t spent;  /* ns in ranges so far */
    size_t tasks;    /* in them */
};

/* Starts with ranges of 1, 2, 4, ... tasks, until they can be measured. */
static inline void tt_grain_init(struct tt_grain *grain)
{
    *grain = (struct tt_grain){.next = 1};
}

/* A range of `tasks` tasks took `ns`. */
void tt_grain_learn(struct tt_grain *grain, size_t tasks, uint64_t ns);

/* Tasks to claim when `left` are unclaimed and `workers` claim. */
size_t tt_grain_next(struct tt_grain *grain, size_t left, unsigned workers);

#endif
