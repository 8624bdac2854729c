#include "wire/stream.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire/bytes.h"

#define ROOM (64u << 10) /* bytes to receive at once, at least */
#define KEEP (1u << 20)  /* an empty buffer that is larger is given back */

void tt_stream_init(struct tt_stream *stream, int fd)
{
    *stream = (struct tt_stream){.fd = fd};
}

void tt_stream_fini(struct tt_stream *stream)
{
    if (stream->fd >= 0) {
        shutdown(stream->fd, SHUT_RDWR); /* forked children may hold copies */
        close(stream->fd);
    }
    tutti_bytes_clear(&stream->in);
    tutti_bytes_clear(&stream->out);
    *stream = (struct tt_stream){.fd = -1, .ended = true};
}

static void empty(tutti_bytes *bytes, size_t *used)
{
    bytes->size = *used = 0;
    if (bytes->room > KEEP)
        tutti_bytes_clear(bytes);
}

void tt_stream_send(struct tt_stream *stream, bool wait)
{
    int flags = MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT);
    while (tt_stream_full(stream)) {
        ssize_t n = send(stream->fd, stream->out.data + stream->sent,
                         stream->out.size - stream->sent, flags);
        if (n >= 0) {
            stream->sent += (size_t)n;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        } else if (errno != EINTR) {
            break; /* what the other end had sent can still be received */
        }
    }
    empty(&stream->out, &stream->sent);
}

/* Bytes that the frame under way lacks; the buffer grows with what has come,
 * not with what the header claims. */
static size_t missing(const struct tt_stream *stream)
{
    struct tt_frame frame;
    size_t have = stream->in.size;
    if (have < sizeof frame)
        return 0;
    memcpy(&frame, stream->in.data, sizeof frame);
    uint64_t length = tt_frame_length(&frame);
    if (length <= have)
        return 0;
    size_t most = have > KEEP ? have : KEEP;
    return length - have > most ? most : (size_t)(length - have);
}

tutti_status tt_stream_receive(struct tt_stream *stream, bool wait)
{
    tt_bytes_shift(&stream->in, stream->taken);
    stream->taken = 0;
    if (!stream->in.size)
        empty(&stream->in, &stream->taken);
    size_t room = missing(stream);
    tutti_status status =
        tt_bytes_reserve(&stream->in, room > ROOM ? room : ROOM);
    if (status)
        return status;
    ssize_t n;
    do
        n = recv(stream->fd, stream->in.data + stream->in.size,
                 stream->in.room - stream->in.size, wait ? 0 : MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        stream->in.size += (size_t)n;
    else if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
        stream->ended = true;
    return TUTTI_OK;
}

tutti_status tt_stream_next(struct tt_stream *stream, bool *there,
                            struct tt_frame *frame, const void **data)
{
    size_t have = stream->in.size - stream->taken;
    struct tt_frame head;
    *there = false;
    if (have < sizeof head)
        return TUTTI_OK;
    memcpy(&head, stream->in.data + stream->taken, sizeof head);
    tutti_status status = tt_frame_check(&head);
    if (status)
        return status;
    if (tt_frame_length(&head) > have)
        return TUTTI_OK;
    *there = true;
    *frame = head;
    *data = stream->in.data + stream->taken + sizeof head;
    stream->taken += tt_frame_length(&head);
    return TUTTI_OK;
}
