#include "conformance.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

const char *conform_on;

tutti_options conform_options(void)
{
    tutti_options options = TUTTI_OPTIONS_INIT;
    options.on = conform_on;
    return options;
}

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void conform_spin(uint64_t ns)
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
        conform_spin(tally->cost(index, tally->n));
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

static int part(const char *name, const struct CMUnitTest *tests, size_t count)
{
    printf("--- %s: %s\n", conform_on, name);
    fflush(stdout);
    return _cmocka_run_group_tests(name, tests, count, NULL, NULL);
}

int conform(const char *on, unsigned traits)
{
    conform_on = on;
    int failed = part("results", conform_results, conform_results_count);
    if (traits & CONFORM_SHARES) {
        failed += part("tasks", conform_tasks, conform_tasks_count);
        failed += part("ends", conform_ends, conform_ends_count);
        failed += part("workers", conform_workers, conform_workers_count);
    }
    return failed;
}
