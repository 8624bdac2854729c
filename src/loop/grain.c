#include "loop/grain.h"

#include <math.h>

/* A range of 20 us makes two clock reads and a claim cost under 1 %; below 2
 * us they would cost 5 %. Earlier ranges fade by 1/16 a range, so that one
 * giant task does not leave ranges of one behind it. */
#define TARGET_NS 20000.0
#define FLOOR_NS 2000.0
#define FADE (15.0 / 16)

/* Ranges within this share of what is left, a worker: no one is late. */
#define TAIL 4

/* Tasks that a double and a size_t can both count. */
#define MOST 1e18

/* Long ranges are whole blocks, for bodies that vectorise across tasks. */
#define BLOCK 128

void tt_grain_learn(struct tt_grain *grain, size_t tasks, uint64_t ns)
{
    if (tasks == 0)
        return;
    grain->spent = grain->spent * FADE + (double)ns;
    grain->tasks = grain->tasks * FADE + (double)tasks;
    double last = (double)ns / (double)tasks;
    double mean = grain->spent / grain->tasks;
    grain->per_task = last > mean ? last : mean;
}

size_t tt_grain_next(struct tt_grain *grain, size_t left, unsigned workers)
{
    double tasks = 2.0 * (double)grain->next;
    if (grain->per_task == 0)
        tasks = 1;
    else if (tasks * grain->per_task > TARGET_NS)
        tasks = TARGET_NS / grain->per_task;
    if (workers > 1) {
        double tail = (double)left / (TAIL * workers);
        double least = fmin(tasks, FLOOR_NS / (grain->per_task + 1));
        tasks = fmin(tasks, fmax(tail, least));
    }
    grain->next = tasks > 1 ? (size_t)fmin(tasks, MOST) : 1;
    if (grain->next >= 2 * BLOCK)
        grain->next -= grain->next % BLOCK;
    return grain->next;
}
