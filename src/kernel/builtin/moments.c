#include "kernel/builtin/moments.h"

#include <string.h>

#include "kernel/builtin/lanes.h"

#define VECTORS (TT_TALLY_LANES / TT_LANES)

static void begin(struct tt_tally *t, const double *y, size_t n)
{
    memset(t, 0, sizeof *t);
    t->shift = y[0];
    if (n >= 8)
        t->shift = (((y[0] + y[1]) + (y[2] + y[3])) +
                    ((y[4] + y[5]) + (y[6] + y[7]))) *
                   0.125;
}

static void add(struct tt_tally *t, const double *y, size_t n)
{
    tt_reals sums[VECTORS], squares[VECTORS];
    const tt_reals shift = tt_reals_all(t->shift);
    size_t i = 0;
    memcpy(sums, t->sums, sizeof sums);
    memcpy(squares, t->squares, sizeof squares);
    for (; i + TT_TALLY_LANES <= n; i += TT_TALLY_LANES)
        for (size_t v = 0; v < VECTORS; v++) {
            tt_reals x = ((const tt_reals_at *)(y + i))[v] - shift;
            sums[v] += x;
            squares[v] += x * x;
        }
    memcpy(t->sums, sums, sizeof sums);
    memcpy(t->squares, squares, sizeof squares);
    for (size_t l = 0; i < n; i++, l++) {
        double x = y[i] - t->shift;
        t->sums[l] += x;
        t->squares[l] += x * x;
    }
}

static void add_weighted(struct tt_tally *t, const double *w, const double *y,
                         size_t n)
{
    for (size_t i = 0; i < n; i += TT_TALLY_LANES)
        for (size_t l = 0; l < TT_TALLY_LANES && i + l < n; l++) {
            double x = y[i + l] - t->shift, wx = w[i + l] * x;
            t->weights[l] += w[i + l];
            t->sums[l] += wx;
            t->squares[l] += wx * x;
        }
}

static double join_lanes(double *lanes)
{
    for (size_t half = TT_TALLY_LANES / 2; half; half /= 2)
        for (size_t l = 0; l < half; l++)
            lanes[l] += lanes[l + half];
    return lanes[0];
}

static void end(struct tt_moments *out, struct tt_tally *t, double weight)
{
    double sum = join_lanes(t->sums), squares = join_lanes(t->squares);
    double w = weight > 0 ? weight : join_lanes(t->weights);
    *out = (struct tt_moments){w, 0, 0};
    if (w == 0)
        return;
    out->mean = t->shift + sum / w;
    out->m2 = squares - sum / w * sum;
    if (out->m2 < 0) /* what rounding leaves of equal numbers */
        out->m2 = 0;
}

static void join(struct tt_moments *left, const struct tt_moments *right)
{
    double w = left->weight + right->weight;
    if (right->weight == 0)
        return;
    if (left->weight == 0) {
        *left = *right;
        return;
    }
    double step = right->mean - left->mean, part = right->weight / w;
    left->mean += step * part;
    left->m2 += right->m2 + step * step * (left->weight * part);
    left->weight = w;
}

const struct tt_spread TT_ISA_NAME(tt_spread) = {begin, add, add_weighted, end,
                                                 join};
