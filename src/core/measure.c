/* Measures the constants of the machine. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/constants.h"
#include "core/futex.h"

#define ROUNDS 7
#define STOP UINT32_MAX
#define SLEEP_NS 300000u /* until the CPU of the sleeper sleeps, too */
#define PATIENCE_NS 5000000u

struct sleeper {
    _Atomic uint32_t word; /* the round; a futex */
    _Atomic uint32_t seen; /* the round that it woke up in */
    _Atomic uint64_t woke; /* when */
    int waker;             /* the CPU of the one who wakes */
};

/* Keeps this thread off a CPU if there is another: a worker is woken elsewhere
 * than where the caller goes on. */
static void avoid(int cpu)
{
    cpu_set_t set;
    if (cpu < 0 || sched_getaffinity(0, sizeof set, &set) != 0)
        return;
    CPU_CLR(cpu, &set);
    if (CPU_COUNT(&set) > 0)
        sched_setaffinity(0, sizeof set, &set);
}

static void *sleep_through(void *arg)
{
    struct sleeper *s = arg;
    avoid(s->waker);
    for (uint32_t round = 0; (round = s->word) != STOP;) {
        if (round == s->seen) {
            tt_futex_wait(&s->word, round, PATIENCE_NS);
            continue;
        }
        s->woke = tt_clock();
        s->seen = round;
    }
    return NULL;
}

static void *do_nothing(void *arg)
{
    return arg;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Other work on the machine only lengthens a sample: the lower quartile. */
static double typical(double *samples, uint32_t n)
{
    qsort(samples, n, sizeof *samples, compare);
    return samples[n / 4] * 1e-9;
}

static double measure_clock(void)
{
    enum { READS = 200 };
    double samples[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t from = tt_clock(), to = from;
        for (int k = 0; k < READS; k++)
            to = tt_clock();
        samples[i] = (double)(to - from) / READS;
    }
    return typical(samples, ROUNDS);
}

static tutti_status no_thread(int error)
{
    return tt_fail(TUTTI_ESYS, "cannot start a thread to measure with: %s",
                   strerror(error));
}

static tutti_status measure_start(double *out)
{
    double samples[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        pthread_t thread;
        uint64_t from = tt_clock();
        int error = pthread_create(&thread, NULL, do_nothing, NULL);
        samples[i] = (double)(tt_clock() - from);
        if (error)
            return no_thread(error);
        pthread_join(thread, NULL);
    }
    *out = typical(samples, ROUNDS);
    return TUTTI_OK;
}

/* One round: lets the sleeper fall asleep, wakes it, waits until it ran. */
static void wake(struct sleeper *s, uint32_t round, double *cost,
                 double *latency)
{
    nanosleep(&(struct timespec){.tv_nsec = SLEEP_NS}, NULL);
    uint64_t from = tt_clock();
    s->word = round;
    tt_futex_wake(&s->word, 1);
    uint64_t to = tt_clock();
    *cost = (double)(to - from);
    while (s->seen != round && to - from < PATIENCE_NS) {
        sched_yield();
        to = tt_clock();
    }
    *latency = (double)((s->seen == round ? s->woke : to) - from);
}

static tutti_status measure_wake(double *cost, double *latency)
{
    struct sleeper s = {.waker = sched_getcpu()};
    double costs[ROUNDS], latencies[ROUNDS];
    pthread_t thread;
    int error = pthread_create(&thread, NULL, sleep_through, &s);
    if (error)
        return no_thread(error);
    for (uint32_t n = 0; n < ROUNDS; n++)
        wake(&s, n + 1, &costs[n], &latencies[n]);
    s.word = STOP;
    tt_futex_wake(&s.word, 1);
    pthread_join(thread, NULL);
    *cost = typical(costs, ROUNDS);
    *latency = typical(latencies, ROUNDS);
    return TUTTI_OK;
}

tutti_status tt_constants_measure(void)
{
    double found[TT_CONSTANTS] = {0};
    found[TT_CLOCK_READ] = measure_clock();
    tutti_status status = measure_start(&found[TT_THREAD_START]);
    if (status == TUTTI_OK)
        status = measure_wake(&found[TT_FUTEX_WAKE], &found[TT_WAKE_LATENCY]);
    if (status != TUTTI_OK)
        return status;
    for (int i = 0; i < TT_CONSTANTS; i++)
        tt_constant_set(i, found[i]);
    return tt_constants_save();
}
