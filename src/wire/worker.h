/* The worker's state machine, without a channel: frames in, frames out. */
#ifndef TT_WIRE_WORKER_H
#define TT_WIRE_WORKER_H

#include <stdbool.h>

#include "wire/frame.h"

struct tt_worker {
    const tutti_worker *calls;
    uint64_t loop;    /* prepared for; 0: none */
    uint64_t jobs;    /* that came */
    uint64_t refused; /* whose ranges, sent ahead, are dropped; 0: none */
};

/* Greets the other side: the first frame. */
TUTTI_MUST_CHECK tutti_status tt_worker_begin(struct tt_worker *worker,
                                              const tutti_worker *calls,
                                              tutti_bytes *out);

/* Does what one frame asks for and appends the answer. *again: the answer is a
 * part; send it, then call again with the frame as it is now. A failure ends
 * the worker. */
TUTTI_MUST_CHECK tutti_status tt_worker_take(struct tt_worker *worker,
                                             struct tt_frame *frame,
                                             const tutti_parcel *parcel,
                                             tutti_bytes *out, bool *again);

#endif
