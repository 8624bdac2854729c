#include "kernel/builtin/sums.h"

#include <string.h>

typedef double vector __attribute__((vector_size(TT_ISA_VECTOR)));
typedef double unaligned
    __attribute__((vector_size(TT_ISA_VECTOR), aligned(8), may_alias));

#define VECTORS (TT_SUM_LANES * sizeof(double) / sizeof(vector))

static double join_f64(double *lanes)
{
    for (size_t half = TT_SUM_LANES / 2; half; half /= 2)
        for (size_t l = 0; l < half; l++)
            lanes[l] += lanes[l + half];
    return lanes[0];
}

static double sum_f64(const double *x, size_t n)
{
    vector sum[VECTORS] = {{0}};
    double lanes[TT_SUM_LANES];
    size_t i = 0;
    for (; i + TT_SUM_LANES <= n; i += TT_SUM_LANES)
        for (size_t v = 0; v < VECTORS; v++)
            sum[v] += ((const unaligned *)(x + i))[v];
    memcpy(lanes, sum, sizeof lanes);
    for (size_t l = 0; i < n; i++, l++)
        lanes[l] += x[i];
    return join_f64(lanes);
}

const struct tt_sums TT_ISA_NAME(tt_sums) = {sum_f64};
