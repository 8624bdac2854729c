/* The options of `tutti map`. */
#ifndef CLI_MAP_H
#define CLI_MAP_H

#include <stdbool.h>

#include "options.h"

/* What FILE is in FILE:NAME. */
enum cli_language { CLI_NO_LANGUAGE, CLI_C, CLI_LIBRARY, CLI_PYTHON };

struct cli_map {
    const char *function;   /* FILE:NAME */
    struct cli_range range; /* n is 0: none */
    const char *over, *output, *on, *trace, *signature;
    size_t workers, width;
    double task_timeout;
    unsigned errors; /* read by the Python side */
    bool progress, explain, help;
};

extern const struct cli_option cli_map_options[];

enum cli_language cli_map_language(const char *function);

/* Whether the options go with the function's language. 0, or CLI_USAGE. */
int cli_map_check(const struct cli_map *map);

#endif
