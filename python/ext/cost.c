/* What travelling costs the caller, as measured in the last runs of the same
 * function: what sharing is worth depends on it. A collision forgets. What was
 * not measured, or with data of another size, is guessed. */
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

static double read_clock(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

double tt_py_cost_clock(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

double tt_py_cost_cpu(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

/* Whether what was measured says something about data of this weight. */
static bool alike(double measured, double now, double slack)
{
    return now < 2 * measured + slack && measured < 2 * now + slack;
}

void tt_py_cost_get(struct tt_py_map *map)
{
    const struct tt_py_cost *known = slot_of(map);
    tutti_message *message = &map->message;
    bool same = known->key == map->loop.key;
    double job = map->job_weight = tt_py_weigh(map->f);
    double task = map->task_weight = tt_py_weigh_items(map->columns);
    bool job_known = same && alike(known->job_weight, job, JOB / 4);
    bool task_known = same && alike(known->task_weight, task, 10 * TASK);
    map->job_guess = job_known ? known->job : JOB + job;
    map->task_guess = task_known ? known->task : TASK + task;
    message->job_cost =
        map->job_guess + (job_known || map->state->wire ? 0 : JOB_FIRST);
    message->task_cost = map->task_guess;
    /* What was given up takes longer than is known: nobody can say how long. */
    if (job_known && known->job_cut)
        map->job_guess = 0;
    if (task_known && known->task_cut)
        map->task_guess = 0;
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
    known->job_cut = spent->job_cut;
    known->job_weight = map->job_weight;
    bool some = spent->encoded && spent->decoded;
    if (some)
        known->task = spent->encode / (double)spent->encoded +
                      spent->decode / (double)spent->decoded;
    else if (spent->task_cut)
        known->task = spent->task;
    if (some || spent->task_cut) {
        known->task_cut = !some;
        known->task_weight = map->task_weight;
    }
}
