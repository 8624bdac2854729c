/* Mean and spread of numbers, in an order that is fixed by their count. */
#ifndef TT_KERNEL_BUILTIN_MOMENTS_H
#define TT_KERNEL_BUILTIN_MOMENTS_H

#include <stddef.h>

#include "kernel/builtin/isa.h"

/* Of weighted numbers y: w = sum w, mean = sum w y / w, and
 * m2 = sum w (y - mean)^2. */
struct tt_moments {
    double weight, mean, m2;
};

#define TT_TALLY_LANES 32

/* Sums under way. Number i goes to lane i mod TT_TALLY_LANES; lanes are joined
 * as those of sums.h. Numbers are taken less the shift, which is one of theirs
 * or near: so few digits cancel. */
struct tt_tally {
    double shift;
    double weights[TT_TALLY_LANES]; /* of weighted numbers only */
    double sums[TT_TALLY_LANES], squares[TT_TALLY_LANES];
};

struct tt_spread {
    /* An empty tally for numbers that begin with these (n > 0). */
    void (*begin)(struct tt_tally *, const double *y, size_t n);
    /* Adds n numbers: a multiple of TT_TALLY_LANES, except at last. */
    void (*add)(struct tt_tally *, const double *y, size_t n);
    void (*add_weighted)(struct tt_tally *, const double *w, const double *y,
                         size_t n);
    /* The moments; `weight` is that of numbers without weights, else 0. */
    void (*end)(struct tt_moments *, struct tt_tally *, double weight);
    /* left = both. */
    void (*join)(struct tt_moments *left, const struct tt_moments *right);
};

TT_ISA_TABLE(struct tt_spread, tt_spread)

#endif
