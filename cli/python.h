/* The Python that runs .py functions. */
#ifndef CLI_PYTHON_H
#define CLI_PYTHON_H

#include <limits.h>
#include <stdbool.h>

struct cli_python {
    char path[PATH_MAX];
    const char *found; /* where: "beside the command", ... */
};

/* Finds the first Python that can import tutti: beside the command, in
 * $VIRTUAL_ENV, python3 on the PATH. False: there is none. */
bool cli_python_find(struct cli_python *out);

/* Becomes `python -m tutti` with the arguments argv[1], ...; argv ends in
 * NULL. Returns only when that fails: CLI_USAGE. */
int cli_python_run(char *const *argv);

#endif
