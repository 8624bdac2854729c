#include "algo/wordtable.h"

#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "kernel/builtin/words.h"

#define ROOM 4096         /* slots of the first table */
#define ARENA (64u << 10) /* bytes of an arena, at least */
#define SHORT 16          /* bytes of a word that is its own key */

__extension__ typedef unsigned __int128 wide;

/* Bytes of words; they never move. */
struct tt_wordarena {
    struct tt_wordarena *next;
    size_t used, size;
    unsigned char bytes[];
};

/* Multiplied by numbers that a text cannot know, so that none can be made to
 * have all its words in one place. */
static uint64_t mix(uint64_t a, uint64_t b)
{
    static _Atomic uint64_t secret; /* all threads find the same */
    uint64_t known = secret;
    if (!known) {
        const void *random = (const void *)(uintptr_t)getauxval(AT_RANDOM);
        if (random)
            memcpy(&known, random, sizeof known);
        known |= 1;
        secret = known;
    }
    wide product = (wide)(a ^ known) * (b ^ 0x9e3779b97f4a7c15);
    uint64_t folded = (uint64_t)product ^ (uint64_t)(product >> 64);
    return folded * (known ^ 0xd6e8feb86659fd92) ^ folded >> 32;
}

static uint64_t fold8(uint64_t w)
{
    const uint64_t ones = 0x0101010101010101;
    uint64_t low = w & 0x7f * ones;
    uint64_t from_a = low + (0x80 - 'A') * ones;
    uint64_t from_z = low + (0x80 - 'Z' - 1) * ones;
    return w | ((from_a ^ from_z) & ~w & 0x80 * ones) >> 2;
}

/* The first `size` bytes, 1 to 16, of the 16 at `p`. */
static void load_short(uint64_t key[2], const unsigned char *p, size_t size,
                       bool fold)
{
    static const unsigned char ones[2 * SHORT] = {255, 255, 255, 255, 255, 255,
                                                  255, 255, 255, 255, 255, 255,
                                                  255, 255, 255, 255};
    uint64_t mask[2];
    memcpy(key, p, SHORT);
    memcpy(mask, ones + SHORT - size, SHORT);
    key[0] &= mask[0];
    key[1] &= mask[1];
    if (fold) {
        key[0] = fold8(key[0]);
        key[1] = fold8(key[1]);
    }
}

static uint64_t hash_long(const unsigned char *p, size_t size, bool fold)
{
    uint64_t key[2], hash = size;
    for (; size > SHORT; size -= SHORT, p += SHORT) {
        load_short(key, p, SHORT, fold);
        hash = mix(hash ^ key[0], key[1]);
    }
    load_short(key, p, size, fold);
    return mix(hash ^ key[0], key[1]);
}

static bool same_long(const unsigned char *kept, const unsigned char *word,
                      size_t size, bool fold)
{
    if (!fold)
        return !memcmp(kept, word, size);
    for (size_t i = 0; i < size; i++)
        if (kept[i] != tt_words_fold(word[i]))
            return false;
    return true;
}

static unsigned char *long_word(const struct tt_wordslot *slot)
{
    return (unsigned char *)(uintptr_t)slot->key[1];
}

/* A long word's place depends on its hash alone. */
static size_t first_place(const struct tt_wordslot *slot, size_t room)
{
    uint64_t hash = slot->size > SHORT
                        ? slot->key[0]
                        : mix(slot->key[0] ^ slot->size << 56, slot->key[1]);
    return hash & (room - 1);
}

static bool grow(struct tt_wordtable *table)
{
    size_t room = table->room ? 2 * table->room : ROOM;
    struct tt_wordslot *slots = calloc(room, sizeof *slots);
    if (!slots)
        return false;
    for (size_t i = 0; i < table->room; i++) {
        const struct tt_wordslot *slot = &table->slots[i];
        if (!slot->size)
            continue;
        size_t at = first_place(slot, room);
        while (slots[at].size)
            at = (at + 1) & (room - 1);
        slots[at] = *slot;
    }
    free(table->slots);
    table->slots = slots;
    table->room = room;
    return true;
}

/* A copy in the arena; NULL: no memory. */
static unsigned char *keep(struct tt_wordtable *table,
                           const unsigned char *word, size_t size, bool fold)
{
    struct tt_wordarena *arena = table->arena;
    if (!arena || arena->size - arena->used < size) {
        size_t room = size > ARENA ? size : ARENA;
        arena = malloc(sizeof *arena + room);
        if (!arena)
            return NULL;
        *arena = (struct tt_wordarena){table->arena, 0, room};
        table->arena = arena;
    }
    unsigned char *copy = arena->bytes + arena->used;
    for (size_t i = 0; i < size; i++)
        copy[i] = fold ? tt_words_fold(word[i]) : word[i];
    arena->used += size;
    return copy;
}

/* Room for one word more. */
static bool has_room(struct tt_wordtable *table)
{
    return table->used < table->room / 2 || grow(table);
}

static bool take_short(struct tt_wordtable *table, const unsigned char *word,
                       size_t size, bool fold)
{
    struct tt_wordslot new = {.count = 1, .size = size};
    load_short(new.key, word, size, fold);
    for (size_t at = first_place(&new, table->room);;
         at = (at + 1) & (table->room - 1)) {
        struct tt_wordslot *slot = &table->slots[at];
        if (slot->key[0] == new.key[0] && slot->key[1] == new.key[1] &&
            slot->size == size) {
            slot->count++;
            return true;
        }
        if (!slot->size) {
            *slot = new;
            table->used++;
            return has_room(table);
        }
    }
}

