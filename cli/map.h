/* The options of `tutti map`. */
#ifndef CLI_MAP_H
#define CLI_MAP_H

#include <stdbool.h>

#include "options.h"

enum cli_errors { CLI_RAISE, CLI_RETURN };

struct cli_map {
    const char *function;   /* FILE:NAME */
    struct cli_range range; /* n is 0: none */
    const char *over, *output, *on, *trace, *signature;
    size_t workers, width;
    double task_timeout;
    unsigned errors;
    bool progress, explain, help;
};

extern const struct cli_option cli_map_options[];

#endif
