#include "tally.h"

#include <stdlib.h>
#include <time.h>

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void tally_spin(uint64_t ns)
{
    uint64_t until = now() + ns;
    while (now() < until)
        continue;
}

struct tally *tally_new(size_t n)
{
    struct tally *tally = calloc(1, sizeof *tally);
    assert_non_null(tally);
    tally->times = calloc(n + 1, 1);
    assert_non_null(tally->times);
    tally->n = n;
    return tally;
}

void tally_free(struct tally *tally)
{
    free((void *)tally->times);
    free(tally);
}

int tally_task(size_t index, void *arg)
{
    struct tally *tally = arg;
    if (index >= tally->n)
        abort();
    tally->times[index]++;
    if (tally->cost)
        tally_spin(tally->cost(index, tally->n));
    if (!tally->fails || !tally->fails[index])
        return 0;
    tutti_task_fail("index %zu is bad", index);
    return 1;
}

size_t tally_ran(const struct tally *tally)
{
    size_t ran = 0;
    for (size_t i = 0; i < tally->n; i++) {
        if (tally->times[i] > 1)
            fail_msg("task %zu of %zu ran %d times", i, tally->n,
                     tally->times[i]);
        ran += tally->times[i];
    }
    return ran;
}

size_t tally_range(void *context, size_t begin, size_t end, unsigned worker)
{
    (void)worker;
    while (begin < end && tally_task(begin, context) == 0)
        begin++;
    return begin;
}
