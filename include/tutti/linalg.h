#ifndef TUTTI_LINALG_H
#define TUTTI_LINALG_H

#include <stddef.h>

#include <tutti/kernel.h>
#include <tutti/loop.h>
#include <tutti/map.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Numbers in rows and columns: element (i, j) lies i * row_stride +
 * j * column_stride bytes after `data`, at any address, aligned or not. A
 * stride may be negative, or 0 where the matrix is only read. A vector of n is
 * a matrix of one row: {x, 1, n, 0, sizeof *x}. */
typedef struct tutti_matrix {
    void *data; /**< element (0, 0) */
    size_t rows, columns;
    ptrdiff_t row_stride, column_stride; /**< bytes */
} tutti_matrix;

/* What all functions here share.
 *
 * type:    TUTTI_F64, TUTTI_F32, TUTTI_I64 or TUTTI_I32, of all elements.
 *          Integers are exact modulo 2^64 and 2^32, as NumPy's. Floats carry
 *          the same bits in every place, at any number of workers and for any
 *          instruction set, and whatever the strides are; products and sums
 *          are each rounded once, without contraction.
 * options: NULL for the defaults. A place in other processes is refused with
 *          TUTTI_EPLACE: the memory is the caller's.
 * Errors:  TUTTI_EARG (another type; sizes that do not fit together; NULL for
 *          what is not empty; a result whose elements share memory by a stride
 *          of 0), TUTTI_EMEM, and tutti_loop_run()'s. A result that shares
 *          memory with an operand is as if computed whole, then stored.
 * Ownership: all is borrowed for the call. Results are unspecified when it
 *          fails. */

/** The sum of all elements of x, 0 when there are none.
 *
 * type:    of x; see above, as for all that follows.
 * result:  [out] a double, float, int64_t, or for TUTTI_I32 an int64_t, as
 *          NumPy has it; written only on success.
 * x:       summed row by row in an order that depends on its size alone; by
 *          columns, if the elements of a column lie closer.
 * options: as above.
 * Errors:  TUTTI_EARG, TUTTI_EMEM, TUTTI_EPLACE, and tutti_loop_run()'s.
 * Threads: any.  Cost: one pass at the speed of memory. The error of a float
 *          sum of n elements is at most (96 + log2 n) roundings of the sum of
 *          their magnitudes.
 * Source:  fixed blocks and a fixed tree (hypre, mfem); see sums.h.
 */
TUTTI_MUST_CHECK tutti_status tutti_sum(tutti_type type, void *result,
                                        tutti_matrix x,
                                        const tutti_options *options);

/** The sum of a[i] b[i] for i in 0 .. n-1.
 *
 * type:    of a, b and the result.
 * result:  [out] one element; written only on success.
 * a, b:    n elements each.
 * options: as above.
 * Errors:  as tutti_sum().
 * Threads: any.  Cost: one pass at the speed of memory.
 */
TUTTI_MUST_CHECK tutti_status tutti_dot(tutti_type type, void *result,
                                        tutti_array a, tutti_array b, size_t n,
                                        const tutti_options *options);

/** y = a x: y[i] has the bits of tutti_dot() of row i with x.
 *
 * type:    of y, a and x.
 * y:       [out] a.rows elements.
 * a:       by rows or by columns, one as fast as the other.
 * x:       a.columns elements.
 * options: as above.
 * Errors:  as tutti_sum().
 * Threads: any.  Cost: a is read once, at the speed of memory.
 */
TUTTI_MUST_CHECK tutti_status tutti_matvec(tutti_type type, tutti_array y,
                                           tutti_matrix a, tutti_array x,
                                           const tutti_options *options);

/** out[i][j] = a[i][j] b[i][j].
 *
 * type:    of out, a and b.
 * out:     [out] as many rows and columns as a and b; it may be a or b.
 * a, b:    a stride of 0 gives one number, row or column for all.
 * options: as above.
 * Errors:  as tutti_sum().
 * Threads: any.  Cost: one pass at the speed of memory; what is larger than
 *          the cache is stored past it.
 */
TUTTI_MUST_CHECK tutti_status tutti_multiply(tutti_type type, tutti_matrix out,
                                             tutti_matrix a, tutti_matrix b,
                                             const tutti_options *options);

/** out[i][j] = a[i][j] + b[i][j]; otherwise as tutti_multiply(). */
TUTTI_MUST_CHECK tutti_status tutti_add(tutti_type type, tutti_matrix out,
                                        tutti_matrix a, tutti_matrix b,
                                        const tutti_options *options);

/** c = a b, the product of matrices.
 *
 * type:    of a, b and c; TUTTI_U64 and TUTTI_U32 too. Floats go to an
 *          OpenBLAS that is loaded or installed and knows this CPU, held to one
 *          thread, for all of the process, on blocks of rows that depend on the
 *          sizes alone; where there is none, or a BLAS does not take the
 *          strides, to a kernel of ours: the same bits at any number of
 *          workers, for one type of machine, BLAS and layout.
 * c:       [out] a.rows by b.columns.
 * a, b:    a.columns is b.rows; if that is 0, c becomes zeros.
 * options: as above.
 * Errors:  as tutti_sum().
 * Threads: any.  Cost: 2 * a.rows * a.columns * b.columns operations; the
 *          operands are copied some MiB at a time. The first large
 *          one of floats opens an OpenBLAS, some 10 ms.
 * Source:  packed panels in cache-sized blocks (Goto and van de Geijn, 2008).
 */
TUTTI_MUST_CHECK tutti_status tutti_matmul(tutti_type type, tutti_matrix c,
                                           tutti_matrix a, tutti_matrix b,
                                           const tutti_options *options);

#ifdef __cplusplus
}
#endif
#endif
