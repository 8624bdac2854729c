#include "kernel/builtin/dots.h"

#include <string.h>

#ifdef __x86_64__
#include <immintrin.h>
#endif

/* Partial sums of lanes that wait to be joined, at most. */
#define LEVELS 7

/* Of a number below `end`, a power of two. */
static size_t reverse(size_t k, size_t end)
{
    size_t reversed = 0;
    for (size_t bit = end / 2; bit; bit /= 2, k /= 2)
        reversed |= k & 1 ? bit : 0;
    return reversed;
}

typedef double reals __attribute__((vector_size(TT_ISA_VECTOR)));
typedef float singles __attribute__((vector_size(TT_ISA_VECTOR)));

/* The first n values, less than a register's, and zeros: no byte behind them
 * is read, and none goes through memory. */
static inline reals first_f64(const double *x, size_t n)
{
#if defined __AVX512F__
    return (reals)_mm512_maskz_loadu_pd((__mmask8)((1u << n) - 1), x);
#elif defined __AVX2__
    const __m256i count = _mm256_setr_epi64x(0, 1, 2, 3);
    return (reals)_mm256_maskload_pd(
        x, _mm256_cmpgt_epi64(_mm256_set1_epi64x((long long)n), count));
#else
    reals first = {0};
    memcpy(&first, x, n * sizeof *x);
    return first;
#endif
}

static inline singles first_f32(const float *x, size_t n)
{
#if defined __AVX512F__
    return (singles)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), x);
#elif defined __AVX2__
    const __m256i count = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return (singles)_mm256_maskload_ps(
        x, _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), count));
#else
    singles first = {0};
    memcpy(&first, x, n * sizeof *x);
    return first;
#endif
}

/* As sums.c has it, of products. Lanes that get nothing go on with zeros, which
 * change no lane, as none is -0. */
#define DOT(name, type, vector, first, count) \
    typedef type name##_memory __attribute__(( \
        vector_size(TT_ISA_VECTOR), aligned(sizeof(type)), may_alias)); \
    static type name(const type *a, const type *b, size_t n) \
    { \
        enum { \
            WIDTH = TT_ISA_VECTOR / sizeof(type), \
            VECTORS = count / WIDTH \
        }; \
        vector sum[VECTORS] = {{0}}; \
        type lanes[WIDTH]; \
        for (; n >= count; a += count, b += count, n -= count) \
            for (size_t v = 0; v < VECTORS; v++) \
                sum[v] += ((const name##_memory *)a)[v] * \
                          ((const name##_memory *)b)[v]; \
        for (size_t v = 0; v < VECTORS && n > 0; \
             v++, a += WIDTH, b += WIDTH) { \
            if (n < WIDTH) { \
                sum[v] += first(a, n) * first(b, n); \
                break; \
            } \
            sum[v] += *(const name##_memory *)a * *(const name##_memory *)b; \
            n -= WIDTH; \
        } \
        for (size_t half = VECTORS / 2; half; half /= 2) \
            for (size_t v = 0; v < half; v++) \
                sum[v] += sum[v + half]; \
        memcpy(lanes, sum, sizeof lanes); \
        for (size_t half = WIDTH / 2; half; half /= 2) \
            for (size_t l = 0; l < half; l++) \
                lanes[l] += lanes[l + half]; \
        return lanes[0]; \
    }

DOT(dot_f64, double, reals, first_f64, TT_SUM_LANES)
DOT(dot_f32, float, singles, first_f32, TT_SUM_LANES_F32)

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

/* The lanes of a row are far apart, those of many rows side by side: one lane
 * of all rows after the other, in the order in which they are joined, which is
 * that of their numbers with the bits reversed. Lanes that get nothing are left
 * out. Four columns a pass, so that sums are loaded and stored less often. */
#define COLUMNS(name, type, count) \
    static __attribute__((noinline)) void name##_add( \
        type *restrict sums, const type *restrict a, type x, size_t rows) \
    { \
        for (size_t r = 0; r < rows; r++) \
            sums[r] += a[r] * x; \
    } \
    static __attribute__((noinline)) void name##_add4( \
        type *restrict sums, const type *restrict a, ptrdiff_t step, \
        const type *x, size_t rows) \
    { \
        const type *b = a + step, *c = b + step, *d = c + step; \
        type x0 = x[0], x1 = x[count], x2 = x[2 * count], x3 = x[3 * count]; \
        for (size_t r = 0; r < rows; r++) \
            sums[r] = sums[r] + a[r] * x0 + b[r] * x1 + c[r] * x2 + d[r] * x3; \
    } \
    static void name(type *dots, const type *a, ptrdiff_t step, const type *x, \
                     size_t rows, size_t n) \
    { \
        type sums[LEVELS][TT_DOT_ROWS]; \
        size_t lanes = count; \
        while (lanes / 2 >= n && lanes > 1) \
            lanes /= 2; \
        for (size_t k = 0, top = 0; k < lanes; k++) { \
            size_t c = reverse(k, lanes); \
            memset(sums[top], 0, rows * sizeof(type)); \
            for (; c + 3 * count < n; c += 4 * count) \
                name##_add4(sums[top], a + (ptrdiff_t)c * step, count * step, \
                            x + c, rows); \
            for (; c < n; c += count) \
                name##_add(sums[top], a + (ptrdiff_t)c * step, x[c], rows); \
            for (size_t bits = k; bits & 1; bits /= 2, top--) \
                name##_add(sums[top - 1], sums[top], 1, rows); \
            top++; \
        } \
        memcpy(dots, sums[0], rows * sizeof(type)); \
    }

COLUMNS(columns_f64, double, TT_SUM_LANES)
COLUMNS(columns_f32, float, TT_SUM_LANES_F32)
COLUMNS(columns_i64, uint64_t, 1)
COLUMNS(columns_i32, uint32_t, 1)

const struct tt_dots TT_ISA_NAME(tt_dots) = {
    dot_f64,     dot_f32,     dot_i64,     dot_i32,
    columns_f64, columns_f32, columns_i64, columns_i32,
};
