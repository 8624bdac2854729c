/* What a task of a loop cost the last time, by the loop's key: a loop that is
 * run again spreads at once, without waiting for the helper to measure. A
 * fixed table without locks; a collision forgets.
 * Source: oracle-guided granularity (Acar et al., PPoPP 2019). */
#ifndef TT_SCHED_MEMO_H
#define TT_SCHED_MEMO_H

/* Nanoseconds a task; 0: unknown. */
double tt_memo_get(const void *key);

void tt_memo_put(const void *key, double per_task);

#endif
