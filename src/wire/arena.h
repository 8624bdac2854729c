/* Segments of memory that can be lent to other processes: unnamed files,
 * mapped shared, all there, used again while they are warm. A large piece has
 * a segment of its own; small ones share a shelf. Any thread. After a fork the
 * child keeps what lives, privately, and uses nothing of its parent's again;
 * the parent does not use again what lived then, as the child may look at it.
 */
#ifndef TT_WIRE_ARENA_H
#define TT_WIRE_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tutti/sys/message.h>

#define TT_PAGE 4096u
/* Bytes that are kept while nobody uses them. */
#define TT_ARENA_KEEP ((size_t)256 << 20)

struct tt_segment;

/* A piece of a segment: whole pages. */
struct tt_piece {
    struct tt_segment *segment;
    char *data;
    size_t room;
};

/* Takes a piece of at least `size` bytes for `owner`. TUTTI_EMEM: no memory;
 * TUTTI_ESYS: no descriptor, or none of this kind. */
TUTTI_MUST_CHECK tutti_status tt_arena_take(struct tt_piece *out, size_t size,
                                            tutti_block *owner);
void tt_arena_give(const struct tt_piece *piece);

/* The owner of the living piece that [data, data + size) is a part of, kept
 * once more by tutti_block_keep(); or NULL. */
tutti_block *tt_arena_find(const void *data, size_t size);

/* Somebody else may look at this segment for ever: it is not used again. */
void tt_arena_forsake(struct tt_segment *segment);

/* Whether a file may have so many bytes; else errno says why not. A larger one
 * would be a signal, which kills. */
bool tt_arena_may(size_t size);

/* Gives back what nobody uses, the oldest first, down to `keep` bytes. */
void tt_arena_trim(size_t keep);

/* What is needed to lend a segment. False: it is of a parent process. */
struct tt_lendable {
    uint64_t id; /* unique in this process */
    int fd;
    size_t size;
    char *base;
};
bool tt_arena_lendable(const struct tt_segment *segment,
                       struct tt_lendable *out);

/* How often this process or an ancestor of it forked, counted on both sides. */
unsigned tt_arena_forks(void);

/* Bytes that nobody uses, and segments in all, for tests. */
void tt_arena_count(size_t *idle, size_t *segments);

#endif
