#define _GNU_SOURCE /* F_GET_SEALS */
#include "wire/loan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/status.h"

#define MAGIC 0x65746f6eu /* "note" */
#define COPY (64u << 10)  /* up to here a copy costs less than a mapping */
#define SPARE 64          /* descriptors that are left to others */

bool tt_note_send(int socket, const struct tt_note *note, const int *fds,
                  unsigned count)
{
    struct tt_note copy = *note;
    union tt_rights rights;
    struct iovec part = {&copy, sizeof copy};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    tt_rights_put(&message, &rights, fds, count);
    copy.magic = MAGIC;
    ssize_t n;
    do
        n = sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    return n == sizeof copy;
}

tutti_status tt_note_receive(int socket, struct tt_note *note, int *fds,
                             unsigned count, bool wait)
{
    union tt_rights rights;
    struct iovec part = {note, sizeof *note};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = rights.room,
                             .msg_controllen = sizeof rights.room};
    ssize_t n;
    /* ECONNRESET is said once, when the other end died with messages unread;
     * what it had sent comes after it. */
    do
        n = recvmsg(socket, &message,
                    MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
    while (n < 0 && (errno == EINTR || errno == ECONNRESET));
    if (n <= 0)
        return tt_fail(TUTTI_ESYS, "the channel ended before its descriptors");
    unsigned got = tt_rights_take(&message, fds, count);
    if (got == count && n == sizeof *note && note->magic == MAGIC)
        return TUTTI_OK;
    while (got)
        close(fds[--got]);
    if (message.msg_flags & MSG_CTRUNC)
        return tt_fail(TUTTI_ESYS, "no descriptor is left for what another "
                                   "process sent; raise the limit (ulimit -n)");
    return tt_fail(TUTTI_ESYS, "something else wrote to the channel's socket");
}

static bool set_up(struct tt_loans *loans)
{
    if (loans->blocks)
        return true;
    loans->blocks = calloc(TT_TICKETS, sizeof *loans->blocks);
    loans->tickets = malloc(TT_TICKETS * sizeof *loans->tickets);
    if (!loans->blocks || !loans->tickets) {
        free(loans->blocks);
        free(loans->tickets);
        loans->blocks = NULL;
        loans->tickets = NULL;
        return false;
    }
    for (uint32_t i = 0; i < TT_TICKETS; i++)
        loans->tickets[i] = (uint16_t)(TT_TICKETS - 1 - i);
    loans->spare = TT_TICKETS;
    return true;
}

/* The slot of a segment that the other end has or gets; TT_SLOTS: it cannot
 * get it. */
static uint32_t slot_of(struct tt_loans *loans, struct tt_ring *ring,
                        int socket, const struct tt_lendable *segment)
{
    uint32_t oldest = 0;
    for (uint32_t i = 0; i < TT_SLOTS; i++) {
        if (loans->slots[i].segment == segment->id)
            return i;
        if (loans->slots[i].used < loans->slots[oldest].used)
            oldest = i;
    }
    struct tt_note note = {
        .slot = oldest, .serial = loans->serial + 1, .size = segment->size};
    if (atomic_load(&ring->narrow) ||
        !tt_note_send(socket, &note, &segment->fd, 1))
        return TT_SLOTS;
    loans->slots[oldest].segment = segment->id;
    loans->slots[oldest].serial = ++loans->serial;
    return oldest;
}

void tt_loans_lend(struct tt_loans *loans, struct tt_ring *ring, int socket,
                   tutti_block *block, struct tt_ref *ref)
{
    struct tt_lendable segment;
    uint64_t offset;
    *ref = (struct tt_ref){.size = tutti_block_size(block)};
    if (!tt_block_lendable(block, &segment, &offset) || !set_up(loans))
        return;
    tt_loans_reap(loans, ring);
    if (!loans->spare)
        return;
    uint32_t slot = slot_of(loans, ring, socket, &segment);
    if (slot == TT_SLOTS)
        return;
    loans->slots[slot].used = ++loans->uses;
    ref->offset = offset;
    ref->serial = loans->slots[slot].serial;
    ref->slot = slot;
    ref->ticket = loans->tickets[--loans->spare];
    loans->blocks[ref->ticket] = tutti_block_keep(block);
}

void tt_loans_reap(struct tt_loans *loans, struct tt_ring *ring)
{
    for (uint32_t i = 0; loans->blocks && i < TT_TICKETS / 64; i++) {
        if (!atomic_load_explicit(&ring->released[i], memory_order_relaxed))
            continue;
        uint64_t bits = atomic_exchange(&ring->released[i], 0);
        for (; bits; bits &= bits - 1) {
            uint32_t ticket = 64 * i + (uint32_t)__builtin_ctzll(bits);
            if (!loans->blocks[ticket])
                continue; /* nonsense */
            tutti_block_drop(loans->blocks[ticket]);
            loans->blocks[ticket] = NULL;
            loans->tickets[loans->spare++] = (uint16_t)ticket;
        }
    }
}

void tt_loans_fini(struct tt_loans *loans, struct tt_ring *ring)
{
    tt_loans_reap(loans, ring);
    for (uint32_t i = 0; loans->blocks && i < TT_TICKETS; i++)
        if (loans->blocks[i])
            tt_block_forsake(loans->blocks[i]);
    free(loans->blocks);
    free(loans->tickets);
    *loans = (struct tt_loans){0};
}

