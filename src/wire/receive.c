/* A channel's frames on their way out of the ring: copied before they are
 * checked, checked before they are used. */
#include <string.h>

#include "core/futex.h"
#include "core/status.h"
#include "wire/bytes.h"
#include "wire/link.h"

/* Bytes of a frame with its blocks, or 0: more is needed to know. */
static tutti_status measure(const struct tt_frame *head, const char *at,
                            size_t have, uint64_t *total)
{
    uint64_t length = tt_frame_length(head);
    struct tt_ref ref;
    *total = 0;
    if (have < length)
        return TUTTI_OK;
    const char *refs = at + length - head->blocks * sizeof ref;
    for (uint32_t i = 0; i < head->blocks; i++, refs += sizeof ref) {
        memcpy(&ref, refs, sizeof ref);
        if (ref.size > TT_FRAME_LIMIT || length > TT_FRAME_LIMIT << 20)
            return tt_fail(TUTTI_ESYS, "a message claims too much");
        length += ref.serial ? 0 : tt_frame_pad(ref.size);
    }
    *total = length;
    return TUTTI_OK;
}

static tutti_status take_blocks(struct tt_channel *channel,
                                const struct tt_frame *head, const char *at)
{
    struct tt_link *link = channel->link;
    struct tt_ref ref;
    const char *bytes = at + tt_frame_length(head);
    const char *refs = bytes - head->blocks * sizeof ref;
    tutti_status status = TUTTI_OK;
    for (uint32_t i = 0; !status && i < head->blocks; i++) {
        tutti_block *block;
        memcpy(&ref, refs + i * sizeof ref, sizeof ref);
        status = tt_debts_take(&link->debts, channel->fd, &ref, bytes, &block);
        if (status)
            break;
        status = tt_bytes_hold(&link->parcel, block);
        if (status)
            tutti_block_drop(block);
        bytes += ref.serial ? 0 : tt_frame_pad(ref.size);
    }
    return status;
}

/* Hands out the frame at the front of the buffer, if it is whole. */
static tutti_status hand_out(struct tt_channel *channel, bool *there,
                             struct tt_frame *frame, tutti_parcel *parcel)
{
    struct tt_link *link = channel->link;
    const char *at = link->buffer.data + link->taken;
    size_t have = link->buffer.size - link->taken;
    struct tt_frame head;
    uint64_t total;
    if (have < sizeof head)
        return TUTTI_OK;
    memcpy(&head, at, sizeof head);
    tutti_status status = tt_frame_check(&head);
    if (!status)
        status = measure(&head, at, have, &total);
    if (status || !total || have < total)
        return status;
    if (tt_frame_sum(at + sizeof head, head.size) != head.sum)
        return tt_fail(TUTTI_ESYS, "a message's payload is damaged");
    status = take_blocks(channel, &head, at);
    if (status)
        return status;
    *parcel = (tutti_parcel){at + sizeof head, (size_t)head.size,
                             link->parcel.blocks, link->parcel.count};
    if (head.moved) {
        tutti_block *last = parcel->blocks[--parcel->count];
        parcel->data = tutti_block_data(last);
        parcel->size = tutti_block_size(last);
        head.size = parcel->size;
    }
    *frame = head;
    *there = true;
    link->taken += total;
    return TUTTI_OK;
}

static void drop_parcel(struct tt_link *link)
{
    while (link->parcel.count)
        tutti_block_drop(link->parcel.blocks[--link->parcel.count]);
}

/* There is room for the other end. */
static void made_room(struct tt_link *link)
{
    _Atomic uint32_t *full = &link->in.ring->full;
    tt_ring_tell_tail(&link->in);
    if (!atomic_load(full) || !atomic_exchange(full, 0))
        return;
    if (link->worker)
        tt_link_wake(link);
    else
        tt_futex_wake_shared(full, 1);
}

/* Copies out of the ring what is there. */
static tutti_status read_ring(struct tt_link *link)
{
    size_t size = tt_ring_filled(&link->in);
    if (size == SIZE_MAX)
        return tt_fail(TUTTI_ESYS, "the channel's ring is damaged");
    if (!size)
        return TUTTI_OK;
    tt_bytes_shift(&link->buffer, link->taken);
    link->taken = 0;
    if (!link->buffer.size)
        tt_link_empty(&link->buffer, &link->taken);
    tutti_status status = tt_bytes_reserve(&link->buffer, size);
    if (status)
        return status;
    tt_ring_read(&link->in, link->buffer.data + link->buffer.size, size);
    link->buffer.size += size;
    made_room(link);
    return TUTTI_OK;
}

static tutti_status look(struct tt_channel *channel, bool *there,
                         struct tt_frame *frame, tutti_parcel *parcel)
{
    tutti_status status = hand_out(channel, there, frame, parcel);
    if (status || *there)
        return status;
    status = read_ring(channel->link);
    return status ? status : hand_out(channel, there, frame, parcel);
}

tutti_status tt_channel_next(struct tt_channel *channel, bool *there,
                             struct tt_frame *frame, tutti_parcel *parcel)
{
    struct tt_link *link = channel->link;
    *there = false;
    if (!link)
        return TUTTI_OK;
    drop_parcel(link);
    if (link->broken)
        return tt_fail(TUTTI_ESYS, "the channel's ring is damaged");
    tutti_status status = look(channel, there, frame, parcel);
    /* The socket is asked when the first look finds nothing; what was written
     * before the end is there once it is known. */
    if (!status && !*there && tt_link_gone(channel, !link->gave)) {
        status = look(channel, there, frame, parcel);
        channel->ended = !status && !*there;
    }
    link->gave = *there;
    if (status)
        link->broken = true;
    /* An answer says that its question's blocks are free. */
    tt_loans_reap(&link->loans, link->out.ring);
    return status;
}

void tt_channel_done(struct tt_channel *channel)
{
    if (channel->link)
        drop_parcel(channel->link);
}

bool tt_channel_torn(const struct tt_channel *channel)
{
    const struct tt_link *link = channel->link;
    return channel->ended && link && link->taken < link->buffer.size;
}
