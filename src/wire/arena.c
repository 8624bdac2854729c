#define _GNU_SOURCE /* memfd_create, fallocate */
#include "wire/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/status.h"

#define SMALL (256u << 10)  /* pieces up to here share a shelf */
#define SHELF_PAGES 512u    /* 2 MiB */
#define IDLE_MOST 64u       /* segments kept while nobody uses them */
#define DOUBTED (64u << 20) /* bytes that may not be there */
#define ROUND(size) (((size) + TT_PAGE - 1) & ~(size_t)(TT_PAGE - 1))

struct tt_segment {
    struct tt_segment *next;
    uint64_t id;
    int fd; /* -1: of a parent process */
    char *base;
    size_t size;
    bool stale;            /* not used again */
    uint32_t pages, used;  /* of a shelf; of another both are 0 or 1 */
    uint64_t since;        /* a count: when it was used last */
    tutti_block *owners[]; /* of each page; NULL: free */
};

static struct arena {
    pthread_mutex_t guard; /* guards all, and `stale`, `used`, `owners` */
    struct tt_segment *segments;
    size_t idle, idle_count; /* bytes and segments that nobody uses */
    uint64_t ids, uses;
    _Atomic unsigned forks;
} arena = {.guard = PTHREAD_MUTEX_INITIALIZER};

static void destroy(struct tt_segment *s)
{
    munmap(s->base, s->size);
    if (s->fd >= 0)
        close(s->fd);
    free(s);
}

static void destroy_all(struct tt_segment *list)
{
    for (struct tt_segment *next; list; list = next) {
        next = list->next;
        destroy(list);
    }
}

static void unlink_segment(struct tt_segment *s)
{
    struct tt_segment **at = &arena.segments;
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
}

/* Takes the oldest idle segments out until `keep` bytes and `count` segments
 * are left. Those whose descriptors others hold are emptied, too: these would
 * keep the memory. */
static struct tt_segment *take_idle(size_t keep, size_t count)
{
    struct tt_segment *list = NULL;
    while (arena.idle > keep || arena.idle_count > count) {
        struct tt_segment *oldest = NULL;
        for (struct tt_segment *s = arena.segments; s; s = s->next)
            if (!s->used && (!oldest || s->since < oldest->since))
                oldest = s;
        unlink_segment(oldest);
        arena.idle -= oldest->size;
        arena.idle_count--;
        oldest->next = list;
        list = oldest;
    }
    return list;
}

static void empty(struct tt_segment *list)
{
    for (struct tt_segment *s = list; s; s = s->next)
        fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                  (off_t)s->size);
    destroy_all(list);
}

void tt_arena_trim(size_t keep)
{
    pthread_mutex_lock(&arena.guard);
    struct tt_segment *list = take_idle(keep, keep ? IDLE_MOST : 0);
    pthread_mutex_unlock(&arena.guard);
    empty(list);
}

static tutti_status cannot(size_t size)
{
    int error = errno;
    return tt_fail(error == ENOMEM || error == ENOSPC ? TUTTI_EMEM : TUTTI_ESYS,
                   "no shared memory of %zu bytes: %s", size, strerror(error));
}

/* Bytes that the machine has to give, as far as it says: a file's pages are
 * taken one by one, until the kernel kills somebody. */
static size_t available(void)
{
    char line[128];
    unsigned long kib;
    size_t sum = 0;
    FILE *file = fopen("/proc/meminfo", "re");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "MemAvailable: %lu", &kib) == 1 ||
            sscanf(line, "SwapFree: %lu", &kib) == 1)
            sum += (size_t)kib << 10;
    if (file)
        fclose(file);
    return sum ? sum : SIZE_MAX;
}

bool tt_arena_may(size_t size)
{
    struct rlimit limit;
    bool may = getrlimit(RLIMIT_FSIZE, &limit) || size <= limit.rlim_cur;
    if (!may)
        errno = EFBIG;
    return may;
}

