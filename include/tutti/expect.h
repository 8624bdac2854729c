#ifndef TUTTI_EXPECT_H
#define TUTTI_EXPECT_H

#include <stddef.h>
#include <stdint.h>

#include <tutti/kernel.h>
#include <tutti/loop.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How points are drawn. */
typedef enum tutti_expect_method {
    TUTTI_EXPECT_PLAIN = 0, /**< independent and uniform */
    TUTTI_EXPECT_LATTICE    /**< a lattice, shifted at random at least 16
                                 times, folded: for smooth functions far more
                                 exact */
} tutti_expect_method;

/** What to draw, and when to stop. Start from TUTTI_EXPECT_OPTIONS_INIT. */
typedef struct tutti_expect_options {
    uint32_t size;    /**< sizeof, set by the initialiser */
    uint64_t samples; /**< at most so many points; 0: 2^20, or 2^40 with a
                           standard_error */
    uint64_t seed;
    double standard_error; /**< stop when the estimated error is not above
                                it; 0: after all samples */
    tutti_expect_method method;
    unsigned bits;         /**< of a coordinate: 53 (0 is 53), or 32: faster;
                                a lattice has 53 */
    tutti_kernel *density; /**< NULL: uniform, the mean of f; else the integral
                                of f * density over the box, where density is
                                meant to integrate to one */
} tutti_expect_options;

#define TUTTI_EXPECT_OPTIONS_INIT TUTTI_INIT(tutti_expect_options)

/** An estimate. */
typedef struct tutti_expectation {
    double value;
    double standard_error; /**< of the value: one standard deviation, estimated;
                                NaN from a single sample or shift */
    double variance;       /**< of f, under the density */
    uint64_t samples;      /**< points that were used */
    double density;        /**< the density's own integral over the box, */
    double density_error;  /**< and its standard error; 1 and 0 without one */
} tutti_expectation;

/** Estimates the mean of a function over a box.
 *
 * Sample i is a function of (seed, i) alone, and sums have a fixed order: the
 * same bits in every place and at any number of workers.
 *
 * out:  [out] written only on success.
 * f:    `double f(const double *x, int n)` or `double f(int n, const double
 * *x)` of a point, or `void f(int n, size_t m, const double *x, double *out)`
 *       of m points, coordinate d of point j being x[d * m + j]; called from
 *       several threads at once. A function given as text is compiled for n
 *       coordinates when it is first used so.
 * box:  2 n numbers: low and high of each coordinate, finite, low < high.
 * n:    coordinates, 1 to 4096; 1 to 250 for a lattice.
 * how:  NULL for the defaults.
 * options: NULL for the defaults; progress counts samples.
 * Errors: TUTTI_EARG (a box, kernel or option that is not as said; a value of f
 *       that is not finite, or a density that is that or below zero: the detail
 *       names sample and point), TUTTI_EMEM, those of tutti_kernel_open() and
 *       of tutti_reduce().
 * Threads: any.  Cost: nanoseconds a sample above those of f; 120 bytes for
 *       512 to 4096 samples, at most 32 MB.
 * Source: Philox4x32-10 (Salmon et al., SC11); lattice: Cools, Kuo, Nuyens,
 *       Constructing embedded lattice rules (2006); Hickernell's baker's
 *       transform (2002); moments: Chan, Golub, LeVeque (1983).
 */
TUTTI_MUST_CHECK tutti_status tutti_expect(tutti_expectation *out,
                                           tutti_kernel *f, const double *box,
                                           size_t n,
                                           const tutti_expect_options *how,
                                           const tutti_options *options);

#ifdef __cplusplus
}
#endif
#endif
