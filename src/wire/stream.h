/* Frames over a stream socket, buffered in both directions: an end that never
 * waits while it sends cannot be part of a deadlock. */
#ifndef TT_WIRE_STREAM_H
#define TT_WIRE_STREAM_H

#include <stdbool.h>

#include "wire/frame.h"

struct tt_stream {
    int fd;         /* owned; -1: none */
    bool ended;     /* the other end is closed or broken */
    tutti_bytes in; /* received; [taken, in.size) not handed out yet */
    size_t taken;
    tutti_bytes out; /* frames to send; [sent, out.size) not sent yet */
    size_t sent;
};

/* Takes over the descriptor. */
void tt_stream_init(struct tt_stream *stream, int fd);

/* Closes the descriptor and frees the buffers. */
void tt_stream_fini(struct tt_stream *stream);

/* Whether frames wait to be sent. */
static inline bool tt_stream_full(const struct tt_stream *stream)
{
    return stream->sent < stream->out.size;
}

/* Sends what waits in stream->out: all of it if `wait`, else what the socket
 * takes now. When the other end is gone, what waits is dropped; receiving
 * will tell. */
void tt_stream_send(struct tt_stream *stream, bool wait);

/* Receives once, waiting for the first byte if `wait`. TUTTI_EMEM. */
TUTTI_MUST_CHECK tutti_status tt_stream_receive(struct tt_stream *stream,
                                                bool wait);

/* Takes the next frame out, if a whole one is there; *data is valid until the
 * next receive. TUTTI_ESYS: what came is not a frame; the stream is useless. */
TUTTI_MUST_CHECK tutti_status tt_stream_next(struct tt_stream *stream,
                                             bool *there,
                                             struct tt_frame *frame,
                                             const void **data);

/* Whether the stream ended in the middle of a frame. */
static inline bool tt_stream_torn(const struct tt_stream *stream)
{
    return stream->ended && stream->taken < stream->in.size;
}

#endif
