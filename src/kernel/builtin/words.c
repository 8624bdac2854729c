#include "kernel/builtin/words.h"

#include <string.h>

#ifdef __x86_64__
#include <immintrin.h>
#endif

/* Which of the 64 bytes at `p`, with the bits of `set` set, are `byte`; which
 * are space. */
#ifdef __AVX2__
/* By the lower half of a byte: the space that it may be. A shuffle makes 0 of
 * bytes above 127. */
static const char space_of[16] = {32, 0, 0, 0,  0,  0,  0,
                                  0,  0, 9, 10, 11, 12, 13};
#endif

#if defined __AVX512BW__

static uint64_t equal(const unsigned char *p, char set, char byte)
{
    __m512i v = _mm512_or_si512(_mm512_loadu_si512(p), _mm512_set1_epi8(set));
    return _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8(byte));
}

static uint64_t spaces(const unsigned char *p)
{
    __m512i v = _mm512_loadu_si512(p);
    __m512i space =
        _mm512_broadcast_i32x4(_mm_loadu_si128((const void *)space_of));
    return _mm512_cmpeq_epi8_mask(v, _mm512_shuffle_epi8(space, v));
}

#else

#define PARTS (64 / sizeof(vector))

#if defined __AVX2__

typedef __m256i vector;
#define load(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define all(byte) _mm256_set1_epi8(byte)
#define same(a, b) _mm256_cmpeq_epi8(a, b)
#define either(a, b) _mm256_or_si256(a, b)
#define bits(v) ((uint32_t)_mm256_movemask_epi8(v))

static vector is_space(vector v)
{
    vector space =
        _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)space_of));
    return same(v, _mm256_shuffle_epi8(space, v));
}

#elif defined __SSE2__

typedef __m128i vector;
#define load(p) _mm_loadu_si128((const __m128i *)(const void *)(p))
#define all(byte) _mm_set1_epi8(byte)
#define same(a, b) _mm_cmpeq_epi8(a, b)
#define either(a, b) _mm_or_si128(a, b)
#define bits(v) ((uint32_t)_mm_movemask_epi8(v))

static vector is_space(vector v)
{
    vector control = _mm_sub_epi8(v, all(9));
    return either(same(v, all(32)),
                  same(_mm_min_epu8(control, all(4)), control));
}

#else

typedef unsigned char vector __attribute__((vector_size(16)));
typedef uint64_t pair __attribute__((vector_size(16)));

static vector load(const unsigned char *p)
{
    vector v;
    memcpy(&v, p, sizeof v);
    return v;
}

static vector all(char byte)
{
    return (unsigned char)byte - (vector){0};
}

#define same(a, b) ((vector)((a) == (b)))
#define either(a, b) ((a) | (b))

static vector is_space(vector v)
{
    return either(same(v, all(32)), (vector)(v - 9 < 5));
}

/* The product brings bit 0 of byte i to bit 56 + i. */
static uint32_t bits(vector v)
{
    pair low = (pair)v & 0x0101010101010101;
    low = low * 0x0102040810204080 >> 56;
    return (uint32_t)(low[0] | low[1] << 8);
}

#endif

static uint64_t equal(const unsigned char *p, char set, char byte)
{
    uint64_t found = 0;
    for (size_t i = 0; i < PARTS; i++) {
        vector v = either(load(p + i * sizeof v), all(set));
        found |= (uint64_t)bits(same(v, all(byte))) << i * sizeof v;
    }
    return found;
}

static uint64_t spaces(const unsigned char *p)
{
    uint64_t found = 0;
    for (size_t i = 0; i < PARTS; i++) {
        vector is = is_space(load(p + i * sizeof(vector)));
        found |= (uint64_t)bits(is) << i * sizeof is;
    }
    return found;
}

#endif

/* The same for the last `n` bytes of a text, below 64: space follows. */
static uint64_t last_spaces(const unsigned char *p, size_t n)
{
    return spaces(p) | ~(uint64_t)0 << n;
}

static uint64_t count(const unsigned char *text, size_t n)
{
    uint64_t words = 0, before = 1;
    for (; n >= 64; n -= 64, text += 64) {
        uint64_t space = spaces(text);
        words += (uint64_t)__builtin_popcountll(~space & (space << 1 | before));
        before = space >> 63;
    }
    uint64_t space = last_spaces(text, n);
    return words +
           (uint64_t)__builtin_popcountll(~space & (space << 1 | before));
}

static void edges(uint64_t *out, const unsigned char *text, size_t n)
{
    uint64_t before = 1;
    for (; n >= 64; n -= 64, text += 64) {
        uint64_t space = spaces(text);
        *out++ = space ^ (space << 1 | before);
        before = space >> 63;
    }
    uint64_t space = last_spaces(text, n);
    *out = space ^ (space << 1 | before);
}

static bool begins(const unsigned char *text, const unsigned char *word,
                   size_t n, bool fold)
{
    if (!fold)
        return !memcmp(text, word, n);
    for (size_t i = 0; i < n; i++)
        if (tt_words_fold(text[i]) != word[i])
            return false;
    return true;
}

/* Whether the needle's core may stand at byte `at`, and is in a run that
 * counts. */
static bool stands(const unsigned char *text, size_t n, size_t at,
                   const struct tt_needle *needle)
{
    size_t first = at, last = at + needle->core;
    while (first && tt_words_punct(text[first - 1]))
        first--;
    while (last < n && tt_words_punct(text[last]))
        last++;
    if ((first && !tt_words_space(text[first - 1])) ||
        (last < n && !tt_words_space(text[last])))
        return false;
    size_t size = needle->lead + needle->core + needle->trail;
    return last - first <= TT_WORDS_LONGEST && at - first >= needle->lead &&
           last - at >= size - needle->lead &&
           begins(text + at - needle->lead, needle->word, size, needle->fold);
}

static uint64_t find(const unsigned char *text, size_t n,
                     const struct tt_needle *needle)
{
    size_t span = needle->core - 1;
    unsigned char first = needle->word[needle->lead];
    unsigned char last = needle->word[needle->lead + span];
    char low = needle->fold && (unsigned char)(first - 'a') < 26 ? 32 : 0;
    char high = needle->fold && (unsigned char)(last - 'a') < 26 ? 32 : 0;
    uint64_t found = 0;
    for (size_t i = 0; i + span < n; i += 64) {
        uint64_t hits = equal(text + i, low, (char)first) &
                        equal(text + i + span, high, (char)last);
        if (n - span - i < 64)
            hits &= ~(~(uint64_t)0 << (n - span - i));
        for (; hits; hits &= hits - 1)
            found += stands(text, n, i + (size_t)__builtin_ctzll(hits), needle);
    }
    return found;
}

const struct tt_words TT_ISA_NAME(tt_words) = {count, find, edges};
