/* Which form a function has, by the types of its parameters. */
#ifndef TT_KERNEL_FORM_H
#define TT_KERNEL_FORM_H

#include "kernel/signature.h"

/* Types as they are written. */
enum tt_base {
    TT_BASE_NONE,
    TT_BASE_VOID,
    TT_BASE_F64,
    TT_BASE_F32,
    TT_BASE_I32,
    TT_BASE_I64,
    TT_BASE_U32,
    TT_BASE_U64,
    TT_BASE_INT,
    TT_BASE_LONG,
    TT_BASE_LLONG,
    TT_BASE_UINT,
    TT_BASE_ULONG,
    TT_BASE_ULLONG,
    TT_BASE_SIZE,
    TT_BASE_OTHER
};

/* One parameter, or what a function returns. */
struct tt_kind {
    enum tt_base base;
    bool constant; /* what it points to, if it is a pointer */
    unsigned stars;
    bool index; /* it is named i */
};

/* A function's types: kinds[0] is what it returns. */
struct tt_shape {
    struct tt_kind kinds[TT_SIGNATURE_MOST + 1];
    unsigned parameters;
};

/* Fills in the signature of the function `name`; false: no form has it. */
bool tt_form_find(struct tt_signature *out, const struct tt_shape *shape,
                  const char *name, size_t size);

/* What is accepted, in words. */
extern const char *const tt_form_words;

#endif