static bool take_long(struct tt_wordtable *table, const unsigned char *word,
                      size_t size, bool fold)
{
    struct tt_wordslot new = {{hash_long(word, size, fold), 0}, 1, size};
    size_t at = first_place(&new, table->room);
    for (; table->slots[at].size; at = (at + 1) & (table->room - 1)) {
        struct tt_wordslot *slot = &table->slots[at];
        if (slot->size == size && slot->key[0] == new.key[0] &&
            same_long(long_word(slot), word, size, fold)) {
            slot->count++;
            return true;
        }
    }
    const unsigned char *copy = keep(table, word, size, fold);
    if (!copy)
        return false;
    new.key[1] = (uintptr_t)copy;
    table->slots[at] = new;
    table->used++;
    return has_room(table);
}

/* Counts the word of the run [begin, end), if it has one. */
static bool take_run(struct tt_wordtable *table, const unsigned char *begin,
                     const unsigned char *end, bool fold)
{
    if ((size_t)(end - begin) > TT_WORDS_LONGEST)
        return true;
    while (begin < end && tt_words_punct(*begin))
        begin++;
    while (begin < end && tt_words_punct(end[-1]))
        end--;
    size_t size = (size_t)(end - begin);
    if (size == 0)
        return true;
    return size <= SHORT ? take_short(table, begin, size, fold)
                         : take_long(table, begin, size, fold);
}

bool tt_wordtable_take(struct tt_wordtable *table, const unsigned char *text,
                       size_t n, const uint64_t *edges, bool fold)
{
    const unsigned char *begin = NULL;
    if (!has_room(table))
        return false;
    for (size_t i = 0; i <= n / 64; i++)
        for (uint64_t left = edges[i]; left; left &= left - 1) {
            const unsigned char *at =
                text + 64 * i + (size_t)__builtin_ctzll(left);
            if (begin && !take_run(table, begin, at, fold))
                return false;
            begin = begin ? NULL : at;
        }
    return true;
}

/* Adds a word that `into` has an arena for. */
static bool add(struct tt_wordtable *into, const struct tt_wordslot *more)
{
    size_t at = first_place(more, into->room), size = more->size;
    for (;; at = (at + 1) & (into->room - 1)) {
        struct tt_wordslot *slot = &into->slots[at];
        if (!slot->size) {
            *slot = *more;
            into->used++;
            return has_room(into);
        }
        if (slot->size == size && slot->key[0] == more->key[0] &&
            (size > SHORT ? !memcmp(long_word(slot), long_word(more), size)
                          : slot->key[1] == more->key[1])) {
            slot->count += more->count;
            return true;
        }
    }
}

static void move_arenas(struct tt_wordtable *into, struct tt_wordtable *from)
{
    struct tt_wordarena **last = &into->arena;
    while (*last)
        last = &(*last)->next;
    *last = from->arena;
    from->arena = NULL;
}

bool tt_wordtable_merge(struct tt_wordtable *into, struct tt_wordtable *from)
{
    if (into->used < from->used) {
        struct tt_wordtable swap = *into;
        *into = *from;
        *from = swap;
    }
    bool fits = has_room(into);
    move_arenas(into, from);
    for (size_t i = 0; fits && i < from->room; i++)
        if (from->slots[i].size)
            fits = add(into, &from->slots[i]);
    tt_wordtable_fini(from);
    return fits;
}

/* Below 0: `a` comes first. */
static int order(const void *a, const void *b)
{
    const tutti_wordcount_entry *x = a, *y = b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    size_t size = x->size < y->size ? x->size : y->size;
    int differ = memcmp(x->word, y->word, size);
    return differ ? differ : (x->size > y->size) - (x->size < y->size);
}

/* heap[0] comes last of `n`; it gives way to `entry`. */
static void replace_last(tutti_wordcount_entry *heap, size_t n,
                         tutti_wordcount_entry entry)
{
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && order(&heap[child + 1], &heap[child]) > 0)
            child++;
        if (order(&entry, &heap[child]) >= 0)
            break;
        heap[at] = heap[child];
    }
    heap[at] = entry;
}

static tutti_wordcount_entry entry_of(const struct tt_wordslot *slot)
{
    const void *word = slot->size > SHORT ? (const void *)long_word(slot)
                                          : (const void *)slot->key;
    return (tutti_wordcount_entry){word, slot->size, slot->count};
}

bool tt_wordtable_top(const struct tt_wordtable *table, size_t most,
                      tutti_wordcount_entry **out, size_t *n)
{
    size_t kept = 0, room = most < table->used ? most : table->used;
    tutti_wordcount_entry *best = malloc((room + 1) * sizeof *best);
    if (!best)
        return false;
    for (size_t i = 0; room && i < table->room; i++) {
        tutti_wordcount_entry entry = entry_of(&table->slots[i]);
        if (!entry.size)
            continue;
        if (kept < room) {
            best[kept++] = entry;
            /* Last first is a heap. */
            if (kept == room) {
                qsort(best, kept, sizeof *best, order);
                for (size_t j = 0; j < kept / 2; j++) {
                    tutti_wordcount_entry swap = best[j];
                    best[j] = best[kept - 1 - j];
                    best[kept - 1 - j] = swap;
                }
            }
        } else if (order(&entry, &best[0]) < 0) {
            replace_last(best, kept, entry);
        }
    }
    qsort(best, kept, sizeof *best, order);
    *out = best;
    *n = kept;
    return true;
}

void tt_wordtable_fini(struct tt_wordtable *table)
{
    while (table->arena) {
        struct tt_wordarena *next = table->arena->next;
        free(table->arena);
        table->arena = next;
    }
    free(table->slots);
    *table = (struct tt_wordtable){NULL, 0, 0, NULL};
}
