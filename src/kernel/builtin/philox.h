/* Random points: Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random
 * numbers: as easy as 1, 2, 3, SC11), keyed by the seed, counted by the sample.
 *
 * Every number is a function of (seed, sample i, coordinate d) alone; whoever
 * draws points, on whatever device, draws these:
 *
 *   key     = {low word of the seed, high word}
 *   counter = {low word of b, high word, d / 2, use}
 *   philox4x32_10(counter, key) = words w[0..3]
 *
 *   53 bits: b = i, use = 53, h = 2 * (d % 2):
 *            u = (w[h] * 2^21 + (w[h + 1] >> 11)) * 2^-53       in [0, 1)
 *   32 bits: b = 16 * (i / 32) + i % 16, use = 32, h = 2 * (i / 16 % 2) + d % 2
 *            (samples i and i + 16 share a block):
 *            u = (w[h] + 0.5) * 2^-32                           in (0, 1)
 *
 * A point's coordinate is low + (high - low) * u, each step rounded. */
#ifndef TT_KERNEL_BUILTIN_PHILOX_H
#define TT_KERNEL_BUILTIN_PHILOX_H

#include <stddef.h>
#include <stdint.h>

#include "kernel/builtin/isa.h"

/* Samples that are drawn at once: enough to hide the latency of
 * multiplication. */
#define TT_GROUP 128

#define TT_PHILOX_M0 0xd2511f53u
#define TT_PHILOX_M1 0xcd9e8d57u
#define TT_PHILOX_W0 0x9e3779b9u
#define TT_PHILOX_W1 0xbb67ae85u
#define TT_PHILOX_ROUNDS 10

/* Counters that differ in `use` belong to different streams. */
enum tt_philox_use {
    TT_PHILOX_32 = 32,
    TT_PHILOX_53 = 53,
    TT_PHILOX_SHIFT = 64 /* of lattices */
};

struct tt_philox_points {
    uint64_t seed;
    unsigned bits; /* 53 or 32 */
    unsigned n;
    const double *box; /* low and high of each coordinate */
};

struct tt_philox {
    /* out[d * stride + j] = coordinate d of sample first + j, j < count, which
     * is rounded up to whole groups; first is a multiple of TT_GROUP. */
    void (*points)(double *out, size_t stride, const struct tt_philox_points *,
                   uint64_t first, size_t count);
};

TT_ISA_TABLE(struct tt_philox, tt_philox)

/* One block, by the definition. */
static inline void tt_philox_block(uint32_t words[4], uint64_t b, uint32_t c2,
                                   uint32_t use, uint64_t seed)
{
    uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t x[4] = {(uint32_t)b, (uint32_t)(b >> 32), c2, use};
    for (int round = 0; round < TT_PHILOX_ROUNDS; round++) {
        uint64_t p = (uint64_t)TT_PHILOX_M0 * x[0];
        uint64_t q = (uint64_t)TT_PHILOX_M1 * x[2];
        x[0] = (uint32_t)(q >> 32) ^ x[1] ^ key[0];
        x[1] = (uint32_t)q;
        x[2] = (uint32_t)(p >> 32) ^ x[3] ^ key[1];
        x[3] = (uint32_t)p;
        key[0] += TT_PHILOX_W0;
        key[1] += TT_PHILOX_W1;
    }
    for (int i = 0; i < 4; i++)
        words[i] = x[i];
}

#endif
