#include "kernel/builtin/lattice.h"

#include "kernel/builtin/lanes.h"
#include "kernel/builtin/philox.h"

/* Of one coordinate: `start` and `step` are fractions of 2^64. */
static void line(double *out, size_t count, uint64_t start, uint64_t step,
                 const double side[2])
{
    tt_lanes steps;
    for (unsigned l = 0; l < TT_LANES; l++)
        steps[l] = start + l * step;
    const tt_reals high = tt_reals_all(side[1]);
    const tt_reals twice = tt_reals_all(2 * (side[1] - side[0]));
    const tt_lanes sign = tt_lanes_all((uint64_t)1 << 63);
    const tt_lanes more = tt_lanes_all(TT_LANES * step);
    for (size_t j = 0; j < count; j += TT_LANES, steps += more) {
        tt_reals v =
            tt_lanes_uniform((steps >> 32) | TT_LANES_HIGH, steps, 0.5);
        v = (tt_reals)((tt_lanes)v & ~sign);
        *(tt_reals_at *)(out + j) = high - twice * v;
    }
}

static void points(double *out, size_t stride,
                   const struct tt_lattice_points *p, uint64_t first,
                   size_t count)
{
    uint64_t shift = first >> p->m, i = first & (((uint64_t)1 << p->m) - 1);
    uint32_t words[4];
    count = (count + TT_GROUP - 1) / TT_GROUP * TT_GROUP;
    for (unsigned d = 0; d < p->n; d++) {
        if (d % 2 == 0)
            tt_philox_block(words, shift, d / 2, TT_PHILOX_SHIFT, p->seed);
        uint64_t start =
            ((uint64_t)words[d % 2 * 2] << 32) + words[d % 2 * 2 + 1];
        /* N = 1 has no step: 2^64 is 0. */
        uint64_t z = p->m ? (uint64_t)tt_lattice_vector[d] << (64 - p->m) : 0;
        line(out + d * stride, count, start + i * z, z, p->box + 2 * d);
    }
}

const struct tt_lattice TT_ISA_NAME(tt_lattice) = {points};
