/* Frames: what a place and its workers send each other. A header of 80 bytes,
 * then the payload, padded so that every payload is aligned to 16 bytes, then a
 * reference for each block. Both ends run on one host, so numbers travel as
 * they are. */
#ifndef TT_WIRE_FRAME_H
#define TT_WIRE_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include <tutti/sys/message.h>

enum tt_frame_kind {
    TT_FRAME_HELLO = 1, /* from a worker: it serves; begin is its pid */
    TT_FRAME_JOB,       /* to a worker: prepare for `loop` */
    TT_FRAME_PREPARED,  /* from a worker: it is */
    TT_FRAME_REFUSED,   /* from a worker: it cannot; a sentence */
    TT_FRAME_FORGET,    /* to a worker: `loop` is over */
    TT_FRAME_RANGE,     /* to a worker: items of [begin, end) */
    TT_FRAME_DONE,      /* from a worker: results of [begin, end) */
    TT_FRAME_SAID,      /* from a worker: text; `worker` is a tutti_voice */
    TT_FRAME_PART,      /* as TT_FRAME_DONE; the rest of its range goes back */
    TT_FRAME_KINDS
};

#define TT_FRAME_LIMIT ((uint64_t)1 << 40) /* bytes of a payload, a block */
#define TT_FRAME_MOVE (64u << 10)          /* larger payloads become a block */

struct tt_frame {
    uint32_t magic; /* set by tt_frame_close(), as what says so below */
    uint32_t kind;
    uint64_t size;     /* bytes of the payload; set */
    uint64_t loop;     /* number of a loop, unique in its place */
    uint64_t begin;    /* tasks; of a job, 1: that of before, once more, no
                        * answer if it is fine */
    uint64_t end;      /* of an answer to a job: how many jobs came */
    uint64_t from, to; /* tt_clock() around the user's code */
    uint32_t worker;   /* its lane; of a job, 1: it was kept from a CPU */
    uint32_t blocks;   /* set */
    uint32_t moved;    /* set; 1: the payload is the last block, size is 0 */
    uint32_t sum;      /* set: of the payload */
    uint32_t unused;   /* set: 0 */
    uint32_t check;    /* set */
};

/* A block of a frame, as the channel that sends it says. */
struct tt_ref {
    uint64_t size;
    uint64_t offset; /* in its segment */
    uint64_t serial; /* of the segment's descriptor; 0: the bytes follow the
                      * frame, padded as a payload */
    uint32_t slot;   /* of the descriptor */
    uint32_t ticket; /* to give it back */
};

static inline uint64_t tt_frame_pad(uint64_t size)
{
    return (size + 15) & ~(uint64_t)15;
}

/* Bytes of a frame on the wire, but for those of blocks. */
static inline uint64_t tt_frame_length(const struct tt_frame *frame)
{
    return sizeof *frame + tt_frame_pad(frame->size) +
           frame->blocks * (uint64_t)sizeof(struct tt_ref);
}

/* Where a frame began. */
struct tt_mark {
    size_t size, count;
};

/* Begins a frame at the end of `out`: append the payload, attach blocks, then
 * close. */
TUTTI_MUST_CHECK tutti_status tt_frame_open(tutti_bytes *out,
                                            struct tt_mark *mark);

/* Ends the frame that was begun at `mark`. After a failure, give it up. */
TUTTI_MUST_CHECK tutti_status tt_frame_close(tutti_bytes *out,
                                             struct tt_mark mark,
                                             struct tt_frame frame);

/* `out` is as it was at `mark`. */
void tt_frame_give_up(tutti_bytes *out, struct tt_mark mark);

/* A frame in one call. `out` is as before on failure. */
TUTTI_MUST_CHECK tutti_status tt_frame_put(tutti_bytes *out,
                                           struct tt_frame frame,
                                           const void *data, size_t size);

/* Appends whole frames, sharing their blocks. `out` is as before on failure. */
TUTTI_MUST_CHECK tutti_status tt_frame_copy(tutti_bytes *out,
                                            const tutti_bytes *frames);

/* Bytes since `mark`, with blocks. */
size_t tt_frame_bytes(const tutti_bytes *out, struct tt_mark mark);

/* Bytes of a parcel, with blocks. */
size_t tt_parcel_bytes(const tutti_parcel *parcel);

/* The sum of a padded payload: what others wrote into a ring must not be taken
 * for it. */
uint32_t tt_frame_sum(const char *payload, uint64_t size);

/* Whether a received header is one: TUTTI_ESYS and what is wrong with it. */
TUTTI_MUST_CHECK tutti_status tt_frame_check(const struct tt_frame *frame);

#endif
