/** Monte Carlo in parts: for those who call functions that are not C's. */
#ifndef TUTTI_SYS_EXPECT_H
#define TUTTI_SYS_EXPECT_H

#include <tutti/expect.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What is known of the samples of a range; bytes that may travel. */
typedef struct tutti_expect_part {
    double numbers[15];
} tutti_expect_part;

/** Which samples are wanted. */
typedef struct tutti_expect_round {
    uint64_t first, count;
    uint64_t unit; /**< samples of a block: a power of two, and `first` is a
                        multiple; its blocks are folded each by itself */
    unsigned log2; /**< a lattice's points of a shift */
} tutti_expect_round;

/** Samples are drawn and folded from multiples of this. */
#define TUTTI_EXPECT_GROUP 128

/** Joins the parts of a round's blocks, in index order, to out. */
typedef tutti_status (*tutti_expect_runner)(void *arg, tutti_expect_part *out,
                                            const tutti_expect_round *round);

/** As tutti_expect(), the samples' parts being the runner's business.
 *
 * out, box, n: as tutti_expect().
 * runner, arg: called with arg, for one round after the other.
 * unit: most samples of a block, a power of two; 0: as tutti_expect() has it.
 * how:  its density must be NULL: parts say whether there is one.
 * Errors: TUTTI_EARG, and the runner's.
 * Threads: any; the runner is called in the caller's.  Cost: the runner's.
 */
TUTTI_MUST_CHECK tutti_status tutti_expect_by(
    tutti_expectation *out, tutti_expect_runner runner, void *arg,
    const double *box, size_t n, const tutti_expect_options *how, size_t unit);

/** The part of a round of a kernel's, right here: no loop, no workers.
 *
 * f, box, n, how: as tutti_expect(); round: also a piece of one, which begins
 *         at a multiple of its unit.
 * Errors: as tutti_expect().
 * Threads: any.  Cost: that of its samples.
 */
TUTTI_MUST_CHECK tutti_status tutti_expect_piece(
    tutti_expect_part *out, tutti_kernel *f, const double *box, size_t n,
    const tutti_expect_options *how, const tutti_expect_round *round);

/** Draws points: coordinate d of sample first + j is x[d * stride + j].
 *
 * x:     [out] stride is at least `count`, rounded up to whole groups, which
 *        are all drawn.
 * box, n, how: as tutti_expect(); log2: the round's.
 * first: a multiple of TUTTI_EXPECT_GROUP, or of a round's unit; count: at most
 *        a lattice's shift.
 * Threads: any.  Cost: some nanoseconds a point.
 */
void tutti_expect_draw(double *x, size_t stride, const double *box, size_t n,
                       const tutti_expect_options *how, unsigned log2,
                       uint64_t first, size_t count);

/** The part of a block from the values of its samples.
 *
 * out:     [out] written only on success.
 * x:       the m points, for sentences: as tutti_expect_draw(), stride m.
 * box, n:  as tutti_expect(); first: the block's first sample.
 * values, density: m numbers each; density may be NULL. `values` are changed
 * where it is zero. Errors:  TUTTI_EARG: a value that is not finite, a density
 * that is not or is negative. Threads: any.  Cost: a nanosecond a value.
 */
TUTTI_MUST_CHECK tutti_status tutti_expect_fold(
    tutti_expect_part *out, const double *x, const double *box, size_t n,
    double *values, const double *density, uint64_t first, size_t m);

/** Joins the parts of consecutive blocks in a fixed tree, to parts[0].
 *
 * parts: [in/out] `count` of them, at least 1.
 * log2:  the round's.
 * Threads: any.  Cost: some nanoseconds a part.
 */
void tutti_expect_join(tutti_expect_part *parts, size_t count, unsigned log2);

#ifdef __cplusplus
}
#endif
#endif
