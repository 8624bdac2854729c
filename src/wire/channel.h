/* One end of a channel between a place and a worker process on this host:
 * frames through two rings in shared memory, one writer and one reader each.
 * Beside them a socket, which carries descriptors and says when the other end
 * is gone; a word that names the task that runs; and the bells that the place
 * sleeps on. A payload that a ring should not carry goes as a block. One
 * thread at a time; blocks may be dropped in any. */
#ifndef TT_WIRE_CHANNEL_H
#define TT_WIRE_CHANNEL_H

#include <stdbool.h>

#include "wire/frame.h"

struct tt_link; /* the rings, as this end sees them */

struct tt_channel {
    int fd;          /* the socket; owned; -1: none. Poll it for POLLRDHUP
                      * only: descriptors lie in it until they are needed */
    bool ended;      /* the other end is closed or broken */
    tutti_bytes out; /* frames to send; [sent, out.size) not sent yet */
    size_t sent;
    struct tt_link *link; /* NULL: closed */
};

/* The place's end. `bells`: two eventfds that the worker may ring. *theirs is
 * the descriptor for tt_channel_take(): pass it on and close it. */
TUTTI_MUST_CHECK tutti_status tt_channel_make(struct tt_channel *channel,
                                              const int bells[2], int *theirs);

/* The worker's end; takes over the descriptor, also on failure. */
TUTTI_MUST_CHECK tutti_status tt_channel_take(struct tt_channel *channel,
                                              int fd);

/* Closes this end: the other sees it once it has read what is there. Blocks
 * that were lent to the other end are given up. */
void tt_channel_fini(struct tt_channel *channel);

/* Whether frames wait to be sent. */
static inline bool tt_channel_full(const struct tt_channel *channel)
{
    return channel->sent < channel->out.size;
}

/* Sends what waits in channel->out, as much as there is room for; if `wait`
 * (a worker), all. Wakes the other end if it sleeps. When the other end is
 * gone, what waits is dropped; receiving will tell. */
void tt_channel_send(struct tt_channel *channel, bool wait);

/* A worker: as tt_channel_send() with `wait`, but the place is only woken when
 * there is no room: what is sent next wakes it. */
void tt_channel_lay(struct tt_channel *channel);

/* Whether there may be something to take, or room for what could not be sent:
 * two loads. */
bool tt_channel_ready(const struct tt_channel *channel);

/* Takes the next frame, if one is there; sets channel->ended when all was read
 * and the other end is gone. The parcel is valid until the next call.
 * TUTTI_ESYS: what came is not a frame, or what the ring says is impossible;
 * TUTTI_EMEM: the channel is useless from then on. */
TUTTI_MUST_CHECK tutti_status tt_channel_next(struct tt_channel *channel,
                                              bool *there,
                                              struct tt_frame *frame,
                                              tutti_parcel *parcel);

/* The parcel is not needed any more: what it borrowed is given back. */
void tt_channel_done(struct tt_channel *channel);

/* Whether the channel ended in the middle of a frame. */
bool tt_channel_torn(const struct tt_channel *channel);

/* A place says which bell wakes it when something comes: 0: none, it looks by
 * itself; 1, 2: bells[0], bells[1]. Look once more after it was set. */
void tt_channel_watch(struct tt_channel *channel, unsigned bell);

/* A worker waits for something to take: spins for a while if that was soon
 * enough the last times, then sleeps. */
void tt_channel_wait(struct tt_channel *channel);

/* Whether both ends were seen on one CPU: then the other works while this one
 * yields, not while it spins. */
bool tt_channel_crowded(const struct tt_channel *channel);

/* Whether what this end wrote is still there: the other waits in vain for what
 * was written over. If not, tt_channel_next() says so. Nobody sends meanwhile.
 */
void tt_channel_look(struct tt_channel *channel);

/* For a place whose worker does not answer: looks, and wakes it. */
void tt_channel_nudge(struct tt_channel *channel);

/* The task that runs, as the worker says: written by it, read by the place. */
_Atomic uint64_t *tt_channel_at_word(struct tt_channel *channel);
uint64_t tt_channel_at(const struct tt_channel *channel);

/* The number of the last job that the worker prepared for, likewise. */
void tt_channel_prepare(struct tt_channel *channel, uint64_t job);
uint64_t tt_channel_prepared(const struct tt_channel *channel);

#endif
