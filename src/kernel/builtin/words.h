/* Words in memory. A run is a stretch of bytes that are not space (the six of
 * C's isspace(): 9 to 13 and 32); its word is what is left without ASCII
 * punctuation at both ends.
 *
 * A text here begins and ends with whole runs, and TT_WORDS_SLACK bytes behind
 * it may be read, too. */
#ifndef TT_KERNEL_BUILTIN_WORDS_H
#define TT_KERNEL_BUILTIN_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/builtin/isa.h"

#define TT_WORDS_SLACK 64
#define TT_WORDS_LONGEST ((size_t)64 << 10) /* a longer run has no word */

/* A word that is looked for: `lead` and `trail` bytes of it are punctuation
 * before and behind its core, which has at least a byte. */
struct tt_needle {
    const unsigned char *word; /* in small letters if `fold` */
    size_t lead, core, trail;
    bool fold; /* A to Z are a to z */
};

struct tt_words {
    /* Runs. */
    uint64_t (*count)(const unsigned char *text, size_t n);
    /* Runs that are the needle with punctuation, or nothing, around it. */
    uint64_t (*find)(const unsigned char *text, size_t n,
                     const struct tt_needle *needle);
    /* Bit i of `edges` (bit i % 64 of word i / 64): a run begins, or one has
     * ended, at byte i; for i up to n. n / 64 + 1 words. */
    void (*edges)(uint64_t *edges, const unsigned char *text, size_t n);
};

TT_ISA_TABLE(struct tt_words, tt_words)

static inline bool tt_words_space(unsigned char c)
{
    return c == 32 || (unsigned char)(c - 9) < 5;
}

static inline bool tt_words_punct(unsigned char c)
{
    static const uint64_t punct[2] = {0xfc00fffe00000000, 0x78000001f8000001};
    return c < 128 && punct[c / 64] >> c % 64 & 1;
}

/* The small one of an ASCII letter. */
static inline unsigned char tt_words_fold(unsigned char c)
{
    return (unsigned char)(c - 'A') < 26 ? c | 32 : c;
}

#endif
