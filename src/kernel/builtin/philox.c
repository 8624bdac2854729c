#include "kernel/builtin/philox.h"

#include <stdbool.h>

#include "kernel/builtin/lanes.h"

#define ALWAYS static inline __attribute__((always_inline))

/* Vectors that go through the rounds together: what the registers hold. */
#define TOGETHER 4

#define PAIRS 16 /* of coordinates that are drawn of a group in turn */
#define VECTORS (TT_GROUP / TT_LANES)

/* Keys of the rounds; those of the last one are under TT_LANES_HIGH. */
struct keys {
    uint64_t of[TT_PHILOX_ROUNDS][2];
};

/* A pair of coordinates: what the first two rounds leave where only the lowest
 * word of the counter differs between lanes; where the pair goes, and the box.
 * Without a second one both go to one place: the first is written last. */
struct pair {
    tt_lanes second[2]; /* round 2, first and third word */
    tt_lanes last;      /* round 2, fourth word */
    double *out[2];
    tt_reals low[2], width[2];
};

/* What all pairs of a group share: the product of round 1, that of round 2, and
 * the upper word of that. */
struct products {
    tt_lanes first[VECTORS], second[VECTORS], upper[VECTORS];
};

static void make_keys(struct keys *keys, uint64_t seed)
{
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (uint32_t i = 0; i < TT_PHILOX_ROUNDS; i++) {
        uint64_t upper = i + 1 < TT_PHILOX_ROUNDS ? 0 : TT_LANES_HIGH;
        keys->of[i][0] = upper | (k0 + i * TT_PHILOX_W0);
        keys->of[i][1] = upper | (k1 + i * TT_PHILOX_W1);
    }
}

static void make_rounds(struct pair *pair, uint32_t c1, uint32_t c2,
                        uint64_t seed)
{
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    uint64_t q = (uint64_t)TT_PHILOX_M1 * c2;
    uint64_t p = (uint64_t)TT_PHILOX_M0 * ((uint32_t)(q >> 32) ^ c1 ^ k0);
    pair->second[0] = tt_lanes_all((uint32_t)q ^ (k0 + TT_PHILOX_W0));
    pair->second[1] = tt_lanes_all((uint32_t)(p >> 32) ^ (k1 + TT_PHILOX_W1));
    pair->last = tt_lanes_all((uint32_t)p);
}

static void make_pair(struct pair *pair, double *out, size_t stride,
                      const struct tt_philox_points *p, unsigned d)
{
    for (unsigned i = 0; i < 2; i++) {
        unsigned side = d + i < p->n ? d + i : d;
        double low = p->box[2 * side], high = p->box[2 * side + 1];
        pair->out[i] = out + side * stride;
        pair->low[i] = tt_reals_all(low);
        pair->width[i] = tt_reals_all(high - low);
    }
}

/* `third` is the third word after round 1, but for the product's. */
static void multiply(struct products *products, uint64_t first, uint64_t third)
{
    const tt_lanes m0 = tt_lanes_all(TT_PHILOX_M0);
    const tt_lanes m1 = tt_lanes_all(TT_PHILOX_M1);
    tt_lanes count = tt_lanes_count() + first;
    for (size_t v = 0; v < VECTORS; v++, count += TT_LANES) {
        tt_lanes p = tt_lanes_multiply(count, m0);
        tt_lanes q = tt_lanes_multiply((p >> 32) ^ third, m1);
        products->first[v] = p;
        products->second[v] = q;
        products->upper[v] = q >> 32;
    }
}

/* The upper words at the places of the lower ones; what comes above them means
 * nothing. Of 512 bits two ports work on vectors, for a shift but one of them:
 * the other shuffles, and so do those that load, beside all else. */
ALWAYS tt_lanes upper(tt_lanes a)
{
#if defined __AVX512F__
    return (tt_lanes)_mm512_movehdup_ps((__m512)a);
#else
    return a >> 32;
#endif
}

ALWAYS tt_lanes upper_by_load(tt_lanes a)
{
#if defined __AVX512F__
    tt_lanes words;
    __asm__("vmovshdup %1, %0" : "=v"(words) : "m"(a));
    return words;
#else
    return a >> 32;
#endif
}

/* The words of blocks. The first and the third are under TT_LANES_HIGH; what
 * stands in the upper half of the others means nothing. */
ALWAYS void run(tt_lanes x[4][TOGETHER], const struct products *products,
                size_t at, const struct pair *pair, const struct keys *keys)
{
    const tt_lanes m0 = tt_lanes_all(TT_PHILOX_M0);
    const tt_lanes m1 = tt_lanes_all(TT_PHILOX_M1);
    for (size_t v = 0; v < TOGETHER; v++) {
        x[0][v] = products->upper[at + v] ^ pair->second[0];
        x[1][v] = products->second[at + v];
        x[2][v] = products->first[at + v] ^ pair->second[1];
        x[3][v] = pair->last;
    }
#pragma GCC unroll 7
    for (int i = 2; i < TT_PHILOX_ROUNDS - 1; i++)
        for (size_t v = 0; v < TOGETHER; v++) {
            tt_lanes p = tt_lanes_multiply(x[0][v], m0);
            tt_lanes q = tt_lanes_multiply(x[2][v], m1);
            x[0][v] =
                tt_lanes_xor(upper(q), x[1][v], tt_lanes_all(keys->of[i][0]));
            x[1][v] = q;
            x[2][v] = tt_lanes_xor(upper_by_load(p), x[3][v],
                                   tt_lanes_all(keys->of[i][1]));
            x[3][v] = p;
        }
    const tt_lanes key[2] = {tt_lanes_all(keys->of[TT_PHILOX_ROUNDS - 1][0]),
                             tt_lanes_all(keys->of[TT_PHILOX_ROUNDS - 1][1])};
    for (size_t v = 0; v < TOGETHER; v++) {
        tt_lanes p = tt_lanes_multiply(x[0][v], m0);
        tt_lanes q = tt_lanes_multiply(x[2][v], m1);
        x[0][v] = tt_lanes_xor_low(upper(q), x[1][v], key[0]);
        x[1][v] = q;
        x[2][v] = tt_lanes_xor_low(upper_by_load(p), x[3][v], key[1]);
        x[3][v] = p;
    }
}

