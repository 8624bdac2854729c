/* Whole files. */
#ifndef TT_KERNEL_FILE_H
#define TT_KERNEL_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "core/sha256.h"
#include "core/status.h"

#define TT_FILE_MAX ((size_t)16 << 20)

/* What changes when a file is written again. */
struct tt_stamp {
    int64_t size, time; /* bytes, nanoseconds since 1970 */
};

/* Whether `path` is a file that can be read, and its stamp. */
bool tt_file_stamp(const char *path, struct tt_stamp *stamp);

/* Reads a file of at most TT_FILE_MAX bytes; a zero follows the text. The
 * caller frees *text. Errors: TUTTI_EARG, TUTTI_EMEM. */
TUTTI_MUST_CHECK tutti_status tt_file_read(char **text, size_t *size,
                                           const char *path);

/* Ends a text that open_memstream() began; false, and *text is NULL: there was
 * no memory, which glibc's fclose() may not tell. */
bool tt_text_end(FILE *to, char **text);

/* Writes a new file. Errors: TUTTI_ESYS. */
TUTTI_MUST_CHECK tutti_status tt_file_write(const char *path, const void *data,
                                            size_t size);

/* The SHA-256 of a file's bytes; false if it cannot be read. */
bool tt_file_hash(const char *path, char hex[TT_SHA256_HEX]);

#endif
