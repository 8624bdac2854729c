/* Whether to go on: outside of loops the progress callback is asked, too. */
#ifndef TT_ALGO_WORDASK_H
#define TT_ALGO_WORDASK_H

#include <stdbool.h>
#include <stdint.h>

#include <tutti/loop.h>

#include "core/clock.h"

#define TT_WORDASK_MS 100 /* between two questions */

struct tt_wordask {
    const tutti_options *options; /* NULL: nobody is asked */
    uint64_t asked;
    bool refused;
};

/* False: no. */
static inline bool tt_wordask_now(struct tt_wordask *ask)
{
    const tutti_options *o = ask->options;
    ask->asked = tt_clock();
    ask->refused = o && o->size == sizeof *o && o->progress &&
                   o->progress(o->progress_arg, 0, 1);
    return !ask->refused;
}

/* The same, unless that was asked just now. */
static inline bool tt_wordask_soon(struct tt_wordask *ask)
{
    return tt_clock() - ask->asked < TT_WORDASK_MS * 1000000u ||
           tt_wordask_now(ask);
}

#endif