/* Whether others would soon lack descriptors, this being the lowest free. */
static bool near_limit(int fd)
{
    struct rlimit limit;
    return fd < 0 || (getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
                      (rlim_t)fd + SPARE > limit.rlim_cur);
}

static void note_limit(struct tt_debts *debts, int fd)
{
    if (near_limit(fd))
        atomic_store(&debts->map->pair->rings[debts->way].narrow, 1);
}

void tt_debts_init(struct tt_debts *debts, struct tt_map *map, unsigned way,
                   int fd)
{
    *debts = (struct tt_debts){.map = map, .way = way};
    for (uint32_t i = 0; i < TT_SLOTS; i++)
        debts->slots[i].fd = -1;
    note_limit(debts, fd);
}

void tt_debts_fini(struct tt_debts *debts)
{
    for (uint32_t i = 0; i < TT_SLOTS; i++)
        if (debts->slots[i].fd >= 0)
            close(debts->slots[i].fd);
}

/* The lender copies while descriptors are short. */
static void probe(struct tt_ring *ring, int socket)
{
    int fd = fcntl(socket, F_DUPFD_CLOEXEC, 0);
    if (!near_limit(fd))
        atomic_store(&ring->narrow, 0);
    if (fd >= 0)
        close(fd);
}

/* Whether the file has `size` bytes and keeps them. */
static bool is_segment(int fd, uint64_t size)
{
    struct stat stat;
    int seals = fcntl(fd, F_GET_SEALS);
    return seals >= 0 && (seals & F_SEAL_SHRINK) && fstat(fd, &stat) == 0 &&
           (uint64_t)stat.st_size == size;
}

/* Receives descriptors up to the one with this serial number. */
static tutti_status receive(struct tt_debts *debts, int socket, uint64_t serial)
{
    while (debts->serial < serial) {
        struct tt_note note;
        int fd;
        tutti_status status = tt_note_receive(socket, &note, &fd, 1, false);
        if (status)
            return status;
        if (note.slot >= TT_SLOTS || note.serial != debts->serial + 1 ||
            !is_segment(fd, note.size)) {
            close(fd);
            return tt_fail(TUTTI_ESYS, "a descriptor came that is no segment");
        }
        if (debts->slots[note.slot].fd >= 0)
            close(debts->slots[note.slot].fd);
        debts->slots[note.slot].fd = fd;
        debts->slots[note.slot].size = note.size;
        debts->slots[note.slot].serial = debts->serial = note.serial;
        note_limit(debts, fd);
    }
    return TUTTI_OK;
}

static void hand_back(struct tt_map *map, unsigned way, uint32_t ticket)
{
    atomic_fetch_or(&map->pair->rings[way].released[ticket / 64],
                    (uint64_t)1 << ticket % 64);
}

/* Of a mapped block, in any thread. `number`: way and ticket. */
static void gone(void *arg, uint32_t number, bool mine)
{
    struct tt_map *map = arg;
    if (mine)
        hand_back(map, number / TT_TICKETS, number % TT_TICKETS);
    tt_map_drop(map);
}

static tutti_status read_at(int fd, char *data, uint64_t size, uint64_t offset)
{
    while (size) {
        ssize_t n = pread(fd, data, size, (off_t)offset);
        if (n == 0 || (n < 0 && errno != EINTR))
            return tt_fail(TUTTI_ESYS, "a block cannot be read: %s",
                           n < 0 ? strerror(errno) : "it is cut off");
        if (n < 0)
            continue;
        data += n;
        size -= (uint64_t)n;
        offset += (uint64_t)n;
    }
    return TUTTI_OK;
}

static tutti_status copy(struct tt_debts *debts, int fd,
                         const struct tt_ref *ref, tutti_block **out)
{
    tutti_block *block;
    tutti_status status = tt_block_heap(&block, ref->size);
    if (status)
        return status;
    status = read_at(fd, tutti_block_data(block), ref->size, ref->offset);
    hand_back(debts->map, debts->way, ref->ticket);
    if (status)
        tutti_block_drop(block);
    else
        *out = block;
    return status;
}

tutti_status tt_debts_take(struct tt_debts *debts, int socket,
                           const struct tt_ref *ref, const void *bytes,
                           tutti_block **out)
{
    struct tt_ring *ring = &debts->map->pair->rings[debts->way];
    tutti_status status;
    if (!ref->serial) {
        if (atomic_load_explicit(&ring->narrow, memory_order_relaxed))
            probe(ring, socket);
        status = tt_block_heap(out, ref->size);
        if (!status && ref->size)
            memcpy(tutti_block_data(*out), bytes, ref->size);
        return status;
    }
    status = receive(debts, socket, ref->serial);
    if (status)
        return status;
    if (ref->slot >= TT_SLOTS ||
        debts->slots[ref->slot].serial != ref->serial ||
        ref->ticket >= TT_TICKETS ||
        ref->offset > debts->slots[ref->slot].size ||
        ref->size > debts->slots[ref->slot].size - ref->offset)
        return tt_fail(TUTTI_ESYS, "a message names a block that is not there");
    int fd = debts->slots[ref->slot].fd;
    if (ref->size > COPY) {
        *out = tt_block_foreign(fd, ref->offset, ref->size, gone,
                                tt_map_keep(debts->map),
                                debts->way * TT_TICKETS + ref->ticket);
        if (*out)
            return TUTTI_OK;
        tt_map_drop(debts->map);
    }
    return copy(debts, fd, ref, out);
}
