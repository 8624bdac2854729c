/* Sums in an order that is fixed by the count alone: the same bits from every
 * instruction set and at any number of workers. */
#ifndef TT_KERNEL_BUILTIN_SUMS_H
#define TT_KERNEL_BUILTIN_SUMS_H

#include <stddef.h>
#include <stdint.h>

#include "kernel/builtin/isa.h"

/* Value i is added to lane i mod TT_SUM_LANES; at the end lane l + half to lane
 * l, for half = TT_SUM_LANES / 2, ... 1. Floats have as many bytes of lanes. */
#define TT_SUM_LANES 32
#define TT_SUM_LANES_F32 64

/* Bytes of a block: longer sums add those of blocks, in a tree. */
#define TT_SUM_BLOCK 16384u

/* Whole numbers are exact, so their order is free. */
struct tt_sums {
    double (*f64)(const double *x, size_t n);
    float (*f32)(const float *x, size_t n);
    uint64_t (*i64)(const uint64_t *x, size_t n);
    uint64_t (*i32)(const int32_t *x, size_t n); /* sign extended */
};

TT_ISA_TABLE(struct tt_sums, tt_sums)

#endif
