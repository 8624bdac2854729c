#define _GNU_SOURCE
#include "core/load.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>

#include "core/clock.h"
#include "core/status.h"

/* That a fork waits. What is loaded may want a lock of the thread that forks:
 * the system's of fork handlers (before glibc 2.36), an interpreter's. */
#define PATIENCE_NS 1000000000

#define FREE PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP

static pthread_mutex_t lock = FREE; /* held by the thread that loads */
static unsigned depth;              /* guarded by it */
static bool locked;                 /* in this child, the loader is, for ever */
static _Thread_local bool held;     /* the lock, for a fork */

tutti_status tt_load_begin(void)
{
    if (locked)
        return tt_fail(TUTTI_ESYS,
                       "nothing can be loaded in this process: it was forked "
                       "while another thread loaded a library; fork before "
                       "that, or do it in the parent");
    pthread_mutex_lock(&lock);
    depth++;
    return TUTTI_OK;
}

void tt_load_end(void)
{
    depth--;
    pthread_mutex_unlock(&lock);
}

void tt_load_close(void *library)
{
    if (!library || tt_load_begin() != TUTTI_OK)
        return;
    dlclose(library);
    tt_load_end();
}

static void before_fork(void)
{
    struct timespec until = tt_clock_in(PATIENCE_NS);
    held = pthread_mutex_timedlock(&lock, &until) == 0;
}

static void in_parent(void)
{
    if (held)
        pthread_mutex_unlock(&lock);
}

/* A thread that forks while it loads owns the loader's locks no more: they go
 * by its number. */
static void in_child(void)
{
    locked = locked || !held || depth > 0;
    lock = (pthread_mutex_t)FREE;
}

/* Before the handlers of all else, so that its lock is the last that a fork
 * takes: places are opened, and loaded, with a lock held. */
__attribute__((constructor(101))) static void watch_forks(void)
{
    pthread_atfork(before_fork, in_parent, in_child);
}
