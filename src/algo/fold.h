#ifndef TT_ALGO_FOLD_H
#define TT_ALGO_FOLD_H

#include "algo/apply.h"

/* In a worker: the blocks of a fold, as tt_apply_away(). */
size_t tt_fold_away(const struct tt_sweep *sweep, size_t begin, size_t end,
                    const char *items, char *results);

#endif
