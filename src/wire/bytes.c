#include "wire/bytes.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/status.h"

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

void tutti_bytes_clear(tutti_bytes *bytes)
{
    if (!bytes)
        return;
    free(bytes->data);
    *bytes = (tutti_bytes){0};
}
