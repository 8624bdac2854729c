#ifndef TT_ALGO_APPLY_H
#define TT_ALGO_APPLY_H

#include "algo/travel.h"

/* In a worker: the tasks [begin, end) of a kernel, by its entry and its
 * function. `items` begin with that of task `begin`, or are NULL for a range;
 * so do results. Returns end. */
size_t tt_apply_away(const tt_function functions[2], const void *context,
                     size_t begin, size_t end, const char *items,
                     char *results);

#endif
