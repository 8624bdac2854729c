/* Frames: what a place and its workers send each other. A header of 64 bytes,
 * then the payload, padded so that every payload is aligned to 16 bytes. Both
 * ends run on one host, so numbers travel as they are. */
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
    TT_FRAME_KINDS
};

#define TT_FRAME_LIMIT ((uint64_t)1 << 40) /* bytes of a payload */

struct tt_frame {
    uint32_t magic; /* set by tt_frame_close() */
    uint32_t kind;
    uint64_t size;     /* bytes of the payload; set by tt_frame_close() */
    uint64_t loop;     /* number of a loop, unique in its place */
    uint64_t begin;    /* tasks */
    uint64_t end;      /* */
    uint64_t from, to; /* tt_clock() around the user's code */
    uint32_t worker;   /* its lane */
    uint32_t check;    /* set by tt_frame_close() */
};

/* Bytes of a frame on the wire. */
static inline uint64_t tt_frame_length(const struct tt_frame *frame)
{
    return sizeof *frame + ((frame->size + 15) & ~(uint64_t)15);
}

/* Begins a frame at the end of `out`: append the payload, then close. */
TUTTI_MUST_CHECK tutti_status tt_frame_open(tutti_bytes *out, size_t *mark);

/* Ends the frame that was begun at `mark`. On failure, and to give a frame
 * up, set out->size back to `mark`. */
TUTTI_MUST_CHECK tutti_status tt_frame_close(tutti_bytes *out, size_t mark,
                                             struct tt_frame frame);

/* A frame in one call. `out` is as before on failure. */
TUTTI_MUST_CHECK tutti_status tt_frame_put(tutti_bytes *out,
                                           struct tt_frame frame,
                                           const void *data, size_t size);

/* Whether a received header is one: TUTTI_ESYS and what is wrong with it. */
TUTTI_MUST_CHECK tutti_status tt_frame_check(const struct tt_frame *frame);

#endif
