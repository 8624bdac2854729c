#include "kernel/builtin/philox.h"

#include <stdbool.h>

#include "kernel/builtin/lanes.h"

#define ALWAYS static inline __attribute__((always_inline))

/* Vectors that go through the rounds together. */
#define TOGETHER 8

/* The last eight rounds, and what the first two leave of them where only the
 * lowest word of the counter differs between lanes. */
struct rounds {
    tt_lanes key[TT_PHILOX_ROUNDS][2];
    tt_lanes first;     /* round 1, third word */
    tt_lanes second[2]; /* round 2, first and third word */
    tt_lanes last;      /* round 2, fourth word */
};

static void prepare(struct rounds *r, uint32_t c1, uint32_t c2, uint32_t use,
                    uint64_t seed)
{
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (uint32_t i = 0; i < TT_PHILOX_ROUNDS; i++) {
        r->key[i][0] = tt_lanes_all(k0 + i * TT_PHILOX_W0);
        r->key[i][1] = tt_lanes_all(k1 + i * TT_PHILOX_W1);
    }
    uint64_t q = (uint64_t)TT_PHILOX_M1 * c2;
    uint64_t p = (uint64_t)TT_PHILOX_M0 * ((uint32_t)(q >> 32) ^ c1 ^ k0);
    r->first = tt_lanes_all(use ^ k1);
    r->second[0] = tt_lanes_all((uint32_t)q ^ (k0 + TT_PHILOX_W0));
    r->second[1] = tt_lanes_all((uint32_t)(p >> 32) ^ (k1 + TT_PHILOX_W1));
    r->last = tt_lanes_all((uint32_t)p);
}

/* The words of the blocks whose lowest counter words are `count`. What stands
 * in the upper half of a lane means nothing. */
ALWAYS void run(tt_lanes x[4][TOGETHER], const tt_lanes count[TOGETHER],
                const struct rounds *r)
{
    const tt_lanes m0 = tt_lanes_all(TT_PHILOX_M0);
    const tt_lanes m1 = tt_lanes_all(TT_PHILOX_M1);
    for (int v = 0; v < TOGETHER; v++) {
        tt_lanes p = tt_lanes_multiply(count[v], m0);
        tt_lanes q = tt_lanes_multiply((p >> 32) ^ r->first, m1);
        x[0][v] = (q >> 32) ^ r->second[0];
        x[1][v] = q;
        x[2][v] = p ^ r->second[1];
        x[3][v] = r->last;
    }
#pragma GCC unroll 1
    for (int i = 2; i < TT_PHILOX_ROUNDS; i++)
        for (int v = 0; v < TOGETHER; v++) {
            tt_lanes p = tt_lanes_multiply(x[0][v], m0);
            tt_lanes q = tt_lanes_multiply(x[2][v], m1);
            x[0][v] = tt_lanes_xor(q >> 32, x[1][v], r->key[i][0]);
            x[1][v] = q;
            x[2][v] = tt_lanes_xor(p >> 32, x[3][v], r->key[i][1]);
            x[3][v] = p;
        }
}

/* Where a pair of coordinates goes, and the box. Without a second one both go
 * to the same place: the first is written last. */
struct pair {
    double *out[2];
    tt_reals low[2], width[2];
};

ALWAYS void store(const struct pair *pair, int d, size_t at, tt_reals u)
{
    *(tt_reals_at *)(pair->out[d] + at) = pair->low[d] + pair->width[d] * u;
}

/* A group of samples from `first` on, a multiple of TT_GROUP. */
ALWAYS void draw_53(const struct pair *pair, const struct rounds *r,
                    uint64_t first, size_t at)
{
    tt_lanes x[4][TOGETHER], count[TOGETHER];
    for (size_t j = 0; j < TT_GROUP; j += TOGETHER * TT_LANES) {
        for (size_t v = 0; v < TOGETHER; v++)
            count[v] = tt_lanes_count() + (first + j + v * TT_LANES);
        run(x, count, r);
        for (size_t v = 0; v < TOGETHER; v++)
            for (int d = 1; d >= 0; d--)
                store(pair, d, at + j + v * TT_LANES,
                      tt_lanes_uniform(x[2 * d][v], x[2 * d + 1][v], 0));
    }
}

ALWAYS void draw_32(const struct pair *pair, const struct rounds *r,
                    uint64_t first, size_t at)
{
    tt_lanes x[4][TOGETHER], count[TOGETHER];
    for (size_t j = 0; j < TT_GROUP / 2; j += TOGETHER * TT_LANES) {
        for (size_t v = 0; v < TOGETHER; v++)
            count[v] = tt_lanes_count() + (first / 2 + j + v * TT_LANES);
        run(x, count, r);
        for (size_t v = 0; v < TOGETHER; v++) {
            size_t b = j + v * TT_LANES, sample = at + b / 16 * 32 + b % 16;
            for (int d = 1; d >= 0; d--) {
                store(pair, d, sample, tt_lanes_uniform_32(x[d][v]));
                store(pair, d, sample + 16, tt_lanes_uniform_32(x[2 + d][v]));
            }
        }
    }
}

/* Groups whose samples have the same upper words. */
static void draw(double *out, size_t stride, const struct tt_philox_points *p,
                 uint64_t first, size_t groups)
{
    bool is_53 = p->bits == 53;
    uint32_t c1 = (uint32_t)((is_53 ? first : first / 2) >> 32);
    uint32_t use = is_53 ? TT_PHILOX_53 : TT_PHILOX_32;
    for (unsigned d = 0; d < p->n; d += 2) {
        struct rounds r;
        struct pair pair;
        for (unsigned i = 0; i < 2; i++) {
            unsigned side = d + i < p->n ? d + i : d;
            double low = p->box[2 * side], high = p->box[2 * side + 1];
            pair.out[i] = out + side * stride;
            pair.low[i] = tt_reals_all(low);
            pair.width[i] = tt_reals_all(high - low);
        }
        prepare(&r, c1, d / 2, use, p->seed);
        for (size_t at = 0; at < groups * TT_GROUP; at += TT_GROUP)
            if (is_53)
                draw_53(&pair, &r, first + at, at);
            else
                draw_32(&pair, &r, first + at, at);
    }
}

static void points(double *out, size_t stride, const struct tt_philox_points *p,
                   uint64_t first, size_t count)
{
    size_t groups = (count + TT_GROUP - 1) / TT_GROUP;
    while (groups) {
        uint64_t same = (((uint64_t)1 << 32) - (uint32_t)first) / TT_GROUP;
        size_t now = groups < same ? groups : (size_t)same;
        draw(out, stride, p, first, now);
        out += now * TT_GROUP;
        first += now * TT_GROUP;
        groups -= now;
    }
}

const struct tt_philox TT_ISA_NAME(tt_philox) = {points};
