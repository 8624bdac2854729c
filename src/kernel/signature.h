/* The signature of a C function, read from its text. */
#ifndef TT_KERNEL_SIGNATURE_H
#define TT_KERNEL_SIGNATURE_H

#include <stdbool.h>

#include <tutti/kernel.h>

#include "core/status.h"

#define TT_SIGNATURE_NAME 128
#define TT_SIGNATURE_MOST 16 /* parameters */

/* Whether a function of this form takes tasks together. */
static inline bool tt_form_is_block(tutti_form form)
{
    return form == TUTTI_FORM_BLOCK || form == TUTTI_FORM_POINTS;
}

/* A value, or an array of them. */
struct tt_parameter {
    tutti_type type;
    bool array, constant;
    const char *c; /* the type of a value as a compiler must see it */
};

struct tt_signature {
    tutti_form form;
    tutti_type item, result;       /* 0 where the form has none */
    const char *item_c, *result_c; /* the types as a compiler must see them */
    bool count_first;              /* a row's n stands before it */
    bool mutable;                  /* a row is not const */
    bool user;                     /* a pointer stands last */
    bool each;                     /* void f(size_t, ...): these follow */
    unsigned parameters;
    struct tt_parameter parameter[TT_SIGNATURE_MOST - 1];
    char name[TT_SIGNATURE_NAME];
    char text[6 * TT_SIGNATURE_NAME]; /* normalised */
};

/* Finds the function `name` at file scope of `text` (the first definition,
 * else the first declaration) and reads its signature. `name` NULL: the only
 * definition with an accepted signature, or the only one that is not static.
 *
 * where: what to call the text in messages; with `lines`, line numbers of the
 *        text follow it.
 * Errors: TUTTI_EARG (no such function, a signature that is not accepted). */
TUTTI_MUST_CHECK tutti_status tt_signature_read(struct tt_signature *out,
                                                const char *text, size_t size,
                                                const char *name,
                                                const char *where, bool lines);

/* The name that a signature declares; false: it has none. */
bool tt_signature_name(char name[TT_SIGNATURE_NAME], const char *text);

#endif
