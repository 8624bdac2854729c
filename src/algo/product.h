/* A product of matrices by the shipped kernels: both operands are packed a slab
 * of k at a time, then tiles are computed, each a loop of its own. */
#ifndef TT_ALGO_PRODUCT_H
#define TT_ALGO_PRODUCT_H

#include <tutti/linalg.h>

#include "algo/parts.h"
#include "kernel/builtin/gemm.h"

struct tt_product {
    tutti_matrix c, a,
        b; /* c shares no memory with a and b, its rows lie whole */
    const struct tt_gemm_term *term;
    size_t block; /* steps whose sum is exact in a tile */
};

/* Products of numbers. */
double tt_product_work(const struct tt_product *p);

/* Whether it is less work than what a loop costs. */
bool tt_product_small(const struct tt_product *p);

/* c = a b. What is left of `parts` is its share. */
TUTTI_MUST_CHECK tutti_status tt_product_run(const struct tt_product *p,
                                             struct tt_parts *parts);

#endif
