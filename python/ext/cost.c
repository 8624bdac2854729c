/* What travelling costs the caller, as measured in the last runs of the same
 * function: what sharing is worth depends on it. A collision forgets. */
#include "face.h"

#include <time.h>

/* Until measured: a lambda; a small number there and back. Before the first
 * job ever, modules have to be imported. */
#define JOB 100e-6
#define JOB_FIRST 20e-3
#define TASK 50e-9

/* A function that did not spread is tried again after a while. */
#define FORGET 0.95

static struct tt_py_cost *slot_of(struct tt_py_map *map)
{
    uintptr_t key = (uintptr_t)map->loop.key;
    return &map->state->costs[(key >> 4 ^ key >> 12) % TT_PY_COSTS];
}

double tt_py_cost_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void tt_py_cost_get(struct tt_py_map *map)
{
    const struct tt_py_cost *known = slot_of(map);
    bool same = known->key == map->loop.key;
    map->message.job_cost = !map->state->wire ? JOB_FIRST
                            : same            ? known->job
                                              : JOB;
    map->message.task_cost = same ? known->task : TASK;
}

void tt_py_cost_put(struct tt_py_map *map)
{
    struct tt_py_cost *known = slot_of(map);
    const struct tt_py_spent *spent = &map->spent;
    bool same = known->key == map->loop.key;
    if (spent->job <= 0) {
        if (same && known->task > TASK)
            known->task *= FORGET;
        if (same && known->job > JOB)
            known->job *= FORGET;
        return;
    }
    if (!same)
        *known = (struct tt_py_cost){.key = map->loop.key, .task = TASK};
    known->job = spent->job;
    if (spent->encoded && spent->decoded)
        known->task = spent->encode / (double)spent->encoded +
                      spent->decode / (double)spent->decoded;
}
