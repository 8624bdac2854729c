/* Samples: points drawn, functions called, values folded to parts. */
#ifndef TT_ALGO_SAMPLE_H
#define TT_ALGO_SAMPLE_H

#include <tutti/sys/expect.h>

#include "algo/travel.h"
#include "kernel/builtin/moments.h"
#include "kernel/kernel.h"

#define TT_SAMPLE_NO_LATTICE UINT32_MAX /* log2 of plain samples */

/* A tutti_expect_part. */
struct tt_part_moments {
    struct tt_moments value;   /* of f, or of f * density * volume */
    struct tt_moments density; /* of density * volume */
    struct tt_moments f;       /* of f, weighted by that; weight 0: none */
    struct tt_moments values, densities; /* of means of whole shifts */
};

/* How a function is called: all but its address. */
struct tt_callee {
    bool native; /* its address is that of the function, not of an entry */
    bool rows;   /* it takes a point after the other */
    bool count_first, has_user;
    tutti_form form;
    void *user;
};

/* What a range needs: bytes that mean the same elsewhere, but for the functions
 * and `user`. */
struct tt_sampler {
    tt_function function[2]; /* f, density or NULL: see tt_reduce() */
    struct tt_callee callee[2];
    tutti_expect_options how;
    uint64_t first; /* of the round */
    unsigned log2;  /* TT_SAMPLE_NO_LATTICE: plain */
    size_t n;
    double box[]; /* 2 n numbers, as the user gave them */
};

static inline size_t tt_sampler_size(size_t n)
{
    return sizeof(struct tt_sampler) + 2 * n * sizeof(double);
}

/* The function number `which` of a sampler is this kernel: compiles its text
 * for the sampler's n. Errors: TUTTI_EARG, those of tt_kernel_build(). */
TUTTI_MUST_CHECK tutti_status tt_sampler_take(struct tt_sampler *s, int which,
                                              tutti_kernel *kernel);

/* A tutti_fold.range over samples, from the round's first on. */
int tt_sampler_fold(void *part, size_t begin, size_t end, void *sampler);

void tt_part_join(tutti_expect_part *left, const tutti_expect_part *right,
                  unsigned log2);

#endif
