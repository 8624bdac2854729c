#include "wire/block.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/status.h"

enum kind {
    OWN,    /* a piece of this process's arena */
    VIEW,   /* a part of such a block */
    HEAP,   /* data follow the struct */
    FOREIGN /* of another process's segment */
};

struct tutti_block {
    _Atomic uint32_t users;
    enum kind kind;
    char *data;
    size_t size;
    struct tt_piece piece; /* OWN */
    tutti_block *root;     /* VIEW; kept */
    void *map;             /* FOREIGN */
    size_t length;
    void (*gone)(void *arg, uint32_t number, bool mine);
    void *arg;
    uint32_t number;
    unsigned forks; /* tt_arena_forks() when it came */
};

#define HEAP_SKIP ((sizeof(tutti_block) + 63) & ~(size_t)63)

static _Atomic int foreign; /* blocks */

static tutti_block *new_block(enum kind kind, char *data, size_t size)
{
    tutti_block *block = malloc(sizeof *block);
    if (block)
        *block =
            (tutti_block){.users = 1, .kind = kind, .data = data, .size = size};
    return block;
}

tutti_status tt_block_heap(tutti_block **out, size_t size)
{
    tutti_block *block = NULL;
    if (size < PTRDIFF_MAX / 2)
        block = aligned_alloc(64, (HEAP_SKIP + size + 63) & ~(size_t)63);
    if (!block)
        return tt_fail(TUTTI_EMEM, "no memory for a block of %zu bytes", size);
    *block = (tutti_block){.users = 1,
                           .kind = HEAP,
                           .data = (char *)block + HEAP_SKIP,
                           .size = size};
    *out = block;
    return TUTTI_OK;
}

tutti_status tutti_block_alloc(tutti_block **out, size_t size)
{
    tutti_block *block = new_block(OWN, NULL, size);
    if (!block)
        return tt_fail_memory("a block");
    tutti_status status = tt_arena_take(&block->piece, size, block);
    if (!status) {
        block->data = block->piece.data;
        *out = block;
        return TUTTI_OK;
    }
    free(block);
    /* Without a descriptor it is copied when it travels. */
    return status == TUTTI_ESYS ? tt_block_heap(out, size) : status;
}

static void unmap(void *map, size_t length)
{
    munmap(map, length);
    atomic_fetch_sub(&foreign, 1);
}

tutti_block *tt_block_foreign(int fd, uint64_t offset, size_t size,
                              void (*gone)(void *arg, uint32_t number,
                                           bool mine),
                              void *arg, uint32_t number)
{
    uint64_t skip = offset % (uint64_t)sysconf(_SC_PAGESIZE);
    size_t length = (size_t)skip + size;
    if (atomic_fetch_add(&foreign, 1) >= TT_FOREIGN_MOST) {
        atomic_fetch_sub(&foreign, 1);
        return NULL;
    }
    char *map = mmap(NULL, length, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_NORESERVE, fd, (off_t)(offset - skip));
    if (map == MAP_FAILED) {
        atomic_fetch_sub(&foreign, 1);
        return NULL;
    }
    tutti_block *block = new_block(FOREIGN, map + skip, size);
    if (!block) {
        unmap(map, length);
        return NULL;
    }
    block->map = map;
    block->length = length;
    block->gone = gone;
    block->arg = arg;
    block->number = number;
    block->forks = tt_arena_forks();
    return block;
}

static tutti_status copy_of(tutti_block **out, const void *data, size_t size)
{
    tutti_status status = tutti_block_alloc(out, size);
    if (!status && size)
        memcpy((*out)->data, data, size);
    return status;
}

tutti_status tt_block_of(tutti_block **out, const void *data, size_t size)
{
    tutti_block *root = size ? tt_arena_find(data, size) : NULL;
    if (!root)
        return copy_of(out, data, size);
    if (root->data == data && root->size == size) {
        *out = root;
        return TUTTI_OK;
    }
    /* The memory is the caller's to read, writes to it would be an error. */
    tutti_block *view =
        new_block(VIEW, root->data + ((const char *)data - root->data), size);
    if (!view) {
        tutti_block_drop(root);
        return tt_fail_memory("a block");
    }
    view->root = root;
    *out = view;
    return TUTTI_OK;
}

void *tutti_block_data(const tutti_block *block)
{
    return block->data;
}

size_t tutti_block_size(const tutti_block *block)
{
    return block->size;
}

tutti_block *tutti_block_keep(tutti_block *block)
{
    atomic_fetch_add_explicit(&block->users, 1, memory_order_relaxed);
    return block;
}

void tutti_block_drop(tutti_block *block)
{
    if (!block || atomic_fetch_sub(&block->users, 1) > 1)
        return;
    if (block->kind == OWN)
        tt_arena_give(&block->piece);
    else if (block->kind == VIEW)
        tutti_block_drop(block->root);
    else if (block->kind == FOREIGN) {
        unmap(block->map, block->length);
        block->gone(block->arg, block->number,
                    block->forks == tt_arena_forks());
    }
    free(block);
}

static const tutti_block *root_of(const tutti_block *block)
{
    return block->kind == VIEW ? block->root : block;
}

bool tt_block_lendable(const tutti_block *block, struct tt_lendable *out,
                       uint64_t *offset)
{
    const tutti_block *root = root_of(block);
    if (root->kind != OWN || !tt_arena_lendable(root->piece.segment, out))
        return false;
    *offset = (uint64_t)(block->data - out->base);
    return true;
}

void tt_block_forsake(tutti_block *block)
{
    const tutti_block *root = root_of(block);
    if (root->kind == OWN)
        tt_arena_forsake(root->piece.segment);
    tutti_block_drop(block);
}
