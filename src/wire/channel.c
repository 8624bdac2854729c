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
#include "core/cpu.h"
#include "core/futex.h"
#include "core/status.h"
#include "core/thread.h"
#include "wire/link.h"

#define SPIN_NS 100000u /* a wait that is likely shorter is spent spinning */
#define PAUSES 100
#define YIELDS 100
#define CROWDED_MOST 32      /* then a move, of some 60 us, pays */
#define REST_NS 1000000000u  /* an idle worker gives back its memory */
#define LONG_NS 10000000000u /* and then looks for more of it */
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
    tt_debts_init(&link->debts, map, in, fd);
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

static void say_closed(struct tt_link *link)
{
    struct tt_ring_pair *pair = link->map->pair;
    atomic_store(&pair->closed[link->worker], 1);
    if (link->worker)
        return; /* the socket rings */
    atomic_store(&pair->parked, 0);
    tt_futex_wake_shared(&pair->parked, 1);
    atomic_store(&pair->rings[TT_TO_PLACE].full, 0);
    tt_futex_wake_shared(&pair->rings[TT_TO_PLACE].full, 1);
}

void tt_channel_fini(struct tt_channel *channel)
{
    struct tt_link *link = channel->link;
    if (channel->fd >= 0) {
        shutdown(channel->fd, SHUT_RDWR); /* forked children may hold copies */
        close(channel->fd);
    }
    tutti_bytes_clear(&channel->out);
    if (link) {
        say_closed(link);
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
    *channel = (struct tt_channel){.fd = -1, .ended = true};
}

bool tt_link_gone(struct tt_channel *channel, bool ask)
{
    struct pollfd end = {.fd = channel->fd, .events = POLLRDHUP};
    struct tt_link *link = channel->link;
    if (!link->gone)
        link->gone = atomic_load(&link->map->pair->closed[!link->worker]) ||
                     (ask && poll(&end, 1, 0) > 0);
    return link->gone;
}

void tt_link_wake(struct tt_link *link)
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

/* Whether the last look left something that may be a frame. */
static bool has_more(const struct tt_link *link)
{
    return link->gave && link->taken < link->buffer.size;
}

bool tt_channel_ready(const struct tt_channel *channel)
{
    const struct tt_link *link = channel->link;
    return link &&
           (tt_ring_filled(&link->in) || has_more(link) || link->broken ||
            (tt_channel_full(channel) && tt_ring_room(&link->out)));
}

/* Says where this end runs. */
static void note_cpu(struct tt_link *link)
{
    _Atomic uint32_t *cpu = &link->map->pair->cpu[link->worker];
    uint32_t now = (uint32_t)sched_getcpu();
    if (atomic_load_explicit(cpu, memory_order_relaxed) != now)
        atomic_store_explicit(cpu, now, memory_order_relaxed);
}

bool tt_channel_crowded(const struct tt_channel *channel)
{
    if (!channel->link)
        return false;
    _Atomic uint32_t *cpu = channel->link->map->pair->cpu;
    return atomic_load_explicit(&cpu[0], memory_order_relaxed) ==
           atomic_load_explicit(&cpu[1], memory_order_relaxed);
}

void tt_channel_watch(struct tt_channel *channel, unsigned bell)
{
    struct tt_link *link = channel->link;
    if (!link)
        return;
    if (bell == 0)
        note_cpu(link);
    if (atomic_load(&link->map->pair->bell) != bell)
        atomic_store(&link->map->pair->bell, bell);
}

/* Whether a worker need not wait any more. */
static bool stirs(const struct tt_channel *channel)
{
    const struct tt_link *link = channel->link;
    return tt_ring_filled(&link->in) || link->broken ||
           atomic_load(&link->map->pair->closed[0]);
}

/* Where both ends take turns on one CPU a trip is three times as long as
 * between two, and Linux may leave them there as long as they do not sleep.
 * A CPU that others use would be worse: each trip may wait for a time slice. */
static bool is_crowded(struct tt_channel *channel)
{
    struct tt_link *link = channel->link;
    note_cpu(link);
    bool crowded = tt_channel_crowded(channel);
    link->crowded = crowded ? link->crowded + 1 : 0;
    if (link->crowded < CROWDED_MOST)
        return crowded;
    link->crowded = 0;
    if (!tt_cpu_spare("", 0))
        return true;
    tt_thread_leave((int)atomic_load(&link->map->pair->cpu[0]));
    note_cpu(link);
    return false;
}

static bool spin(struct tt_channel *channel, uint64_t until)
{
    for (int i = is_crowded(channel) ? PAUSES : 0; i < PAUSES; i++) {
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

void tt_channel_look(struct tt_channel *channel)
{
    struct tt_link *link = channel->link;
    if (!link)
        return;
    if (atomic_load(&link->out.ring->head) != link->out.at ||
        atomic_load(&link->in.ring->tail) != link->in.at)
        link->broken = true;
}

void tt_channel_nudge(struct tt_channel *channel)
{
    struct tt_link *link = channel->link;
    if (!link)
        return;
    tt_channel_look(channel);
    atomic_store(&link->map->pair->parked, 0);
    tt_futex_wake_shared(&link->map->pair->parked, 1);
}

static void park(struct tt_channel *channel)
{
    struct tt_link *link = channel->link;
    _Atomic uint32_t *parked = &link->map->pair->parked;
    atomic_store(parked, 1);
    if (!stirs(channel))
        tt_futex_wait_shared(parked, 1, link->rested ? LONG_NS : REST_NS);
    bool slept = atomic_exchange(parked, 0) == 1;
    if (slept && !stirs(channel)) {
        tt_loans_reap(&link->loans, link->out.ring);
        tt_arena_trim(REST_KEEP);
        link->rested = true;
    }
}

void tt_channel_wait(struct tt_channel *channel)
{
    struct tt_link *link = channel->link;
    if (has_more(link) || stirs(channel))
        return;
    uint64_t from = tt_clock();
    if (link->average > SPIN_NS || !spin(channel, from + SPIN_NS)) {
        park(channel);
        link->crowded = 0;
    }
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

void tt_channel_prepare(struct tt_channel *channel, uint64_t job)
{
    atomic_store_explicit(&channel->link->map->pair->prepared, job,
                          memory_order_release);
}

uint64_t tt_channel_prepared(const struct tt_channel *channel)
{
    return channel->link
               ? atomic_load_explicit(&channel->link->map->pair->prepared,
                                      memory_order_acquire)
               : 0;
}
