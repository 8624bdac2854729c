#define _GNU_SOURCE
#include "core/thread.h"

#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SLICE_NS 100000u /* the least that Linux takes */

bool tt_thread_start(pthread_t *out, void *(*main)(void *), void *arg)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    sigset_t all, old;
    pthread_t thread;
    sigfillset(&all);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        sigdelset(&all, faults[i]);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    bool started = pthread_create(&thread, NULL, main, arg) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (started && out)
        *out = thread;
    else if (started)
        pthread_detach(thread);
    return started;
}

/* The argument of sched_setattr(), in its first version. */
struct attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};

void tt_thread_prompt(void)
{
    struct attributes now;
    if (syscall(SYS_sched_getattr, 0, &now, sizeof now, 0) != 0 ||
        now.policy != SCHED_OTHER)
        return;
    now.runtime = SLICE_NS;
    (void)!syscall(SYS_sched_setattr, 0, &now, 0);
}

/* The first thread's mask stands for the process, as in the CPU budget. */
static int process_cpus(cpu_set_t *cpus)
{
    return sched_getaffinity(getpid(), sizeof *cpus, cpus);
}

void tt_thread_avoid(pid_t thread, int cpu)
{
    cpu_set_t cpus;
    if (thread == 0 || cpu < 0 || process_cpus(&cpus) != 0)
        return;
    CPU_CLR(cpu, &cpus);
    if (CPU_COUNT(&cpus) > 0)
        (void)!sched_setaffinity(thread, sizeof cpus, &cpus);
}

static cpu_set_t kept;
static bool keeps;

void tt_thread_keep(void)
{
    keeps = process_cpus(&kept) == 0;
}

void tt_thread_roam(void)
{
    cpu_set_t cpus = kept;
    if (keeps || process_cpus(&cpus) == 0)
        (void)!sched_setaffinity(0, sizeof cpus, &cpus);
}

void tt_thread_leave(int cpu)
{
    cpu_set_t own, others;
    if (cpu < 0 || cpu >= CPU_SETSIZE ||
        sched_getaffinity(0, sizeof own, &own) != 0)
        return;
    others = own;
    CPU_CLR(cpu, &others);
    if (CPU_COUNT(&others) > 0 &&
        sched_setaffinity(0, sizeof others, &others) == 0)
        (void)!sched_setaffinity(0, sizeof own, &own);
}
