/* Reductions whose range calls functions of the user's. */
#ifndef TT_ALGO_REDUCE_H
#define TT_ALGO_REDUCE_H

#include "algo/travel.h"

/* As tutti_reduce(). functions: NULL, or two functions that stand at the begin
 * of the context, too, and are put there in other processes; the second may
 * be NULL. The first is what the cost of a task is remembered by. */
TUTTI_MUST_CHECK tutti_status tt_reduce(void *result, const tutti_fold *fold,
                                        size_t n, size_t unit, void *context,
                                        size_t context_size,
                                        const tt_function *functions,
                                        const tutti_options *options);

#endif