/* A file of `size` bytes, all there, that nobody can make smaller. */
static int make_file(size_t size)
{
    if (size >= DOUBTED && size > available()) {
        errno = ENOMEM;
        return -1;
    }
    if (!tt_arena_may(size))
        return -1;
    int fd = memfd_create("tutti", MFD_CLOEXEC | MFD_ALLOW_SEALING), error;
    if (fd < 0)
        return -1;
    do
        error = fallocate(fd, 0, 0, (off_t)size) ? errno : 0;
    while (error == EINTR);
    if (!error && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0)
        error = errno;
    if (!error)
        return fd;
    close(fd);
    errno = error;
    return -1;
}

static tutti_status make(struct tt_segment **out, size_t size, uint32_t pages)
{
    struct tt_segment *s = calloc(1, sizeof *s + pages * sizeof(tutti_block *));
    if (!s)
        return tt_fail_memory("shared memory");
    s->size = size;
    s->pages = pages;
    s->fd = make_file(size);
    if (s->fd < 0 && errno != EINTR) {
        tt_arena_trim(0); /* what is kept may be what lacks */
        s->fd = make_file(size);
    }
    if (s->fd < 0)
        goto free_segment;
    s->base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);
    if (s->base == MAP_FAILED)
        goto close_file;
    *out = s;
    return TUTTI_OK;
close_file:;
    int error = errno;
    close(s->fd);
    errno = error;
free_segment:;
    tutti_status status = cannot(size);
    free(s);
    return status;
}

/* Where `count` free pages in a row begin; s->pages: nowhere. */
static uint32_t find_row(const struct tt_segment *s, uint32_t count)
{
    uint32_t row = 0;
    if (s->stale || s->pages - s->used < count)
        return s->pages;
    for (uint32_t i = 0; i < s->pages; i++) {
        row = s->owners[i] ? 0 : row + 1;
        if (row == count)
            return i + 1 - count;
    }
    return s->pages;
}

static struct tt_segment *find_shelf(uint32_t count, uint32_t *first)
{
    for (struct tt_segment *s = arena.segments; s; s = s->next)
        if (s->pages > 1 && (*first = find_row(s, count)) < s->pages)
            return s;
    return NULL;
}

/* The smallest that is large enough, and at most twice so large. */
static struct tt_segment *find_large(size_t size)
{
    struct tt_segment *best = NULL;
    for (struct tt_segment *s = arena.segments; s; s = s->next)
        if (s->pages == 1 && !s->used && s->size >= size &&
            s->size <= 2 * size && (!best || s->size < best->size))
            best = s;
    return best;
}

static void occupy(struct tt_segment *s, uint32_t first, uint32_t count,
                   tutti_block *owner)
{
    if (!s->used) {
        arena.idle -= s->size;
        arena.idle_count--;
    }
    for (uint32_t i = 0; i < count; i++)
        s->owners[first + i] = owner;
    s->used += count;
    s->since = ++arena.uses;
}

tutti_status tt_arena_take(struct tt_piece *out, size_t size,
                           tutti_block *owner)
{
    if (size > PTRDIFF_MAX / 4)
        return tt_fail(TUTTI_EMEM, "no shared memory of %zu bytes", size);
    size_t room = ROUND(size ? size : 1);
    bool small = room <= SMALL;
    uint32_t count = small ? (uint32_t)(room / TT_PAGE) : 1, first = 0;
    pthread_mutex_lock(&arena.guard);
    struct tt_segment *s = small ? find_shelf(count, &first) : find_large(room);
    if (!s) {
        pthread_mutex_unlock(&arena.guard);
        tutti_status status =
            make(&s, small ? (size_t)SHELF_PAGES * TT_PAGE : room,
                 small ? SHELF_PAGES : 1);
        if (status)
            return status;
        pthread_mutex_lock(&arena.guard);
        s->id = ++arena.ids;
        s->next = arena.segments;
        arena.segments = s;
        arena.idle += s->size;
        arena.idle_count++;
        first = 0;
    }
    occupy(s, first, count, owner);
    pthread_mutex_unlock(&arena.guard);
    *out = (struct tt_piece){s, s->base + (size_t)first * TT_PAGE, room};
    return TUTTI_OK;
}

