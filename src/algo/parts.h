/* Loops that are parts of one call: one deadline, one progress, one report. */
#ifndef TT_ALGO_PARTS_H
#define TT_ALGO_PARTS_H

#include <stdint.h>

#include <tutti/loop.h>
#include <tutti/report.h>

struct tt_parts {
    const tutti_options *given; /* NULL: the defaults */
    size_t n;                   /* what progress counts, for the call */
    uint64_t began;
    double done;      /* of the call, 0 to 1 */
    double share;     /* of the call: the part that runs now */
    tutti_report sum; /* of the parts so far; the place is the longest's */
    double longest;   /* of the parts, seconds */
    int cancelled;    /* by progress: the next part is not begun */
};

void tt_parts_begin(struct tt_parts *parts, const tutti_options *given,
                    size_t n);

/* Runs a loop that is `share` of the call. */
TUTTI_MUST_CHECK tutti_status tt_parts_run(struct tt_parts *parts,
                                           const tutti_loop *loop,
                                           double share);

#endif
