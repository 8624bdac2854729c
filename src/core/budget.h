/* The budget of a process tree: how many threads run in all processes of the
 * tree that use tutti, against the CPU budget.
 *
 * A shared page has a word a process: who it is, and how many it runs. There
 * is no total and no lock, so a process may be killed at any instant: its word
 * counts until somebody who finds the budget exhausted sees that it is dead.
 * The page is a memfd; TUTTI_BUDGET=PID:FD:INODE in the environment leads
 * children to it, after fork or exec, also those that inherit no descriptor. (A
 * process that uses the budget and then execs something in its own stead is the
 * exception: what comes then has a budget of its own.) */
#ifndef TT_CORE_BUDGET_H
#define TT_CORE_BUDGET_H

#include <stdbool.h>

/* How many of `want` more threads may run now; they count until given back.
 * May grant less than is free when others take at the same time: ask again at
 * the next occasion. Any thread; below 1 us, up to a millisecond once in 10 ms
 * when exhausted, some 50 us the first time. */
unsigned tt_budget_take(unsigned want);

/* Sees to it that the environment leads the children to come to the budget.
 * Any thread; waits for one that does the same. */
void tt_budget_lead(void);

/* Counts `n` threads that run anyway, such as the caller of a loop. */
void tt_budget_add(unsigned n);

/* Ends the count of `n` threads. What a parent took before fork is not the
 * child's to give: ignored. */
void tt_budget_give(unsigned n);

/* Threads that run now in the whole tree; tutti_cpu_idle() (tutti/loop.h) is
 * what they leave. */
unsigned tt_budget_running(void);

/* Loops that this thread is inside of, as their caller or as a worker that
 * works for one: from the second on it is counted already. A worker process's
 * thread is always inside of one. */
extern _Thread_local unsigned tt_budget_inside;

/* This process runs tasks of another. What is started here, also by name, runs
 * on CPUs that the tree has free; one worker does in any case, as the task that
 * waits for it takes none. Set before there are threads. */
extern bool tt_budget_nested;

#endif