void tt_arena_give(const struct tt_piece *piece)
{
    struct tt_segment *s = piece->segment, *list = NULL;
    size_t first = (size_t)(piece->data - s->base) / TT_PAGE;
    uint32_t count = s->pages > 1 ? (uint32_t)(piece->room / TT_PAGE) : 1;
    pthread_mutex_lock(&arena.guard);
    for (uint32_t i = 0; i < count; i++)
        s->owners[first + i] = NULL;
    s->used -= count;
    bool gone = !s->used && s->stale;
    if (gone) {
        unlink_segment(s);
    } else if (!s->used) {
        arena.idle += s->size;
        arena.idle_count++;
        list = take_idle(TT_ARENA_KEEP, IDLE_MOST);
    }
    pthread_mutex_unlock(&arena.guard);
    if (gone)
        destroy(s);
    empty(list);
}

tutti_block *tt_arena_find(const void *data, size_t size)
{
    const char *at = data;
    tutti_block *owner = NULL;
    pthread_mutex_lock(&arena.guard);
    for (struct tt_segment *s = arena.segments; s && !owner; s = s->next)
        if (s->fd >= 0 && at >= s->base && at < s->base + s->size)
            owner =
                s->owners[s->pages > 1 ? (size_t)(at - s->base) / TT_PAGE : 0];
    if (owner) {
        size_t skip = (size_t)(at - (char *)tutti_block_data(owner));
        size_t all = tutti_block_size(owner);
        owner =
            skip <= all && size <= all - skip ? tutti_block_keep(owner) : NULL;
    }
    pthread_mutex_unlock(&arena.guard);
    return owner;
}

void tt_arena_forsake(struct tt_segment *segment)
{
    pthread_mutex_lock(&arena.guard);
    segment->stale = true;
    pthread_mutex_unlock(&arena.guard);
}

bool tt_arena_lendable(const struct tt_segment *segment,
                       struct tt_lendable *out)
{
    *out = (struct tt_lendable){segment->id, segment->fd, segment->size,
                                segment->base};
    return segment->fd >= 0;
}

unsigned tt_arena_forks(void)
{
    return atomic_load_explicit(&arena.forks, memory_order_relaxed);
}

void tt_arena_count(size_t *idle, size_t *segments)
{
    pthread_mutex_lock(&arena.guard);
    *idle = arena.idle;
    *segments = 0;
    for (struct tt_segment *s = arena.segments; s; s = s->next)
        ++*segments;
    pthread_mutex_unlock(&arena.guard);
}

static void before_fork(void)
{
    pthread_mutex_lock(&arena.guard);
    atomic_fetch_add_explicit(&arena.forks, 1, memory_order_relaxed);
    for (struct tt_segment *s = arena.segments; s; s = s->next)
        s->stale = s->stale || s->used;
}

static void in_parent(void)
{
    pthread_mutex_unlock(&arena.guard);
}

/* The child's writes are its own from here on. */
static void in_child(void)
{
    destroy_all(take_idle(0, 0));
    for (struct tt_segment *s = arena.segments; s; s = s->next) {
        if (s->fd < 0)
            continue;
        mmap(s->base, s->size, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, s->fd, 0);
        close(s->fd);
        s->fd = -1;
    }
    pthread_mutex_unlock(&arena.guard);
}

/* Before all others, so that this lock is taken last: who holds another may
 * give memory back. */
__attribute__((constructor(101))) static void watch_forks(void)
{
    pthread_atfork(before_fork, in_parent, in_child);
}
