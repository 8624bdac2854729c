/* Sums in an order that is fixed by the count alone: the same bits from every
 * instruction set and at any number of workers. */
#ifndef TT_KERNEL_BUILTIN_SUMS_H
#define TT_KERNEL_BUILTIN_SUMS_H

#include <stddef.h>

#include "kernel/builtin/isa.h"

/* Value i is added to lane i mod TT_SUM_LANES; at the end lane l + half to lane
 * l, for half = TT_SUM_LANES / 2, ... 1. */
#define TT_SUM_LANES 32

struct tt_sums {
    double (*f64)(const double *x, size_t n);
};

TT_ISA_TABLE(struct tt_sums, tt_sums)

#endif
