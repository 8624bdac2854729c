/* How often each word was seen. */
#ifndef TT_ALGO_WORDTABLE_H
#define TT_ALGO_WORDTABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tutti/wordcount.h>

/* A word of up to 16 bytes is the key itself, zeros behind it; of a longer one
 * key[0] is a hash and key[1] its address in an arena. */
struct tt_wordslot {
    uint64_t key[2];
    uint64_t count;
    size_t size; /* 0: free */
};

/* Open addressing, at most half full. Zeros: an empty one. */
struct tt_wordtable {
    struct tt_wordslot *slots;
    size_t room, used; /* room is 0 or a power of 2 */
    struct tt_wordarena *arena;
};

/* Counts the words of the runs in `text`; `edges` are those of tt_words();
 * TT_WORDS_SLACK bytes are readable behind it. False: no memory. */
bool tt_wordtable_take(struct tt_wordtable *table, const unsigned char *text,
                       size_t n, const uint64_t *edges, bool fold);

/* Adds all of `from` to `into`, and empties it. False: no memory. */
bool tt_wordtable_merge(struct tt_wordtable *into, struct tt_wordtable *from);

/* The `most` most frequent, ties by their bytes: count, then word. *out is the
 * caller's to free, *n of them; they point into the table. False: no memory. */
bool tt_wordtable_top(const struct tt_wordtable *table, size_t most,
                      tutti_wordcount_entry **out, size_t *n);

/* Frees what the table has. */
void tt_wordtable_fini(struct tt_wordtable *table);

#endif
