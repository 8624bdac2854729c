/* Reads a piece of a file and counts the runs that begin in it. So pieces may
 * be cut anywhere: each run is counted in one of them, whole. */
#ifndef TT_ALGO_WORDSCAN_H
#define TT_ALGO_WORDSCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "algo/wordtable.h"
#include "kernel/builtin/words.h"

#define TT_WORDSCAN_READ ((size_t)256 << 10) /* bytes read at a time */

/* What is looked for. */
struct tt_wordaim {
    const struct tt_needle *needle; /* NULL: all runs */
    bool tally;                     /* their words are counted one by one */
    bool fold;
};

/* A worker's own. */
struct tt_wordscan {
    struct tt_wordscan *next;
    struct tt_wordtable table;
    unsigned char *buffer; /* TT_WORDS_LONGEST, TT_WORDSCAN_READ, slack */
    uint64_t *edges;       /* of a buffer; if words are counted one by one */
};

enum tt_wordscan_end {
    TT_WORDSCAN_DONE,
    TT_WORDSCAN_SHORT,  /* the file ends before the piece does */
    TT_WORDSCAN_BINARY, /* nothing was counted */
    TT_WORDSCAN_FAILED, /* errno */
    TT_WORDSCAN_MEMORY
};

/* NULL: no memory. */
struct tt_wordscan *tt_wordscan_new(bool tally);
void tt_wordscan_free(struct tt_wordscan *scan);

/* Reads up to `size` bytes at `at`, not fewer unless the file ends; -1 and
 * errno. */
typedef int64_t (*tt_wordscan_read)(void *source, void *to, size_t size,
                                    uint64_t at);

/* Counts in the piece [begin, end) of what `read` reads; *count is added to.
 * end UINT64_MAX: as far as it goes. A piece that begins at 0 looks whether the
 * file is binary. */
enum tt_wordscan_end tt_wordscan_piece(struct tt_wordscan *scan,
                                       const struct tt_wordaim *aim,
                                       tt_wordscan_read read, void *source,
                                       uint64_t begin, uint64_t end,
                                       uint64_t *count);

#endif
