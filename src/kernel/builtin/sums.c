#include "kernel/builtin/sums.h"

#include <string.h>

/* Adds n values to lanes that begin as zeros, then lanes to one. Lanes that
 * got nothing need not be added: they are +0, and none is -0. */
#define SUM(name, type, count) \
    typedef type name##_vector __attribute__((vector_size(TT_ISA_VECTOR))); \
    typedef type name##_memory __attribute__(( \
        vector_size(TT_ISA_VECTOR), aligned(sizeof(type)), may_alias)); \
    static type name(const type *x, size_t n) \
    { \
        name##_vector sum[count * sizeof(type) / TT_ISA_VECTOR] = {{0}}; \
        type lanes[count]; \
        size_t i = 0, half = count / 2; \
        for (; i + count <= n; i += count) \
            for (size_t v = 0; v < sizeof sum / sizeof *sum; v++) \
                sum[v] += ((const name##_memory *)(x + i))[v]; \
        memcpy(lanes, sum, sizeof lanes); \
        for (size_t l = 0; i < n; i++, l++) \
            lanes[l] += x[i]; \
        while (half >= n && half) \
            half /= 2; \
        for (; half; half /= 2) \
            for (size_t l = 0; l < half; l++) \
                lanes[l] += lanes[l + half]; \
        return lanes[0]; \
    }

SUM(sum_f64, double, TT_SUM_LANES)
SUM(sum_f32, float, TT_SUM_LANES_F32)

static uint64_t sum_i64(const uint64_t *x, size_t n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i];
    return sum;
}

static uint64_t sum_i32(const int32_t *x, size_t n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (uint64_t)(int64_t)x[i];
    return sum;
}

const struct tt_sums TT_ISA_NAME(tt_sums) = {sum_f64, sum_f32, sum_i64,
                                             sum_i32};
