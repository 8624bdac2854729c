/* Forked children: threads are gone there, locks may be held by the dead. */
#ifndef TT_CORE_FORK_H
#define TT_CORE_FORK_H

#include <stdatomic.h>

/* How often this process's ancestors forked since tutti was loaded: a state
 * made at another count belongs to another process. */
extern _Atomic unsigned tt_fork_count;

static inline unsigned tt_forks(void)
{
    return atomic_load_explicit(&tt_fork_count, memory_order_relaxed);
}

#endif
