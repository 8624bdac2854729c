/* The header of a .npy file (format 1.0 to 3.0 of NumPy's). */
#ifndef CLI_NPY_H
#define CLI_NPY_H

#include <stdbool.h>
#include <stddef.h>

#include <tutti/kernel.h>

/* What one says. Rows are along the first dimension. */
struct cli_npy {
    tutti_type type;
    unsigned dims;        /* 1 or 2 */
    size_t rows, columns; /* columns is 1 for one dimension */
    size_t offset;        /* bytes before the first value */
};

#define CLI_NPY_ROOM 256 /* bytes that a header written here may need */

/* Reads the header at the start of `data`, whose whole size is `size` bytes
 * and must be exactly what the header says. `name` is for the sentence. 0, or
 * CLI_USAGE. */
int cli_npy_parse(struct cli_npy *out, const char *name, const void *data,
                  size_t size);

/* Writes the header for `npy` (its offset is not read) to `out`, CLI_NPY_ROOM
 * bytes; returns its length, a multiple of 64. */
size_t cli_npy_header(char *out, const struct cli_npy *npy);

#endif
