/* Products and sums of pairs of numbers. */
#ifndef TT_KERNEL_BUILTIN_PAIRS_H
#define TT_KERNEL_BUILTIN_PAIRS_H

#include <stdbool.h>
#include <stddef.h>

#include "kernel/builtin/isa.h"

/* out[i] = a[i] op b[i]; `out` is apart from a and b, or the same. past: the
 * results are stored past the caches, for which `out` is best at a multiple of
 * 64. Whole numbers wrap around. */
typedef void (*tt_pair)(void *out, const void *a, const void *b, size_t n,
                        bool past);

enum tt_pair_op { TT_PAIR_MULTIPLY, TT_PAIR_ADD, TT_PAIR_OPS };

struct tt_pairs {
    tt_pair f64[TT_PAIR_OPS], f32[TT_PAIR_OPS];
    tt_pair i64[TT_PAIR_OPS], i32[TT_PAIR_OPS]; /* signed or not */
};

TT_ISA_TABLE(struct tt_pairs, tt_pairs)

#endif
