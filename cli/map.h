/* The options of `tutti map`. */
#ifndef CLI_MAP_H
#define CLI_MAP_H

#include <stdbool.h>

#include "options.h"
#include "run.h"

struct cli_map {
    const char *function;   /* FILE:NAME */
    struct cli_range range; /* n is 0: none */
    struct cli_run run;
    const char *over, *output, *trace, *signature;
    size_t width;
    double task_timeout;
    unsigned errors; /* read by the Python side */
    bool help;
};

extern const struct cli_option cli_map_options[];

/* Whether the options go with the function's language. 0, or CLI_USAGE. */
int cli_map_check(const struct cli_map *map);

#endif
