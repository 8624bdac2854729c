#include "conformance.h"

#include <stdio.h>

const char *conform_on;

tutti_options conform_options(void)
{
    tutti_options options = TUTTI_OPTIONS_INIT;
    options.on = conform_on;
    return options;
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
