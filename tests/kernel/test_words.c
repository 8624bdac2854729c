#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/builtin/words.h"

#define MOST 700

/* The instruction sets that this CPU has. */
static const struct tt_words *tables[] = {
    &tt_words_plain,
#ifdef __x86_64__
    &tt_words_avx2,
    &tt_words_avx512,
#endif
};

static uint64_t state = 1;

static size_t draw(size_t below)
{
    state = state * 6364136223846793005 + 1442695040888963407;
    return (size_t)(state >> 33) % below;
}

/* Text in memory of its own, so that a read behind the slack is seen. */
static unsigned char *make_text(size_t n, size_t letters)
{
    static const char alphabet[] = "a Ab\n-.B\0\t\x80\xff\x1f!_~@[`{z/:";
    unsigned char *text = malloc(n + TT_WORDS_SLACK);
    assert_non_null(text);
    for (size_t i = 0; i < n + TT_WORDS_SLACK; i++)
        text[i] = (unsigned char)alphabet[draw(letters)];
    return text;
}

static bool is_space(unsigned char c)
{
    return c == 0x20 || (c >= 0x09 && c <= 0x0d);
}

static bool is_punct(unsigned char c)
{
    return c && strchr("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", c);
}

static unsigned char fold(unsigned char c, bool folds)
{
    return folds && c >= 'A' && c <= 'Z' ? (unsigned char)(c + 32) : c;
}

/* Whether the run `text` is the word with punctuation around it. */
static bool matches(const unsigned char *text, size_t n,
                    const struct tt_needle *needle)
{
    size_t size = needle->lead + needle->core + needle->trail;
    for (size_t at = 0; at + size <= n; at++) {
        bool same = true;
        for (size_t i = 0; i < n; i++)
            same &= i < at || i >= at + size
                        ? is_punct(text[i])
                        : fold(text[i], needle->fold) == needle->word[i - at];
        if (same)
            return true;
    }
    return false;
}

/* Runs, or those that match. */
static uint64_t count(const unsigned char *text, size_t n,
                      const struct tt_needle *needle)
{
    uint64_t found = 0;
    for (size_t i = 0; i < n;) {
        size_t begin = i;
        while (i < n && !is_space(text[i]))
            i++;
        if (i > begin)
            found += !needle || matches(text + begin, i - begin, needle);
        i += i == begin;
    }
    return found;
}

static void classes_are_those_of_c(void **unused)
{
    (void)unused;
    for (int c = 0; c < 256; c++) {
        unsigned char byte = (unsigned char)c;
        assert_int_equal(tt_words_space(byte), is_space(byte));
        assert_int_equal(tt_words_punct(byte), is_punct(byte));
        assert_int_equal(tt_words_fold(byte), fold(byte, true));
    }
}

static void runs_are_counted(void **unused)
{
    (void)unused;
    for (int round = 0; round < 3000; round++) {
        size_t n = draw(MOST);
        unsigned char *text = make_text(n, 2 + draw(23));
        for (enum tt_isa isa = TT_ISA_PLAIN; isa <= tt_isa(); isa++)
            assert_int_equal(tables[isa]->count(text, n), count(text, n, NULL));
        free(text);
    }
}

static void every_byte_is_told_apart(void **unused)
{
    (void)unused;
    unsigned char text[256 + TT_WORDS_SLACK] = {0};
    for (int c = 0; c < 256; c++) {
        memset(text, c, 129);
        for (enum tt_isa isa = TT_ISA_PLAIN; isa <= tt_isa(); isa++)
            assert_int_equal(tables[isa]->count(text, 129),
                             !is_space((unsigned char)c));
    }
}

static void edges_are_where_runs_begin_and_end(void **unused)
{
    (void)unused;
    uint64_t edges[MOST / 64 + 1];
    for (int round = 0; round < 3000; round++) {
        size_t n = round < 200 ? (size_t)round : draw(MOST);
        unsigned char *text = make_text(n, 2 + draw(23));
        for (enum tt_isa isa = TT_ISA_PLAIN; isa <= tt_isa(); isa++) {
            tables[isa]->edges(edges, text, n);
            bool before = true;
            for (size_t i = 0; i < 64 * (n / 64 + 1); i++) {
                bool space = i >= n || is_space(text[i]);
                assert_int_equal(edges[i / 64] >> i % 64 & 1, space != before);
                before = space;
            }
        }
        free(text);
    }
}

/* A needle from the text's own bytes, or false. */
static bool make_needle(struct tt_needle *needle, unsigned char *word,
                        const unsigned char *text, size_t n)
{
    size_t size = 1 + draw(draw(8) ? 4 : 90), end = size;
    size_t at = n > size ? draw(n - size) : 0;
    *needle = (struct tt_needle){.word = word, .fold = draw(2)};
    for (size_t i = 0; i < size; i++) {
        word[i] = fold(text[at + i], needle->fold);
        if (n <= size || is_space(word[i]))
            return false;
    }
    while (needle->lead < size && is_punct(word[needle->lead]))
        needle->lead++;
    while (end > needle->lead && is_punct(word[end - 1]))
        end--;
    needle->core = end - needle->lead;
    needle->trail = size - end;
    return needle->core > 0;
}

static void words_are_found(void **unused)
{
    (void)unused;
    uint64_t all = 0;
    for (int round = 0; round < 60000; round++) {
        size_t n = draw(MOST);
        unsigned char *text = make_text(n, 2 + draw(23)), word[100];
        struct tt_needle needle;
        if (make_needle(&needle, word, text, n)) {
            uint64_t want = count(text, n, &needle);
            all += want;
            for (enum tt_isa isa = TT_ISA_PLAIN; isa <= tt_isa(); isa++)
                assert_int_equal(tables[isa]->find(text, n, &needle), want);
        }
        free(text);
    }
    assert_true(all > 10000);
}

static void a_run_that_is_too_long_is_no_word(void **unused)
{
    (void)unused;
    size_t n = TT_WORDS_LONGEST;
    unsigned char *text = malloc(n + 1 + TT_WORDS_SLACK);
    struct tt_needle needle = {.word = (const unsigned char *)"a", .core = 1};
    assert_non_null(text);
    memset(text, '-', n + 1 + TT_WORDS_SLACK);
    text[n / 2] = 'a';
    for (enum tt_isa isa = TT_ISA_PLAIN; isa <= tt_isa(); isa++) {
        assert_int_equal(tables[isa]->find(text, n, &needle), 1);
        assert_int_equal(tables[isa]->find(text, n + 1, &needle), 0);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_are_those_of_c),
        cmocka_unit_test(runs_are_counted),
        cmocka_unit_test(every_byte_is_told_apart),
        cmocka_unit_test(edges_are_where_runs_begin_and_end),
        cmocka_unit_test(words_are_found),
        cmocka_unit_test(a_run_that_is_too_long_is_no_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
