/* Sums of products, in the order of sums.h: by rows, or many rows at once of a
 * matrix that lies by columns, with the same bits. */
#ifndef TT_KERNEL_BUILTIN_DOTS_H
#define TT_KERNEL_BUILTIN_DOTS_H

#include <stddef.h>
#include <stdint.h>

#include "kernel/builtin/sums.h"

/* Rows at once, at most. */
#define TT_DOT_ROWS 512

struct tt_dots {
    double (*f64)(const double *a, const double *b, size_t n);
    float (*f32)(const float *a, const float *b, size_t n);
    uint64_t (*i64)(const uint64_t *a, const uint64_t *b, size_t n);
    uint32_t (*i32)(const uint32_t *a, const uint32_t *b, size_t n);

    /* dots[r] = sum of a[c * step + r] x[c] over n columns, for r < rows. */
    void (*columns_f64)(double *dots, const double *a, ptrdiff_t step,
                        const double *x, size_t rows, size_t n);
    void (*columns_f32)(float *dots, const float *a, ptrdiff_t step,
                        const float *x, size_t rows, size_t n);
    void (*columns_i64)(uint64_t *dots, const uint64_t *a, ptrdiff_t step,
                        const uint64_t *x, size_t rows, size_t n);
    void (*columns_i32)(uint32_t *dots, const uint32_t *a, ptrdiff_t step,
                        const uint32_t *x, size_t rows, size_t n);
};

TT_ISA_TABLE(struct tt_dots, tt_dots)

#endif
