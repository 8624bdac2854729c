/* Text: a number, or a row of numbers, a line. */
#ifndef CLI_LINES_H
#define CLI_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include <tutti/kernel.h>

/* Reads `fd` to its end. *text is the caller's to free, *size bytes and a
 * closing zero. 0, or CLI_USAGE with a sentence that names `name`. */
int cli_lines_load(char **text, size_t *size, int fd, const char *name);

/* Reads the numbers of `text` (which has a closing zero behind its `size`
 * bytes): *rows lines of *columns numbers, blanks or commas between them; one
 * a line unless `many`. *items is the caller's to free. 0, or CLI_USAGE with
 * the number of the line. */
int cli_lines_parse(void **items, size_t *rows, size_t *columns,
                    const char *text, size_t size, tutti_type type, bool many,
                    const char *name);

#endif
