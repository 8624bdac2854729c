/* Room in growing bytes, for those who fill them in place. */
#ifndef TT_WIRE_BYTES_H
#define TT_WIRE_BYTES_H

#include <stddef.h>

#include <tutti/sys/message.h>

/* Makes room for `size` bytes more; what is there stays. */
TUTTI_MUST_CHECK tutti_status tt_bytes_reserve(tutti_bytes *bytes, size_t size);

/* Drops the first `size` bytes. */
void tt_bytes_shift(tutti_bytes *bytes, size_t size);

/* Takes over a block, which is kept by the caller; on failure it stays so. */
TUTTI_MUST_CHECK tutti_status tt_bytes_hold(tutti_bytes *bytes,
                                            tutti_block *block);

#endif
