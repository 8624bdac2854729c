#include "kernel/builtin/dots.h"

#include <string.h>

/* As sums.c has it, of products. */
#define DOT(name, type, count) \
    typedef type name##_vector __attribute__((vector_size(TT_ISA_VECTOR))); \
    typedef type name##_memory __attribute__(( \
        vector_size(TT_ISA_VECTOR), aligned(sizeof(type)), may_alias)); \
    static type name(const type *a, const type *b, size_t n) \
    { \
        name##_vector sum[count * sizeof(type) / TT_ISA_VECTOR] = {{0}}; \
        type lanes[count]; \
        size_t i = 0, half = count / 2; \
        for (; i + count <= n; i += count) \
            for (size_t v = 0; v < sizeof sum / sizeof *sum; v++) \
                sum[v] += ((const name##_memory *)(a + i))[v] * \
                          ((const name##_memory *)(b + i))[v]; \
        memcpy(lanes, sum, sizeof lanes); \
        for (size_t l = 0; i < n; i++, l++) \
            lanes[l] += a[i] * b[i]; \
        while (half >= n && half) \
            half /= 2; \
        for (; half; half /= 2) \
            for (size_t l = 0; l < half; l++) \
                lanes[l] += lanes[l + half]; \
        return lanes[0]; \
    }

DOT(dot_f64, double, TT_SUM_LANES)
DOT(dot_f32, float, TT_SUM_LANES_F32)

/* Whole numbers: any order. */
#define DOT_WHOLE(name, type) \
    static type name(const type *a, const type *b, size_t n) \
    { \
        type sum = 0; \
        for (size_t i = 0; i < n; i++) \
            sum += a[i] * b[i]; \
        return sum; \
    }

DOT_WHOLE(dot_i64, uint64_t)
DOT_WHOLE(dot_i32, uint32_t)

/* The lanes of a row are far apart, those of many rows side by side. Column c
 * goes to lane c mod count; four columns of a lane a pass, so that its sums are
 * loaded and stored a quarter as often. */
#define COLUMNS(name, type, count) \
    static void name##_add(type *restrict lane, const type *restrict a, \
                           type x, size_t rows) \
    { \
        for (size_t r = 0; r < rows; r++) \
            lane[r] += a[r] * x; \
    } \
    static void name##_add4(type *restrict lane, const type *restrict a, \
                            ptrdiff_t step, const type *x, size_t rows) \
    { \
        type x0 = x[0], x1 = x[count], x2 = x[2 * count], x3 = x[3 * count]; \
        for (size_t r = 0; r < rows; r++) { \
            type sum = lane[r] + a[r] * x0; \
            sum += a[r + step] * x1; \
            sum += a[r + 2 * step] * x2; \
            lane[r] = sum + a[r + 3 * step] * x3; \
        } \
    } \
    static void name(type *dots, const type *a, ptrdiff_t step, const type *x, \
                     size_t rows, size_t n) \
    { \
        type lane[count][TT_DOT_ROWS]; \
        size_t c = 0, used = count; \
        while (used / 2 >= n && used > 1) \
            used /= 2; \
        for (size_t l = 0; l < used; l++) \
            memset(lane[l], 0, rows * sizeof(type)); \
        for (; c + 4 * count <= n; c += 4 * count) \
            for (size_t l = 0; l < count; l++) \
                name##_add4(lane[l], a + (ptrdiff_t)(c + l) * step, \
                            count * step, x + c + l, rows); \
        for (; c < n; c++) \
            name##_add(lane[c % count], a + (ptrdiff_t)c * step, x[c], rows); \
        while (used /= 2) \
            for (size_t l = 0; l < used; l++) \
                for (size_t r = 0; r < rows; r++) \
                    lane[l][r] += lane[l + used][r]; \
        memcpy(dots, lane[0], rows * sizeof(type)); \
    }

COLUMNS(columns_f64, double, TT_SUM_LANES)
COLUMNS(columns_f32, float, TT_SUM_LANES_F32)
COLUMNS(columns_i64, uint64_t, 1)
COLUMNS(columns_i32, uint32_t, 1)

const struct tt_dots TT_ISA_NAME(tt_dots) = {
    dot_f64,     dot_f32,     dot_i64,     dot_i32,
    columns_f64, columns_f32, columns_i64, columns_i32,
};
