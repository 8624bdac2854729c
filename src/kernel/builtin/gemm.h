/* The parts of a product of matrices: how panels are packed, a tile computed
 * and stored. Integers are exact modulo 2^64 or 2^32, unsigned ones go as
 * signed. Floats are added in the order of k, with one rounding for a product
 * and sum where the instruction set has that, else with two. */
#ifndef TT_KERNEL_BUILTIN_GEMM_H
#define TT_KERNEL_BUILTIN_GEMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/builtin/isa.h"

#define TT_GEMM_TILE 1536 /* the most bytes of a tile */

/* Packs `lanes` rows (columns of the right operand) of n elements, strides in
 * bytes, as to[step][width]; lanes up to `width` are zeros. */
typedef void (*tt_gemm_pack)(void *to, size_t width, const char *from,
                             size_t lanes, ptrdiff_t lane_stride, size_t n,
                             ptrdiff_t stride);

/* A product, or one of two whose sum is the product. */
struct tt_gemm_term {
    unsigned rows, columns; /* of a tile */
    unsigned size;          /* bytes of a packed element */
    tt_gemm_pack left, right;
    /* tile[r][c] = the sum of left[step][r] * right[step][c] */
    void (*run)(void *tile, const void *left, const void *right, size_t steps);
    /* Stores the first rows and columns of a tile, or adds them to what is
     * there, side by side in rows `row_stride` bytes apart; `width` and `shift`
     * those of the term. */
    void (*store)(char *c, ptrdiff_t row_stride, size_t rows, size_t columns,
                  const void *tile, size_t width, unsigned shift, bool add);
    unsigned pair;  /* values of k in a packed element: 1 or 2 */
    unsigned shift; /* of a tile to the left, when it is stored */
};

struct tt_gemm {
    struct tt_gemm_term f64, f32;
    /* int64, both operands of at most 15 bits and a sign. Sums of 2^30 / the
     * product of the operands' bounds are exact. */
    struct tt_gemm_term narrow64;
    /* int64 by float64: sums up to 2^53 are exact. */
    struct tt_gemm_term exact64;
    /* int64, any: `wide64`, or the sum of the next two, which is faster where
     * split() says so. */
    struct tt_gemm_term wide64, low64, cross64;
    /* int32: modulo 2^16 of both operands, which is all of it where both have
     * at most 15 bits and a sign; the rest for any. */
    struct tt_gemm_term low32, cross32;
    bool (*split)(void);
    /* The bits set in any of x ^ (x < 0 ? -1 : 0): |x| <= 1 + the result. */
    uint64_t (*bits64)(const char *x, ptrdiff_t stride, size_t n);
    uint64_t (*bits32)(const char *x, ptrdiff_t stride, size_t n);
};

TT_ISA_TABLE(struct tt_gemm, tt_gemm)

#endif
