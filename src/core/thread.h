/* Where and how soon threads run. Linux often puts a thread that is woken on
 * the CPU of the one that wakes it, even if another CPU is idle, and lets it
 * wait there for the end of a time slice: some 4 ms. */
#ifndef TT_CORE_THREAD_H
#define TT_CORE_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

/* Starts a thread; `out` NULL: one that is not joined. Signals are for the
 * user's threads: it takes none but its own faults, which a handler of the
 * user's may want to tell (blocked, they would end the process at once). */
bool tt_thread_start(pthread_t *out, void *(*main)(void *), void *arg);

/* This thread does little, but soon after it is woken: a short time slice, so
 * that it need not wait for the end of others' (Linux 6.12 and newer). */
void tt_thread_prompt(void);

/* The sleeping thread `thread` wakes up on another CPU than `cpu`, if the
 * process has one; until it calls tt_thread_roam(). About 2 us. */
void tt_thread_avoid(pid_t thread, int cpu);

/* This thread may run on all CPUs of the process again, or on those that it
 * had when it called tt_thread_keep(). About 1 us. */
void tt_thread_roam(void);

/* This thread goes on on another CPU than `cpu`, if it may run on one; where it
 * may run stays as it is. Some 10 us, and what the other CPU needs to wake. */
void tt_thread_leave(int cpu);

/* For a process whose first thread it is that others tell to avoid a CPU. */
void tt_thread_keep(void);

#endif
