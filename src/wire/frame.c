#include "wire/frame.h"

#include <inttypes.h>
#include <string.h>

#include "core/status.h"
#include "wire/bytes.h"

#define MAGIC 0x69747574u /* "tuti" */

_Static_assert(sizeof(struct tt_frame) == 64, "a header is 64 bytes");

static uint32_t check_of(const struct tt_frame *frame)
{
    uint32_t words[sizeof *frame / 4], sum = 2166136261u;
    memcpy(words, frame, sizeof words);
    for (size_t i = 0; i + 1 < sizeof words / sizeof *words; i++)
        sum = (sum ^ words[i]) * 16777619u + (sum >> 15);
    return sum;
}

tutti_status tt_frame_open(tutti_bytes *out, size_t *mark)
{
    tutti_status status = tt_bytes_reserve(out, sizeof(struct tt_frame));
    if (status)
        return status;
    *mark = out->size;
    out->size += sizeof(struct tt_frame);
    return TUTTI_OK;
}

tutti_status tt_frame_close(tutti_bytes *out, size_t mark,
                            struct tt_frame frame)
{
    frame.magic = MAGIC;
    frame.size = out->size - mark - sizeof frame;
    frame.check = check_of(&frame);
    if (frame.size > TT_FRAME_LIMIT)
        return tt_fail(TUTTI_EMEM,
                       "a message of %" PRIu64 " bytes is too large; the "
                       "limit is %" PRIu64,
                       frame.size, TT_FRAME_LIMIT);
    size_t padding = tt_frame_length(&frame) - sizeof frame - frame.size;
    tutti_status status = tutti_bytes_append(out, (char[16]){0}, padding);
    if (status)
        return status;
    memcpy(out->data + mark, &frame, sizeof frame);
    return TUTTI_OK;
}

tutti_status tt_frame_put(tutti_bytes *out, struct tt_frame frame,
                          const void *data, size_t size)
{
    size_t mark = out->size;
    tutti_status status = tt_frame_open(out, &mark);
    if (!status)
        status = tutti_bytes_append(out, data, size);
    if (!status)
        status = tt_frame_close(out, mark, frame);
    if (status)
        out->size = mark;
    return status;
}

tutti_status tt_frame_check(const struct tt_frame *frame)
{
    if (frame->magic != MAGIC)
        return tt_fail(TUTTI_ESYS,
                       "a message begins with %08" PRIx32 ", not with %08x; "
                       "something else wrote to the channel",
                       frame->magic, MAGIC);
    if (frame->check != check_of(frame))
        return tt_fail(TUTTI_ESYS, "a message's header is damaged");
    if (frame->kind < TT_FRAME_HELLO || frame->kind >= TT_FRAME_KINDS)
        return tt_fail(TUTTI_ESYS, "a message is of unknown kind %" PRIu32,
                       frame->kind);
    if (frame->size > TT_FRAME_LIMIT)
        return tt_fail(TUTTI_ESYS,
                       "a message claims %" PRIu64
                       " bytes; the limit is %" PRIu64,
                       frame->size, TT_FRAME_LIMIT);
    return TUTTI_OK;
}
