/* The commands of tutti. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include <stdio.h>

#include "options.h"

struct cli_command {
    const char *name;
    const char *usage; /* what follows the name */
    const char *about; /* one line */
    const char *notes; /* behind the options in the help; may be NULL */
    const struct cli_option *options;
    /* argv[0] is the program, argv[1] the command. Returns the status; a
     * sentence is kept where it is not 0, unless all is said already. */
    int (*run)(int argc, char **argv);
};

extern const struct cli_command cli_map_command, cli_expect_command,
    cli_info_command, cli_wordcount_command;

/* Writes the help of a command. */
void cli_command_help(const struct cli_command *command, FILE *to);

#endif
