#define _GNU_SOURCE /* memfd_create */
#include "wire/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/status.h"
#include "wire/arena.h"

#define MAGIC 0x676e6972u /* "ring" */

static tutti_status cannot(void)
{
    return tt_fail(errno == ENOMEM || errno == ENOSPC ? TUTTI_EMEM : TUTTI_ESYS,
                   "no shared memory for a channel: %s", strerror(errno));
}

static tutti_status map_pair(struct tt_map **out, int fd)
{
    struct tt_map *map = malloc(sizeof *map);
    if (!map)
        return tt_fail_memory("a channel");
    void *pair = mmap(NULL, sizeof(struct tt_ring_pair), PROT_READ | PROT_WRITE,
                      MAP_SHARED, fd, 0);
    if (pair == MAP_FAILED) {
        tutti_status status = cannot();
        free(map);
        return status;
    }
    map->users = 1;
    map->pair = pair;
    *out = map;
    return TUTTI_OK;
}

tutti_status tt_map_make(struct tt_map **out, int *fd)
{
    int file = memfd_create("tutti-ring", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (file < 0)
        return cannot();
    tutti_status status = TUTTI_OK;
    /* Pages come as the rings are used: some 8 KiB for small frames. */
    if (!tt_arena_may(sizeof(struct tt_ring_pair)) ||
        ftruncate(file, sizeof(struct tt_ring_pair)) < 0 ||
        fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0)
        status = cannot();
    if (!status)
        status = map_pair(out, file);
    if (status) {
        close(file);
        return status;
    }
    (*out)->pair->magic = MAGIC;
    *fd = file;
    return TUTTI_OK;
}

tutti_status tt_map_take(struct tt_map **out, int fd)
{
    struct stat stat;
    int seals = fcntl(fd, F_GET_SEALS);
    if (fstat(fd, &stat) < 0 || seals < 0 || !(seals & F_SEAL_SHRINK) ||
        stat.st_size != sizeof(struct tt_ring_pair))
        return tt_fail(TUTTI_ESYS, "what came with the channel is no ring");
    struct tt_map *map;
    tutti_status status = map_pair(&map, fd);
    if (status)
        return status;
    if (map->pair->magic != MAGIC) {
        tt_map_drop(map);
        return tt_fail(TUTTI_ESYS, "what came with the channel is no ring");
    }
    *out = map;
    return TUTTI_OK;
}

struct tt_map *tt_map_keep(struct tt_map *map)
{
    atomic_fetch_add_explicit(&map->users, 1, memory_order_relaxed);
    return map;
}

void tt_map_drop(struct tt_map *map)
{
    if (atomic_fetch_sub(&map->users, 1) > 1)
        return;
    munmap(map->pair, sizeof *map->pair);
    free(map);
}

size_t tt_ring_filled(const struct tt_ring_end *end)
{
    uint64_t head = atomic_load(&end->ring->head);
    return head - end->at <= TT_RING_SIZE ? head - end->at : SIZE_MAX;
}

size_t tt_ring_room(const struct tt_ring_end *end)
{
    uint64_t tail = atomic_load(&end->ring->tail);
    uint64_t used = end->at - tail;
    return used <= TT_RING_SIZE ? TT_RING_SIZE - used : SIZE_MAX;
}

void tt_ring_write(struct tt_ring_end *end, const void *data, size_t size)
{
    size_t at = end->at % TT_RING_SIZE, first = TT_RING_SIZE - at;
    if (first > size)
        first = size;
    memcpy(end->data + at, data, first);
    memcpy(end->data, (const char *)data + first, size - first);
    end->at += size;
}

void tt_ring_read(struct tt_ring_end *end, void *data, size_t size)
{
    size_t at = end->at % TT_RING_SIZE, first = TT_RING_SIZE - at;
    if (first > size)
        first = size;
    memcpy(data, end->data + at, first);
    memcpy((char *)data + first, end->data, size - first);
    end->at += size;
}
