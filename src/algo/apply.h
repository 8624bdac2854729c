#ifndef TT_ALGO_APPLY_H
#define TT_ALGO_APPLY_H

#include <tutti/kernel.h>

#include "algo/travel.h"
#include "kernel/wrapper.h"

#define TT_SWEEP_BLOCK 512 /* values that are made, or folded, at once */

/* A loop over a kernel, all but the arrays: bytes that mean the same elsewhere,
 * but for the two functions and what the user points to. */
struct tt_sweep {
    tt_kernel_entry entry;
    tt_kernel_function function; /* or NULL */
    void *user;
    tutti_form form;
    tutti_type type, result; /* of an item's values, of a result's */
    size_t width, results_width;
    size_t item_size, result_size; /* bytes of a task's */
    int64_t first, step;           /* of a range */
    tutti_op op;                   /* 0: a map */
    size_t unit;                   /* of a fold: tasks of a block */
};

/* A loop over rows of `width` values. Errors: TUTTI_EARG. */
TUTTI_MUST_CHECK tutti_status tt_apply_rows(struct tt_sweep *out,
                                            const tutti_kernel *kernel,
                                            size_t results_width, size_t width);

/* A loop over n values from `first` on. Errors: TUTTI_EARG. */
TUTTI_MUST_CHECK tutti_status tt_apply_range(struct tt_sweep *out,
                                             const tutti_kernel *kernel,
                                             int64_t first, int64_t step,
                                             size_t n);

/* Runs a map over `items`, or the range if they are NULL. */
TUTTI_MUST_CHECK tutti_status tt_apply_map(const struct tt_sweep *sweep,
                                           const void *items, void *results,
                                           size_t n,
                                           const tutti_options *options);

/* Runs a map or a fold, whose results are those of its blocks, in other
 * processes. */
TUTTI_MUST_CHECK tutti_status tt_apply_send(const struct tt_sweep *sweep,
                                            const void *items, void *results,
                                            size_t n, size_t unit,
                                            const tutti_options *options);

/* The results of the tasks [begin, end). `items` begin with that of task
 * `begin`, or are NULL for a range; so do results. Returns end, or where it was
 * stopped: see tt_run_past(). */
size_t tt_apply_call(const struct tt_sweep *sweep, size_t begin, size_t end,
                     const char *items, char *results);

/* In a worker: the tasks [begin, end) of a kernel, by its entry and its
 * function; items and results as for tt_apply_call(). Returns end. */
size_t tt_apply_away(const tt_function functions[2], const void *context,
                     size_t begin, size_t end, const char *items,
                     char *results);

#endif