/* `unit`: the box is that of the numbers themselves. */
ALWAYS void store(const struct pair *pair, int d, size_t at, tt_reals u,
                  bool unit)
{
    if (!unit)
        u = pair->low[d] + pair->width[d] * u;
    *(tt_reals_at *)(pair->out[d] + at) = u;
}

/* A pair of a group that begins at sample `at` of the rows. */
ALWAYS void draw_53(const struct pair *pair, const struct keys *keys,
                    const struct products *products, size_t at, bool unit)
{
    tt_lanes x[4][TOGETHER];
    for (size_t j = 0; j < VECTORS; j += TOGETHER) {
        run(x, products, j, pair, keys);
        for (size_t v = 0; v < TOGETHER; v++)
            for (int d = 1; d >= 0; d--)
                store(pair, d, at + (j + v) * TT_LANES,
                      tt_lanes_uniform(x[2 * d][v], x[2 * d + 1][v], 0), unit);
    }
}

ALWAYS void draw_32(const struct pair *pair, const struct keys *keys,
                    const struct products *products, size_t at, bool unit)
{
    tt_lanes x[4][TOGETHER];
    for (size_t j = 0; j < VECTORS / 2; j += TOGETHER) {
        run(x, products, j, pair, keys);
        for (size_t v = 0; v < TOGETHER; v++) {
            size_t b = (j + v) * TT_LANES, sample = at + b / 16 * 32 + b % 16;
            tt_lanes w[4] = {x[0][v], tt_lanes_high(x[1][v]), x[2][v],
                             tt_lanes_high(x[3][v])};
            for (int d = 1; d >= 0; d--)
                for (int half = 0; half < 2; half++)
                    store(pair, d, sample + 16 * (size_t)half,
                          tt_lanes_uniform_32(w[2 * half + d]), unit);
        }
    }
}

static bool is_unit(const struct tt_philox_points *p)
{
    bool unit = true;
    for (unsigned d = 0; d < p->n; d++)
        unit = unit && p->box[2 * d] == 0 && p->box[2 * d + 1] == 1;
    return unit;
}

/* Some pairs of groups whose samples have the same upper words. */
static void draw(const struct pair *pairs, unsigned count,
                 const struct keys *keys, bool is_53, bool unit, uint64_t first,
                 size_t groups)
{
    struct products products;
    uint64_t third = (is_53 ? TT_PHILOX_53 : TT_PHILOX_32) ^ keys->of[0][1];
    for (size_t at = 0; at < groups * TT_GROUP; at += TT_GROUP) {
        multiply(&products, is_53 ? first + at : (first + at) / 2, third);
        for (unsigned i = 0; i < count; i++)
            if (is_53 && unit)
                draw_53(&pairs[i], keys, &products, at, true);
            else if (is_53)
                draw_53(&pairs[i], keys, &products, at, false);
            else if (unit)
                draw_32(&pairs[i], keys, &products, at, true);
            else
                draw_32(&pairs[i], keys, &products, at, false);
    }
}

static void draw_all(double *out, size_t stride,
                     const struct tt_philox_points *p, uint64_t first,
                     size_t groups)
{
    bool is_53 = p->bits == 53, unit = TT_ISA_VECTOR > 16 && is_unit(p);
    uint32_t c1 = (uint32_t)((is_53 ? first : first / 2) >> 32);
    struct keys keys;
    struct pair pairs[PAIRS];
    make_keys(&keys, p->seed);
    for (unsigned d = 0; d < p->n;) {
        unsigned count = 0;
        for (; count < PAIRS && d < p->n; count++, d += 2) {
            make_rounds(&pairs[count], c1, d / 2, p->seed);
            make_pair(&pairs[count], out, stride, p, d);
        }
        draw(pairs, count, &keys, is_53, unit, first, groups);
    }
}

static void points(double *out, size_t stride, const struct tt_philox_points *p,
                   uint64_t first, size_t count)
{
    size_t groups = (count + TT_GROUP - 1) / TT_GROUP;
    while (groups) {
        uint64_t same = (((uint64_t)1 << 32) - (uint32_t)first) / TT_GROUP;
        size_t now = groups < same ? groups : (size_t)same;
        draw_all(out, stride, p, first, now);
        out += now * TT_GROUP;
        first += now * TT_GROUP;
        groups -= now;
    }
}

const struct tt_philox TT_ISA_NAME(tt_philox) = {points};
