/* What both ends of a channel map: a ring of bytes each way, with one writer
 * and one reader, and words to wait on. Each end trusts only its own position
 * and checks the other's. */
#ifndef TT_WIRE_RING_H
#define TT_WIRE_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tutti/status.h>

#define TT_RING_SIZE (128u << 10)
#define TT_TICKETS 1024u /* blocks that are lent at a time, each way */

struct tt_ring {
    _Alignas(64) _Atomic uint64_t head; /* bytes written; the writer's */
    _Alignas(64) _Atomic uint64_t tail; /* bytes taken; the reader's */
    _Alignas(64) _Atomic uint32_t full; /* 1: the writer waits for room */
    _Atomic uint32_t narrow; /* 1: the reader wants no more descriptors */
    /* Tickets of blocks that the reader has done with. */
    _Alignas(64) _Atomic uint64_t released[TT_TICKETS / 64];
};

enum { TT_TO_WORKER, TT_TO_PLACE };

struct tt_ring_pair {
    uint32_t magic;
    struct tt_ring rings[2];
    _Alignas(64) _Atomic uint32_t parked; /* 1: the worker sleeps on it */
    _Atomic uint32_t closed[2];           /* 1: in order; by place, worker */
    _Alignas(64) _Atomic uint32_t bell;   /* that the worker is to ring */
    _Atomic uint32_t cpu[2];          /* each was seen on; by place, worker */
    _Alignas(64) _Atomic uint64_t at; /* the task that runs */
    _Atomic uint64_t prepared; /* number of the last job that the worker took */
    _Alignas(4096) char data[2][TT_RING_SIZE];
};

/* A pair as mapped here, counted: blocks that came through it use it too. */
struct tt_map {
    _Atomic uint32_t users;
    struct tt_ring_pair *pair;
};

/* Makes a pair, and the descriptor of it. */
TUTTI_MUST_CHECK tutti_status tt_map_make(struct tt_map **out, int *fd);

/* Maps what another process made; the descriptor stays the caller's. */
TUTTI_MUST_CHECK tutti_status tt_map_take(struct tt_map **out, int fd);

struct tt_map *tt_map_keep(struct tt_map *map);
void tt_map_drop(struct tt_map *map);

/* One end of a ring. */
struct tt_ring_end {
    struct tt_ring *ring;
    char *data;
    uint64_t at; /* own position, as far as the other end was told or not */
};

/* Bytes that can be read, or written; SIZE_MAX: the other end's position is
 * impossible. */
size_t tt_ring_filled(const struct tt_ring_end *end);
size_t tt_ring_room(const struct tt_ring_end *end);

/* Copies; `size` is at most what is there. Then tell the other end. */
void tt_ring_write(struct tt_ring_end *end, const void *data, size_t size);
void tt_ring_read(struct tt_ring_end *end, void *data, size_t size);

static inline void tt_ring_tell_head(struct tt_ring_end *end)
{
    atomic_store(&end->ring->head, end->at);
}

static inline void tt_ring_tell_tail(struct tt_ring_end *end)
{
    atomic_store(&end->ring->tail, end->at);
}

#endif
