#define _GNU_SOURCE /* POLLRDHUP */
#include "wire/channel.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/futex.h"
#include "core/status.h"
#include "wire/bytes.h"
#include "wire/link.h"

#define KEEP (1u << 20) /* an empty buffer that is larger is given back */
#define SPIN_NS 50000u  /* a wait that is likely shorter is spent spinning */
#define PAUSES 100
#define YIELDS 100
#define REST_NS 1000000000u  /* an idle worker gives back its memory */
#define LONG_NS 60000000000u /* a sleep's end */
#define REST_KEEP (8u << 20)

static tutti_status start(struct tt_channel *channel, int fd,
                          struct tt_map *map, bool worker)
{
    struct tt_link *link = calloc(1, sizeof *link);
    if (!link)
        return tt_fail_memory("a channel");
    unsigned in = worker ? TT_TO_WORKER : TT_TO_PLACE, out = 1 - in;
    link->map = map;
    link->worker = worker;
    link->bells[0] = link->bells[1] = -1;
    link->in =
        (struct tt_ring_end){&map->pair->rings[in], map->pair->data[in], 0};
    link->out =
        (struct tt_ring_end){&map->pair->rings[out], map->pair->data[out], 0};
    tt_debts_init(&link->debts, map, in);
    *channel = (struct tt_channel){.fd = fd, .link = link};
    return TUTTI_OK;
}

tutti_status tt_channel_make(struct tt_channel *channel, const int bells[2],
                             int *theirs)
{
    int fds[2], file;
    struct tt_map *map;
    tutti_status status = tt_map_make(&map, &file);
    if (status)
        return status;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0) {
        status =
            tt_fail(TUTTI_ESYS, "no socket for a channel: %s", strerror(errno));
        goto drop_map;
    }
    struct tt_note note = {.size = sizeof(struct tt_ring_pair)};
    int sent[TT_NOTE_FDS] = {file, bells[0], bells[1]};
    if (!tt_note_send(fds[0], &note, sent, TT_NOTE_FDS)) {
        status = tt_fail(TUTTI_ESYS, "descriptors cannot be sent: %s",
                         strerror(errno));
        goto close_sockets;
    }
    status = start(channel, fds[0], map, false);
    if (status)
        goto close_sockets;
    close(file);
    *theirs = fds[1];
    return TUTTI_OK;
close_sockets:
    close(fds[0]);
    close(fds[1]);
drop_map:
    tt_map_drop(map);
    close(file);
    return status;
}

tutti_status tt_channel_take(struct tt_channel *channel, int fd)
{
    struct tt_note note;
    int got[TT_NOTE_FDS];
    struct tt_map *map;
    tutti_status status = tt_note_receive(fd, &note, got, TT_NOTE_FDS, true);
    if (status)
        goto close_fd;
    status = tt_map_take(&map, got[0]);
    if (status)
        goto close_got;
    status = start(channel, fd, map, true);
    if (status)
        goto drop_map;
    close(got[0]);
    channel->link->bells[0] = got[1];
    channel->link->bells[1] = got[2];
    return TUTTI_OK;
drop_map:
    tt_map_drop(map);
close_got:
    for (int i = 0; i < TT_NOTE_FDS; i++)
        close(got[i]);
close_fd:
    close(fd);
    *channel = (struct tt_channel){.fd = -1, .ended = true};
    return status;
}

static void say_closed(struct tt_ring_pair *pair)
{
    atomic_store(&pair->closed, 1);
    atomic_store(&pair->parked, 0);
    tt_futex_wake_shared(&pair->parked, 1);
    atomic_store(&pair->rings[TT_TO_PLACE].full, 0);
    tt_futex_wake_shared(&pair->rings[TT_TO_PLACE].full, 1);
}

void tt_channel_fini(struct tt_channel *channel)
{
    struct tt_link *link = channel->link;
    tutti_bytes_clear(&channel->out);
    if (link) {
        if (!link->worker)
            say_closed(link->map->pair);
        tutti_bytes_clear(&link->parcel);
        tutti_bytes_clear(&link->buffer);
        tt_loans_fini(&link->loans, link->out.ring);
        tt_debts_fini(&link->debts);
        for (int i = 0; i < 2; i++)
            if (link->bells[i] >= 0)
                close(link->bells[i]);
        tt_map_drop(link->map);
        free(link);
    }
    if (channel->fd >= 0) {
        shutdown(channel->fd, SHUT_RDWR); /* forked children may hold copies */
        close(channel->fd);
    }
    *channel = (struct tt_channel){.fd = -1, .ended = true};
}

/* Whether the other end is gone. */
static bool is_gone(struct tt_channel *channel)
{
    struct pollfd end = {.fd = channel->fd, .events = POLLRDHUP};
    struct tt_link *link = channel->link;
    if (!link->gone && poll(&end, 1, 0) > 0)
        link->gone = true;
    return link->gone;
}

static void empty(tutti_bytes *bytes, size_t *used)
{
    bytes->size = *used = 0;
    if (bytes->room > KEEP)
        tutti_bytes_clear(bytes);
}

