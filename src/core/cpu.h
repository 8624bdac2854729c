/* The CPU budget: how many threads this process may keep running. The least
 * of the affinity mask, the cgroup CPU quota (v1 and v2, of the process's
 * cgroup and every ancestor that is mounted), the batch scheduler's grant
 * (SLURM_CPUS_PER_TASK, or without it SLURM_CPUS_ON_NODE) and TUTTI_WORKERS.
 * A quota is rounded up, as the JVM and joblib do: of 1.5 CPUs two threads can
 * use all, one cannot. A cpuset shows in the affinity. */
#ifndef TT_CORE_CPU_H
#define TT_CORE_CPU_H

#include <stdbool.h>

#define TT_CPU_BOUND_SIZE 256

struct tt_cpu {
    unsigned count;    /* the budget, at least 1 */
    unsigned affinity; /* CPUs in the mask of the process's first thread */
    double quota;      /* CPUs, the least on the path; 0: none */
    char bound[TT_CPU_BOUND_SIZE]; /* which of them gave the count */
};

/* Reads it all anew: 20 to 100 us. `root` goes before every path that is read
 * ("": the real system), `affinity` stands for the mask (0: ask the system).
 * What is missing or makes no sense does not bind. */
void tt_cpu_read(struct tt_cpu *out, const char *root, unsigned affinity);

/* The count, for those who ask often: the affinity as it is now, the rest at
 * most 100 ms old. Below 1 us but for one call in 100 ms. Any thread. */
unsigned tt_cpu_budget(void);

/* Whether no more threads of the whole system run or want to, this one
 * included, than this process has CPUs, two at least; false where
 * that cannot be known. `root` and `affinity` as above. Some 5 us. */
bool tt_cpu_spare(const char *root, unsigned affinity);

#endif
