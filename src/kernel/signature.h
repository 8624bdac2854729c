/* The signature of a C function, read from its text. */
#ifndef TT_KERNEL_SIGNATURE_H
#define TT_KERNEL_SIGNATURE_H

#include <stdbool.h>

#include <tutti/kernel.h>

#include "core/status.h"

#define TT_SIGNATURE_NAME 128

struct tt_signature {
    tutti_form form;
    tutti_type item, result;
    const char *item_c, *result_c; /* the types as a compiler must see them */
    char name[TT_SIGNATURE_NAME];
    char text[2 * TT_SIGNATURE_NAME]; /* normalised */
};

/* Finds the function `name` at file scope of `text` (the first definition,
 * else the first declaration) and reads its signature.
 *
 * where: what to call the text in messages; with `lines`, line numbers of the
 *        text follow it.
 * Errors: TUTTI_EARG (no such function, a signature that is not accepted). */
TUTTI_MUST_CHECK tutti_status tt_signature_read(struct tt_signature *out,
                                                const char *text, size_t size,
                                                const char *name,
                                                const char *where, bool lines);

#endif
