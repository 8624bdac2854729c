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

#define TT_GEMM_WIDTH 3 /* vectors that a tile is wide */

/* Packs `lanes` numbers, `stride` bytes apart: the steps of a row of the left
 * operand, the columns of a step of the right one. What a step packs of two
 * values of k is made of the number there and that at `next`; NULL: of 0. It
 * makes one number or more, those `width` apart. */
typedef void (*tt_gemm_line)(void *to, size_t width, const char *from,
                             const char *next, size_t lanes, ptrdiff_t stride);

/* A way to make a product. What is packed of a panel is left[row][plane][step]
 * and right[step][plane][column]. */
struct tt_gemm_term {
    unsigned rows, columns; /* of a tile */
    unsigned pair;          /* values of k in a step: 1 or 2 */
    unsigned planes, size;  /* numbers that these make, bytes of one */
    tt_gemm_line left, right;
    /* tile[r][c] = the sum over `steps`, in the first vectors of a row; `pitch`
     * is the steps that a plane of the left operand has. */
    void (*run)(void *tile, const void *left, size_t pitch, const void *right,
                size_t steps, size_t vectors);
    /* Stores the first rows and columns of a tile, or adds them to what is
     * there, side by side in rows `row_stride` bytes apart; `width` is the
     * tile's. */
    void (*store)(char *c, ptrdiff_t row_stride, size_t rows, size_t columns,
                  const void *tile, size_t width, bool add);
};

struct tt_gemm {
    struct tt_gemm_term f64, f32;
    /* int64, both operands of at most 15 bits and a sign. Sums of 2^30 / the
     * product of the operands' bounds are exact. */
    struct tt_gemm_term narrow64;
    /* int64 by float64: sums up to 2^53 are exact. */
    struct tt_gemm_term exact64;
    /* int64, any: the second is faster where split() says so. */
    struct tt_gemm_term wide64, split64;
    bool (*split)(void);
    /* int32: both operands of at most 15 bits and a sign; any. */
    struct tt_gemm_term narrow32, wide32;
    /* The bits set in any of x ^ (x < 0 ? -1 : 0): |x| <= 1 + the result. */
    uint64_t (*bits64)(const char *x, ptrdiff_t stride, size_t n);
    uint64_t (*bits32)(const char *x, ptrdiff_t stride, size_t n);
};

TT_ISA_TABLE(struct tt_gemm, tt_gemm)

#endif
