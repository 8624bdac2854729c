#include "wire/bytes.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/status.h"
#include "wire/block.h"

#define BLOCKS_MOST (1u << 24)

tutti_status tt_bytes_reserve(tutti_bytes *bytes, size_t size)
{
    if (size <= bytes->room - bytes->size)
        return TUTTI_OK;
    if (size > PTRDIFF_MAX - bytes->size)
        return tt_fail(TUTTI_EMEM, "no memory for a message of %zu bytes more",
                       size);
    size_t need = bytes->size + size;
    size_t room = bytes->room < PTRDIFF_MAX / 2 ? 2 * bytes->room : need;
    if (room < need)
        room = need;
    if (room < 256)
        room = 256;
    char *data = realloc(bytes->data, room);
    if (!data)
        return tt_fail(TUTTI_EMEM, "no memory for a message of %zu bytes",
                       need);
    bytes->data = data;
    bytes->room = room;
    return TUTTI_OK;
}

void tt_bytes_shift(tutti_bytes *bytes, size_t size)
{
    bytes->size -= size;
    if (size && bytes->size)
        memmove(bytes->data, bytes->data + size, bytes->size);
}

tutti_status tutti_bytes_append(tutti_bytes *bytes, const void *data,
                                size_t size)
{
    tutti_status status = tt_bytes_reserve(bytes, size);
    if (status)
        return status;
    if (size)
        memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
    return TUTTI_OK;
}

tutti_status tt_bytes_hold(tutti_bytes *bytes, tutti_block *block)
{
    if (bytes->count == bytes->count_room) {
        size_t room = bytes->count_room ? 2 * bytes->count_room : 4;
        tutti_block **blocks = realloc(bytes->blocks, room * sizeof *blocks);
        if (!blocks)
            return tt_fail_memory("the blocks of a message");
        bytes->blocks = blocks;
        bytes->count_room = room;
    }
    bytes->blocks[bytes->count++] = block;
    return TUTTI_OK;
}

tutti_status tutti_bytes_attach(tutti_bytes *bytes, const void *data,
                                size_t size)
{
    tutti_block *block;
    if (bytes->count >= BLOCKS_MOST)
        return tt_fail(TUTTI_EMEM, "a message has %zu blocks; %u are the limit",
                       bytes->count, BLOCKS_MOST);
    tutti_status status = tt_block_of(&block, data, size);
    if (status)
        return status;
    status = tt_bytes_hold(bytes, block);
    if (status)
        tutti_block_drop(block);
    return status;
}

void tutti_bytes_clear(tutti_bytes *bytes)
{
    if (!bytes)
        return;
    while (bytes->count)
        tutti_block_drop(bytes->blocks[--bytes->count]);
    free(bytes->blocks);
    free(bytes->data);
    *bytes = (tutti_bytes){0};
}
