/* Blocks: where their memory comes from. */
#ifndef TT_WIRE_BLOCK_H
#define TT_WIRE_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/arena.h"

/* Mappings of other processes' segments in this one; more are not made. */
#define TT_FOREIGN_MOST 1000

/* A block in ordinary memory. */
TUTTI_MUST_CHECK tutti_status tt_block_heap(tutti_block **out, size_t size);

/* A block in another process's segment: `size` bytes at `offset` of `fd`,
 * mapped so that writes stay here. `gone` is called when it is freed, in any
 * thread; with false in a process that may have been forked since. NULL: it
 * cannot be mapped, or too much is. */
tutti_block *tt_block_foreign(int fd, uint64_t offset, size_t size,
                              void (*gone)(void *arg, uint32_t number,
                                           bool mine),
                              void *arg, uint32_t number);

/* Memory as a block: shared if it lies in one, else copied. */
TUTTI_MUST_CHECK tutti_status tt_block_of(tutti_block **out, const void *data,
                                          size_t size);

/* Where a block's bytes are, for those who lend them. False: in no segment
 * that can be lent. */
bool tt_block_lendable(const tutti_block *block, struct tt_lendable *out,
                       uint64_t *offset);

/* Drops a block that another process may look at for ever. */
void tt_block_forsake(tutti_block *block);

#endif
