/* Where results go: a .npy file, lines or JSON lines. A file appears whole,
 * under its name, or not at all. */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "npy.h"

enum cli_format { CLI_LINES, CLI_JSON, CLI_NPY };

struct cli_output {
    const char *name; /* for the sentences */
    enum cli_format format;
    int fd;
    char *target; /* the file to make; NULL: written as it comes */
    char *part;   /* the temporary file beside it */
    struct cli_npy shape;
    void *base;   /* what holds the results: the file, or memory */
    size_t bytes; /* of it */
    void *results;
};

/* Finds out whether `name` can be written (NULL: lines to standard output)
 * and makes the temporary file. 0, or CLI_USAGE. Ended by
 * cli_output_close(). */
int cli_output_open(struct cli_output *out, const char *name);

/* Whether `name` could be written. Makes nothing. 0, or CLI_USAGE. */
int cli_output_check(const char *name);

/* Whether two names lead to one plain file, which may not be there yet. */
bool cli_output_same(const char *a, const char *b);

/* Makes room for results of that shape: out->results. */
int cli_output_reserve(struct cli_output *out, const struct cli_npy *shape);

/* Writes the results and puts the file in place. 0, or CLI_USAGE. */
int cli_output_commit(struct cli_output *out);

/* Frees all; a file that was not committed leaves nothing behind. */
void cli_output_close(struct cli_output *out);

#endif
