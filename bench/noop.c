/* Loops that do nothing, for callgrind to count.
 *
 *     bench_noop tasks ON N     one map of N tasks
 *     bench_noop ranges ON N    one loop of N units, too long to be joined
 *
 * Prints the ranges that they ran in. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tutti.h>

#define UNIT_TURNS 100000

static int noop(const void *item, void *result, void *context)
{
    (void)item;
    (void)result;
    (void)context;
    return 0;
}

static size_t turn(void *context, size_t begin, size_t end, unsigned worker)
{
    volatile unsigned i = 0;
    (void)context;
    (void)worker;
    while (i < UNIT_TURNS * (end - begin))
        i++;
    return end;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: bench_noop tasks|ranges ON N\n");
        return 2;
    }
    char nothing;
    tutti_array none = {&nothing, 0};
    tutti_report report = TUTTI_REPORT_INIT;
    tutti_options options = TUTTI_OPTIONS_INIT;
    options.on = argv[2];
    options.report = &report;
    tutti_loop loop = {.n = strtoull(argv[3], NULL, 10), .body = turn};
    if (strcmp(argv[1], "tasks") == 0
            ? tutti_map(noop, none, none, loop.n, NULL, 0, &options)
            : tutti_loop_run(&loop, &options)) {
        fprintf(stderr, "%s\n", tutti_detail());
        return 1;
    }
    printf("%zu\n", report.ranges);
    return 0;
}