/* Something is there for the other end. */
static void wake(struct tt_link *link)
{
    struct tt_ring_pair *pair = link->map->pair;
    if (!link->worker) {
        if (atomic_load(&pair->parked) && atomic_exchange(&pair->parked, 0))
            tt_futex_wake_shared(&pair->parked, 1);
        return;
    }
    uint64_t one = 1;
    uint32_t bell = atomic_load(&pair->bell);
    if (bell == 1 || bell == 2) {
        ssize_t n = write(link->bells[bell - 1], &one, sizeof one);
        (void)n; /* the counter is not 0, so the place wakes */
    }
}

/* There is room for the other end. */
static void made_room(struct tt_link *link)
{
    _Atomic uint32_t *full = &link->in.ring->full;
    tt_ring_tell_tail(&link->in);
    if (!atomic_load(full) || !atomic_exchange(full, 0))
        return;
    if (link->worker)
        wake(link);
    else
        tt_futex_wake_shared(full, 1);
}

/* Sending */

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
        empty(out, &channel->sent);
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
    if (!tt_ring_room(&link->out) && !atomic_load(&link->map->pair->closed)) {
        tt_futex_wait_shared(full, 1, REST_NS);
        if (!tt_ring_room(&link->out) && is_gone(channel))
            return false;
    }
    return !atomic_load(&link->map->pair->closed);
}

static void drop_out(struct tt_channel *channel)
{
    struct tt_link *link = channel->link;
    tutti_bytes_clear(&channel->out);
    channel->sent = 0;
    link->length = link->done = link->first = link->blocks = link->block = 0;
    link->block_done = 0;
}

void tt_channel_send(struct tt_channel *channel, bool wait)
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
            wake(link);
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

/* Receiving */

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

/* Copies out of the ring what is there. */
static tutti_status read_ring(struct tt_link *link)
{
    size_t size = tt_ring_filled(&link->in);
    if (size == SIZE_MAX) {
        link->broken = true;
        return tt_fail(TUTTI_ESYS, "the channel's ring is damaged");
    }
    if (!size)
        return TUTTI_OK;
    tt_bytes_shift(&link->buffer, link->taken);
    link->taken = 0;
    if (!link->buffer.size)
        empty(&link->buffer, &link->taken);
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
    tt_loans_reap(&link->loans, link->out.ring);
    tutti_status status = look(channel, there, frame, parcel);
    /* The socket is asked when the first look finds nothing; what was written
     * before the end is there once it is known. */
    if (!status && !*there && !link->gave && is_gone(channel)) {
        status = look(channel, there, frame, parcel);
        channel->ended = !status && !*there;
    }
    link->gave = *there;
    return status;
}

bool tt_channel_torn(const struct tt_channel *channel)
{
    const struct tt_link *link = channel->link;
    return channel->ended && link && link->taken < link->buffer.size;
}

bool tt_channel_ready(const struct tt_channel *channel)
{
    const struct tt_link *link = channel->link;
    return link && (link->gave || tt_ring_filled(&link->in) ||
                    (tt_channel_full(channel) && tt_ring_room(&link->out)));
}

void tt_channel_watch(struct tt_channel *channel, unsigned bell)
{
    if (channel->link)
        atomic_store(&channel->link->map->pair->bell, bell);
}

/* Whether a worker need not wait any more. */
static bool stirs(const struct tt_channel *channel)
{
    const struct tt_link *link = channel->link;
    return tt_ring_filled(&link->in) ||
           atomic_load_explicit(&link->map->pair->closed, memory_order_relaxed);
}

static bool spin(const struct tt_channel *channel, uint64_t until)
{
    for (int i = 0; i < PAUSES; i++) {
        if (stirs(channel))
            return true;
        tt_pause();
    }
    for (int i = 0; i < YIELDS && tt_clock() < until; i++) {
        if (stirs(channel))
            return true;
        sched_yield();
    }
    return stirs(channel);
}

static void park(struct tt_channel *channel)
{
    struct tt_link *link = channel->link;
    _Atomic uint32_t *parked = &link->map->pair->parked;
    atomic_store(parked, 1);
    if (!stirs(channel))
        tt_futex_wait_shared(parked, 1, link->rested ? LONG_NS : REST_NS);
    bool slept = atomic_exchange(parked, 0) == 1;
    if (slept && !stirs(channel) && !link->rested) {
        tt_loans_reap(&link->loans, link->out.ring);
        tt_arena_trim(REST_KEEP);
        link->rested = true;
    }
}

void tt_channel_wait(struct tt_channel *channel)
{
    struct tt_link *link = channel->link;
    if (link->gave || stirs(channel))
        return;
    uint64_t from = tt_clock();
    if (link->average > SPIN_NS || !spin(channel, from + SPIN_NS))
        park(channel);
    uint64_t waited = tt_clock() - from;
    if (waited < REST_NS)
        link->rested = false;
    if (waited > 4 * SPIN_NS)
        waited = 4 * SPIN_NS; /* forgotten after a few short ones */
    link->average += waited / 4 - link->average / 4;
}

_Atomic uint64_t *tt_channel_at_word(struct tt_channel *channel)
{
    return &channel->link->map->pair->at;
}

uint64_t tt_channel_at(const struct tt_channel *channel)
{
    return channel->link ? atomic_load_explicit(&channel->link->map->pair->at,
                                                memory_order_relaxed)
                         : 0;
}
