/* A channel's frames on their way into the ring. */
#include <sched.h>
#include <string.h>

#include "core/futex.h"
#include "wire/link.h"

#define PAUSES 100
#define YIELDS 100
#define SLEEP_NS 1000000000u /* until the socket is asked for the end */

static void begin_frame(struct tt_channel *channel)
{
    struct tt_link *link = channel->link;
    struct tt_frame head;
    struct tt_ref ref;
    char *at = channel->out.data + channel->sent;
    memcpy(&head, at, sizeof head);
    link->length = (size_t)tt_frame_length(&head);
    link->blocks = head.blocks;
    at += sizeof head + tt_frame_pad(head.size);
    for (size_t i = 0; i < head.blocks; i++, at += sizeof ref) {
        tt_loans_lend(&link->loans, link->out.ring, channel->fd,
                      channel->out.blocks[link->first + i], &ref);
        memcpy(at, &ref, sizeof ref);
    }
}

static void end_frame(struct tt_channel *channel)
{
    struct tt_link *link = channel->link;
    tutti_bytes *out = &channel->out;
    for (size_t i = 0; i < link->blocks; i++) {
        tutti_block_drop(out->blocks[link->first + i]);
        out->blocks[link->first + i] = NULL;
    }
    link->first += link->blocks;
    channel->sent += link->length;
    link->length = link->done = link->blocks = link->block = 0;
    if (!tt_channel_full(channel)) {
        out->count = link->first = 0;
        tt_link_empty(out, &channel->sent);
    }
}

/* Writes what there is room for of `size` bytes, of which *done are written.
 * True: all are. */
static bool write_part(struct tt_link *link, const char *data, uint64_t size,
                       uint64_t *done)
{
    size_t room = tt_ring_room(&link->out);
    uint64_t left = size - *done;
    if (room == SIZE_MAX) {
        link->broken = true;
        return false;
    }
    if (room > left)
        room = (size_t)left;
    tt_ring_write(&link->out, data + *done, room);
    *done += room;
    return *done == size;
}

/* The bytes of blocks that could not be lent follow the frame. */
static bool write_blocks(struct tt_channel *channel)
{
    static const char zeros[16];
    struct tt_link *link = channel->link;
    char *refs = channel->out.data + channel->sent + link->length -
                 link->blocks * sizeof(struct tt_ref);
    for (; link->block < link->blocks; link->block++, link->block_done = 0) {
        struct tt_ref ref;
        tutti_block *block = channel->out.blocks[link->first + link->block];
        memcpy(&ref, refs + link->block * sizeof ref, sizeof ref);
        if (ref.serial)
            continue;
        uint64_t size = ref.size, pad = tt_frame_pad(size);
        if (link->block_done < size &&
            !write_part(link, tutti_block_data(block), size, &link->block_done))
            return false;
        uint64_t padded = link->block_done - size;
        bool all = write_part(link, zeros, pad - size, &padded);
        link->block_done = size + padded;
        if (!all)
            return false;
    }
    return true;
}

/* Writes what there is room for. True: all. */
static bool write_frames(struct tt_channel *channel)
{
    struct tt_link *link = channel->link;
    while (tt_channel_full(channel)) {
        if (!link->length)
            begin_frame(channel);
        uint64_t done = link->done;
        bool all = write_part(link, channel->out.data + channel->sent,
                              link->length, &done);
        link->done = (size_t)done;
        if (!all || !write_blocks(channel))
            return false;
        end_frame(channel);
    }
    return true;
}

/* A worker waits until the place has taken something. False: it never will. */
static bool wait_room(struct tt_channel *channel)
{
    struct tt_link *link = channel->link;
    _Atomic uint32_t *full = &link->out.ring->full;
    for (int i = 0; i < PAUSES + YIELDS; i++) {
        if (tt_ring_room(&link->out))
            return true;
        if (i < PAUSES)
            tt_pause();
        else
            sched_yield();
    }
    atomic_store(full, 1);
    if (!tt_ring_room(&link->out) &&
        !atomic_load(&link->map->pair->closed[0])) {
        tt_futex_wait_shared(full, 1, SLEEP_NS);
        if (!tt_ring_room(&link->out) && tt_link_gone(channel, true))
            return false;
    }
    return !atomic_load(&link->map->pair->closed[0]);
}

static void drop_out(struct tt_channel *channel)
{
    struct tt_link *link = channel->link;
    tutti_bytes_clear(&channel->out);
    channel->sent = 0;
    link->length = link->done = link->first = link->blocks = link->block = 0;
    link->block_done = 0;
}

static void send_out(struct tt_channel *channel, bool wait, bool wake)
{
    struct tt_link *link = channel->link;
    if (!link) {
        tutti_bytes_clear(&channel->out);
        return;
    }
    while (tt_channel_full(channel) && !link->gone && !link->broken) {
        uint64_t before = link->out.at;
        bool all = write_frames(channel);
        if (link->out.at != before) {
            tt_ring_tell_head(&link->out);
            if (wake || !all)
                tt_link_wake(link);
        }
        if (all || link->broken)
            break;
        if (!wait) {
            atomic_store(&link->out.ring->full, 1);
            if (!tt_ring_room(&link->out))
                return;
        } else if (!wait_room(channel)) {
            link->gone = true;
        }
    }
    if (link->gone || link->broken)
        drop_out(channel);
}

void tt_channel_send(struct tt_channel *channel, bool wait)
{
    send_out(channel, wait, true);
}

void tt_channel_lay(struct tt_channel *channel)
{
    send_out(channel, true, false);
}
