/* What sums and products of arrays share. */
#ifndef TT_ALGO_LINALG_H
#define TT_ALGO_LINALG_H

#include <stdbool.h>
#include <stdint.h>

#include <tutti/linalg.h>

#include "kernel/builtin/pairs.h"
#include "kernel/builtin/sums.h"

/* TUTTI_EARG or TUTTI_EPLACE if `what`, a public function, cannot work on this
 * type, or not in the place that the options name. */
TUTTI_MUST_CHECK tutti_status tt_linalg_check(const char *what, tutti_type type,
                                              const tutti_options *options);

/* TUTTI_EARG if the matrix called `name` has no memory, or too many elements;
 * if it is `written`, also where elements share memory. */
TUTTI_MUST_CHECK tutti_status tt_linalg_check_matrix(const char *what,
                                                     const char *name,
                                                     tutti_matrix x,
                                                     bool written);

tutti_matrix tt_linalg_transpose(tutti_matrix x);

/* Whether the elements of a column lie closer than those of a row. */
bool tt_linalg_by_columns(tutti_matrix x);

/* Whether the memory from the first to the last element of one has some of the
 * other's. Elements are of `size` bytes. */
bool tt_linalg_overlaps(tutti_matrix a, tutti_matrix b, size_t size);

/* Whether element by element they are the same memory. */
bool tt_linalg_same(tutti_matrix a, tutti_matrix b);

/* Elements [first, first + n), counted row by row, side by side and aligned:
 * where they are, or else in `buffer`. */
const void *tt_linalg_read(tutti_matrix x, size_t size, size_t first, size_t n,
                           void *buffer);

/* Where elements [first, first + n) lie side by side and aligned; or NULL. */
void *tt_linalg_place(tutti_matrix x, size_t size, size_t first, size_t n);

/* Puts n elements from `values` on. */
void tt_linalg_write(tutti_matrix x, size_t size, size_t first, size_t n,
                     const void *values);

/* Bytes that are not in a near cache, and pay for tt_linalg_ahead(). */
#define TT_LINALG_FAR ((size_t)4 << 20)

/* Begins to read `size` bytes at `next`, any address: one line of each page,
 * from which the CPU goes on by itself. It does not cross pages, and the first
 * misses in each are waited for otherwise. */
static inline void tt_linalg_ahead(const void *next, size_t size)
{
    uintptr_t at = (uintptr_t)next, end = at + size;
    for (; at < end; at = (at | 4095) + 1)
        __builtin_prefetch((const void *)at);
}

/* The kernel of an operation on numbers of a type. */
tt_pair tt_linalg_pair(tutti_type type, enum tt_pair_op op);

/* A vector as a matrix of one row. */
static inline tutti_matrix tt_linalg_row(tutti_array x, size_t n)
{
    return (tutti_matrix){x.data, 1, n, 0, x.stride};
}

#endif
