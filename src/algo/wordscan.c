#include "algo/wordscan.h"

#include <stdlib.h>
#include <string.h>

#define READ TT_WORDSCAN_READ
#define LONGEST TT_WORDS_LONGEST
#define FEW ((size_t)4 << 10) /* bytes read at a time behind the piece */
#define LOOK 8192             /* bytes in which a zero makes a file binary */
#define ALIGN 64

struct tt_wordscan *tt_wordscan_new(bool tally)
{
    struct tt_wordscan *scan = calloc(1, sizeof *scan);
    if (!scan)
        return NULL;
    scan->buffer = aligned_alloc(ALIGN, LONGEST + READ + TT_WORDS_SLACK);
    if (tally)
        scan->edges = malloc(((LONGEST + READ) / 64 + 1) * sizeof(uint64_t));
    if (!scan->buffer || (tally && !scan->edges)) {
        tt_wordscan_free(scan);
        return NULL;
    }
    memset(scan->buffer + LONGEST + READ, 0, TT_WORDS_SLACK);
    return scan;
}

void tt_wordscan_free(struct tt_wordscan *scan)
{
    if (!scan)
        return;
    tt_wordtable_fini(&scan->table);
    free(scan->buffer);
    free(scan->edges);
    free(scan);
}

/* A piece that is being read. */
struct piece {
    struct tt_wordscan *scan;
    const struct tt_wordaim *aim;
    uint64_t at, end;    /* the next byte to read; the piece's end */
    unsigned char *text; /* read and not counted: begins with a run, or space */
    size_t n;
    bool skips;     /* until space comes: that run is not for us */
    uint64_t count; /* added up at the end */
};

/* The first byte of [from, n) that is space, or n. */
static size_t space_from(const unsigned char *text, size_t from, size_t n)
{
    while (from < n && !tt_words_space(text[from]))
        from++;
    return from;
}

/* Counts the first `n` bytes, whole runs, and drops them. */
static bool take(struct piece *p, size_t n)
{
    const struct tt_wordaim *aim = p->aim;
    const struct tt_words *words = tt_words();
    const unsigned char *text = p->text;
    p->text += n;
    p->n -= n;
    if (n == 0)
        return true;
    if (aim->needle) {
        p->count += words->find(text, n, aim->needle);
        return true;
    }
    p->count += words->count(text, n);
    if (!aim->tally)
        return true;
    words->edges(p->scan->edges, text, n);
    return tt_wordtable_take(&p->scan->table, text, n, p->scan->edges,
                             aim->fold);
}

/* The run that is being read is too long for a word. */
static void give_up(struct piece *p)
{
    p->count += !p->aim->needle;
    p->skips = true;
    p->text += p->n;
    p->n = 0;
}

/* Counts what is read of runs that begin in the piece and have ended. *over:
 * that is all of them. False: no memory. */
static bool take_ended(struct piece *p, bool *over)
{
    *over = false;
    if (p->skips) {
        size_t space = space_from(p->text, 0, p->n);
        p->skips = space == p->n;
        p->text += space;
        p->n -= space;
    }
    size_t behind = p->at > p->end ? (size_t)(p->at - p->end) : 0;
    if (p->at >= p->end) {
        /* The last byte of ours is at inside - 1: of a run, if there are
         * bytes behind it, as those were read to see its end. */
        size_t inside = p->n > behind ? p->n - behind : 0;
        size_t last = inside ? space_from(p->text, inside, p->n) : 0;
        *over = !inside || last < p->n || tt_words_space(p->text[last - 1]);
        if (*over)
            return take(p, last);
    }
    size_t ended = p->n;
    while (ended && !tt_words_space(p->text[ended - 1]))
        ended--;
    bool fits = take(p, ended);
    if (p->n > LONGEST)
        give_up(p);
    return fits;
}

/* Reads more behind what is kept, which moves in front of it. */
static int64_t more(struct piece *p, tt_wordscan_read read, void *source)
{
    unsigned char *to = p->scan->buffer + LONGEST;
    size_t size = FEW;
    if (p->at < p->end)
        size = p->end - p->at < READ ? (size_t)(p->end - p->at) : READ;
    p->text = memmove(to - p->n, p->text, p->n);
    int64_t got = read(source, to, size, p->at);
    if (got > 0) {
        p->at += (uint64_t)got;
        p->n += (size_t)got;
    }
    return got;
}

/* Whether the byte before the piece is not space: its run is another's. */
static int64_t look_back(struct piece *p, tt_wordscan_read read, void *source)
{
    int64_t got = read(source, p->text, 1, p->at - 1);
    p->skips = got > 0 && !tt_words_space(*p->text);
    return got;
}

static enum tt_wordscan_end scan(struct piece *p, tt_wordscan_read read,
                                 void *source)
{
    bool first = p->at == 0, over = false;
    int64_t got = first ? 1 : look_back(p, read, source);
    if (got < 0)
        return TT_WORDSCAN_FAILED;
    while (!over) {
        got = more(p, read, source);
        if (got < 0)
            return TT_WORDSCAN_FAILED;
        if (got == 0)
            break;
        if (first && memchr(p->text, 0, p->n < LOOK ? p->n : LOOK))
            return TT_WORDSCAN_BINARY;
        first = false;
        if (!take_ended(p, &over))
            return TT_WORDSCAN_MEMORY;
    }
    if (!over && !take(p, p->n))
        return TT_WORDSCAN_MEMORY;
    return p->at < p->end && p->end < UINT64_MAX ? TT_WORDSCAN_SHORT
                                                 : TT_WORDSCAN_DONE;
}

enum tt_wordscan_end tt_wordscan_piece(struct tt_wordscan *s,
                                       const struct tt_wordaim *aim,
                                       tt_wordscan_read read, void *source,
                                       uint64_t begin, uint64_t end,
                                       uint64_t *count)
{
    struct piece p = {.scan = s,
                      .aim = aim,
                      .at = begin,
                      .end = end,
                      .text = s->buffer + LONGEST};
    enum tt_wordscan_end how = scan(&p, read, source);
    *count += p.count;
    return how;
}
