#include "wire/frame.h"

#include <inttypes.h>
#include <string.h>

#include "core/status.h"
#include "wire/block.h"
#include "wire/bytes.h"

#define MAGIC 0x69747574u /* "tuti" */

_Static_assert(sizeof(struct tt_frame) == 80, "a header is 80 bytes");
_Static_assert(sizeof(struct tt_ref) == 32, "payloads stay aligned to 16");

static uint32_t check_of(const struct tt_frame *frame)
{
    uint64_t words[sizeof *frame / 8], sum = 0xcbf29ce484222325u;
    memcpy(words, frame, sizeof words);
    words[sizeof words / 8 - 1] &= UINT32_MAX; /* behind it is the sum */
    for (size_t i = 0; i < sizeof words / 8; i++)
        sum = (sum ^ words[i]) * 0x100000001b3u + (sum >> 31);
    return (uint32_t)(sum ^ sum >> 32);
}

uint32_t tt_frame_sum(const char *payload, uint64_t size)
{
    uint64_t a = 0xcbf29ce484222325u, b = a, words[2];
    for (uint64_t i = 0; i < tt_frame_pad(size); i += sizeof words) {
        memcpy(words, payload + i, sizeof words);
        a = (a ^ words[0]) * 0x100000001b3u + (a >> 31);
        b = (b ^ words[1]) * 0x100000001b3u + (b >> 31);
    }
    a ^= b << 1;
    return (uint32_t)(a ^ a >> 32);
}

tutti_status tt_frame_open(tutti_bytes *out, struct tt_mark *mark)
{
    tutti_status status = tt_bytes_reserve(out, sizeof(struct tt_frame));
    if (status)
        return status;
    *mark = (struct tt_mark){out->size, out->count};
    out->size += sizeof(struct tt_frame);
    return TUTTI_OK;
}

void tt_frame_give_up(tutti_bytes *out, struct tt_mark mark)
{
    out->size = mark.size;
    while (out->count > mark.count)
        tutti_block_drop(out->blocks[--out->count]);
}

/* A large payload becomes a block. Where that cannot be, it stays. */
static bool move(tutti_bytes *out, size_t begin)
{
    tutti_block *block;
    size_t size = out->size - begin;
    if (size <= TT_FRAME_MOVE || tutti_block_alloc(&block, size))
        return false;
    if (tt_bytes_hold(out, block)) {
        tutti_block_drop(block);
        return false;
    }
    memcpy(tutti_block_data(block), out->data + begin, size);
    out->size = begin;
    return true;
}

tutti_status tt_frame_close(tutti_bytes *out, struct tt_mark mark,
                            struct tt_frame frame)
{
    size_t begin = mark.size + sizeof frame, size = out->size - begin;
    if (size > TT_FRAME_LIMIT)
        return tt_fail(TUTTI_EMEM,
                       "a message of %zu bytes is too large; the limit is "
                       "%" PRIu64,
                       size, TT_FRAME_LIMIT);
    frame.magic = MAGIC;
    frame.moved = frame.kind != TT_FRAME_SAID && move(out, begin);
    frame.unused = 0;
    frame.size = out->size - begin;
    frame.blocks = (uint32_t)(out->count - mark.count);
    size_t length = tt_frame_length(&frame), have = out->size - mark.size;
    tutti_status status = tt_bytes_reserve(out, length - have);
    if (status)
        return status;
    memset(out->data + out->size, 0, length - have);
    frame.sum = tt_frame_sum(out->data + begin, frame.size);
    frame.check = check_of(&frame);
    memcpy(out->data + mark.size, &frame, sizeof frame);
    out->size = mark.size + length;
    return TUTTI_OK;
}

tutti_status tt_frame_put(tutti_bytes *out, struct tt_frame frame,
                          const void *data, size_t size)
{
    struct tt_mark mark = {out->size, out->count};
    tutti_status status = tt_frame_open(out, &mark);
    if (!status)
        status = tutti_bytes_append(out, data, size);
    if (!status)
        status = tt_frame_close(out, mark, frame);
    if (status)
        tt_frame_give_up(out, mark);
    return status;
}

tutti_status tt_frame_copy(tutti_bytes *out, const tutti_bytes *frames)
{
    struct tt_mark mark = {out->size, out->count};
    tutti_status status = tutti_bytes_append(out, frames->data, frames->size);
    for (size_t i = 0; !status && i < frames->count; i++) {
        status = tt_bytes_hold(out, frames->blocks[i]);
        if (!status)
            tutti_block_keep(frames->blocks[i]);
    }
    if (status)
        tt_frame_give_up(out, mark);
    return status;
}

static size_t sum_blocks(tutti_block *const *blocks, size_t from, size_t count)
{
    size_t sum = 0;
    for (size_t i = from; i < count; i++)
        sum += tutti_block_size(blocks[i]);
    return sum;
}

size_t tt_frame_bytes(const tutti_bytes *out, struct tt_mark mark)
{
    return out->size - mark.size +
           sum_blocks(out->blocks, mark.count, out->count);
}

size_t tt_parcel_bytes(const tutti_parcel *parcel)
{
    return parcel->size + sum_blocks(parcel->blocks, 0, parcel->count);
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
    if (frame->moved > 1 || (frame->moved && (!frame->blocks || frame->size)))
        return tt_fail(TUTTI_ESYS, "a message's header contradicts itself");
    return TUTTI_OK;
}
