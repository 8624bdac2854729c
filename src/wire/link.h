/* What a channel keeps for itself. */
#ifndef TT_WIRE_LINK_H
#define TT_WIRE_LINK_H

#include "wire/channel.h"
#include "wire/loan.h"

struct tt_link {
    struct tt_map *map;
    bool worker;
    int bells[2]; /* a worker's; owned */
    struct tt_ring_end in, out;
    /* Atomic for the other threads of a worker, which send too. */
    _Atomic bool gone;   /* the socket says so */
    _Atomic bool broken; /* nonsense came, or no memory was left */

    /* Receiving. */
    tutti_bytes buffer; /* read; [taken, buffer.size) not handed out yet */
    size_t taken;
    bool gave;          /* the last look found a frame */
    tutti_bytes parcel; /* the blocks of the frame that was handed out */
    struct tt_debts debts;
    uint64_t average; /* ns that a worker waits */
    unsigned crowded; /* short waits on one CPU with the place, in a row */
    bool rested;      /* it waited long, and gave back memory */

    /* Sending the frame at channel->sent. */
    size_t length, done;  /* bytes of it, written; length 0: not begun */
    size_t first, blocks; /* its blocks in channel->out */
    size_t block;         /* of these, the one under way */
    uint64_t block_done;  /* bytes of it that are written */
    struct tt_loans loans;
};

/* Whether the other end is gone. `ask`: asks the socket, too, a system call:
 * only it knows if the other end was killed. */
bool tt_link_gone(struct tt_channel *channel, bool ask);

/* Tells the other end, if it sleeps, that something is there. */
void tt_link_wake(struct tt_link *link);

/* Nothing of the bytes is needed any more; large memory is given back. */
static inline void tt_link_empty(tutti_bytes *bytes, size_t *used)
{
    bytes->size = *used = 0;
    if (bytes->room > 1u << 20)
        tutti_bytes_clear(bytes);
}

#endif
