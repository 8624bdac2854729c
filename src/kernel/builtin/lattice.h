/* Points of a randomly shifted rank-1 lattice, folded by the baker's
 * transform, in 64-bit integers until the last step:
 *
 *   N = 2^m points; point k has i = k mod N and is of shift r = k / N
 *   t = ((i * z[d]) << (64 - m)) + s(r, d)                 modulo 2^64
 *   s = (w[h] << 32) + w[h + 1], h = 2 * (d % 2), of the block of philox.h with
 *       b = r, c2 = d / 2, use = TT_PHILOX_SHIFT
 *   v = (t >> 11) * 2^-53 - 0.5
 *   coordinate = high - 2 * (high - low) * |v|
 *
 * The generating vector z is odd numbers below 2^TT_LATTICE_MOST, by component-
 * by-component construction for all N at once: see tools/lattice.py. */
#ifndef TT_KERNEL_BUILTIN_LATTICE_H
#define TT_KERNEL_BUILTIN_LATTICE_H

#include <stddef.h>
#include <stdint.h>

#include "kernel/builtin/isa.h"

#define TT_LATTICE_MOST 24 /* m */

extern const uint32_t tt_lattice_vector[];
extern const unsigned tt_lattice_dimensions;

struct tt_lattice_points {
    uint64_t seed;
    unsigned m, n;
    const double *box; /* low and high of each coordinate */
};

struct tt_lattice {
    /* As tt_philox.points; any first; all of one shift. */
    void (*points)(double *out, size_t stride, const struct tt_lattice_points *,
                   uint64_t first, size_t count);
};

TT_ISA_TABLE(struct tt_lattice, tt_lattice)

#endif
