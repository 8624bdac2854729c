/* The one line on stderr, and what the command's status says. */
#ifndef CLI_FAIL_H
#define CLI_FAIL_H

#include <tutti/status.h>

enum cli_status {
    CLI_OK = 0,
    CLI_FAILED = 1, /* some tasks failed */
    CLI_USAGE = 2   /* the command could not be run as asked */
};

/* Keeps the sentence (what was given, what was expected, what to do) and
 * returns CLI_USAGE. Control characters in it become '?'. */
int cli_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same with the library's sentence on a failed call; CLI_FAILED when the
 * tasks are to blame. */
int cli_fail_library(tutti_status status);

/* The sentence that was kept last. */
const char *cli_sentence(void);

#endif
