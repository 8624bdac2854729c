/* A BLAS found at run time: one that the process has loaded, else the system's.
 * It is held to one thread while tutti uses it. */
#ifndef TT_KERNEL_BLAS_H
#define TT_KERNEL_BLAS_H

#include <stdbool.h>
#include <stddef.h>

#include <tutti/linalg.h>

/* Whether there is one that is worth calling on this CPU for so many products
 * of numbers. The system's is opened for many only: that takes milliseconds. */
bool tt_blas_found(double products);

/* Whether it takes a matrix of floats with these sizes and strides. */
bool tt_blas_takes(const tutti_matrix *m, size_t size);

/* c = a b, of matrices that it takes; c's rows lie whole. Other calls of this
 * BLAS in the process have one thread meanwhile, too.
 *
 * Threads: any; calls from several go on at once. */
void tt_blas_multiply(tutti_type type, const tutti_matrix *c,
                      const tutti_matrix *a, const tutti_matrix *b);

#endif
