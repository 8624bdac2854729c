#include "sched/memo.h"

#include <stdatomic.h>
#include <stdint.h>

#define SLOTS 256

/* Key and cost are read apart: a torn pair is a wrong guess, no more, and
 * costs a wake-up. */
static struct {
    _Atomic uintptr_t key;
    _Atomic float per_task;
} memo[SLOTS];

static unsigned slot_of(uintptr_t key)
{
    return (unsigned)((uint64_t)key * 0x9e3779b97f4a7c15u >> 56) % SLOTS;
}

double tt_memo_get(const void *key)
{
    uintptr_t k = (uintptr_t)key;
    unsigned i = slot_of(k);
    if (!key)
        return 0;
    if (atomic_load_explicit(&memo[i].key, memory_order_relaxed) != k)
        return 0;
    return atomic_load_explicit(&memo[i].per_task, memory_order_relaxed);
}

void tt_memo_put(const void *key, double per_task)
{
    uintptr_t k = (uintptr_t)key;
    unsigned i = slot_of(k);
    atomic_store_explicit(&memo[i].per_task, (float)per_task,
                          memory_order_relaxed);
    atomic_store_explicit(&memo[i].key, k, memory_order_relaxed);
}
