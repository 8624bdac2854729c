#include "core/fork.h"

#include <pthread.h>

_Atomic unsigned tt_fork_count;

static void in_child(void)
{
    atomic_fetch_add_explicit(&tt_fork_count, 1, memory_order_relaxed);
}

__attribute__((constructor)) static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, in_child);
}
