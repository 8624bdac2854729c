/* What a C function is mapped over. */
#ifndef CLI_INPUT_H
#define CLI_INPUT_H

#include <stdbool.h>
#include <stddef.h>

#include <tutti/kernel.h>

struct cli_input {
    const char *name;  /* for the sentences */
    const void *items; /* rows x columns of the function's type */
    size_t rows, columns;
    void *map; /* of the whole file, or NULL */
    size_t mapped;
    void *memory; /* what else must be freed */
};

/* Whether `name` is read as .npy (else as lines). */
bool cli_input_is_npy(const char *name);

/* Opens `name` for a function of that kind: its values must have its item
 * type and be rows where it takes rows. "-" is standard input. 0, or
 * CLI_USAGE; ended by cli_input_close(). */
int cli_input_open(struct cli_input *out, const char *name,
                   const tutti_kernel_info *kernel);

/* Whether `name` can be read; a .npy file is looked at. 0, or CLI_USAGE. */
int cli_input_check(const char *name);

/* NULLs and zeroes are allowed. */
void cli_input_close(struct cli_input *input);

#endif
