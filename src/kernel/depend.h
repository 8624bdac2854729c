/* The headers that a compiler read. */
#ifndef TT_KERNEL_DEPEND_H
#define TT_KERNEL_DEPEND_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Reads a dependency file as compilers write it for make, and writes a line a
 * header to `list`: SHA-256, size, time, path. `own`: the compiled file, left
 * out. Returns false if a header cannot be noted: it is not older than `began`,
 * cannot be read, or has a line end in its name. */
bool tt_depend_note(FILE *list, const char *text, const char *own,
                    int64_t began);

/* Whether a header is what such a line says. Changes the line. */
bool tt_depend_holds(char *line);

#endif
