/* Folds in an order that is fixed by the count alone: the same bits from every
 * instruction set and at any number of workers. */
#ifndef TT_KERNEL_BUILTIN_FOLDS_H
#define TT_KERNEL_BUILTIN_FOLDS_H

#include <stddef.h>

#include <tutti/kernel.h>

#include "kernel/builtin/isa.h"

#define TT_FOLD_LANES 32

/* Folds n values into lanes: value i into lane i mod TT_FOLD_LANES. Integers
 * wrap around; of min and max a NaN is one for good. */
typedef void (*tt_fold)(void *lanes, const void *x, size_t n);

struct tt_folds {
    tt_fold by[TUTTI_OP_MAX + 1][TUTTI_U32 + 1]; /* op, type */
};

TT_ISA_TABLE(struct tt_folds, tt_folds)

#endif
