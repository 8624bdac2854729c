/* Words of files: any cut gives the same counts, and what becomes of files that
 * cannot be counted. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <tutti.h>

#include "algo/wordscan.h"
#include "fault.h"

#define MOST ((size_t)1 << 20)

static uint64_t seed = 1;

static size_t draw(size_t below)
{
    seed = seed * 6364136223846793005 + 1442695040888963407;
    return (size_t)(seed >> 33) % below;
}

struct text {
    char *bytes;
    size_t n;
    int64_t fails; /* a read at this place, or behind; -1: none */
};

static int64_t read_text(void *source, void *to, size_t size, uint64_t at)
{
    const struct text *t = source;
    if (t->fails >= 0 && at + size > (uint64_t)t->fails)
        return errno = EIO, -1;
    size_t left = at < t->n ? t->n - (size_t)at : 0;
    size = left < size ? left : size;
    memcpy(to, t->bytes + (left ? at : 0), size);
    return (int64_t)size;
}

/* Runs of 1 to `longest` bytes; words come again. */
static void fill(struct text *t, size_t n, size_t longest)
{
    static const char letters[] = "abAB'-\x80.@[Zz"; /* and its zero */
    t->n = n;
    t->fails = -1;
    for (size_t i = 0; i < n;) {
        size_t run = 1 + draw(draw(4) ? longest / 50 + 3 : longest);
        for (; run && i < n; run--, i++)
            t->bytes[i] = letters[draw(i < 8192 ? 12 : 13)];
        for (run = 1 + draw(3); run && i < n; run--)
            t->bytes[i++] = " \n\t"[draw(3)];
    }
}

/* Says the first half again, small letters for large ones. */
static void echo(struct text *t)
{
    for (size_t i = 0; i < t->n / 2; i++) {
        char c = t->bytes[i];
        t->bytes[t->n / 2 + i] = c && strchr("abABz", c) ? c ^ 32 : c;
    }
}

static bool is_space(char c)
{
    return c && strchr(" \n\t", c);
}

static bool is_punct(char c)
{
    return c && strchr("'-.@[", c);
}

static char small(char c, bool fold)
{
    return fold && c && strchr("ABZ", c) ? (char)(c + 32) : c;
}

static int by_bytes(const void *a, const void *b)
{
    const tutti_wordcount_entry *x = a, *y = b;
    size_t size = x->size < y->size ? x->size : y->size;
    int differ = memcmp(x->word, y->word, size);
    return differ ? differ : (x->size > y->size) - (x->size < y->size);
}

static int by_count(const void *a, const void *b)
{
    const tutti_wordcount_entry *x = a, *y = b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return by_bytes(a, b);
}

/* The plain counter: all runs; words by frequency. */
static uint64_t count_plainly(struct text *t, bool fold,
                              tutti_wordcount_entry **out, size_t *n)
{
    uint64_t runs = 0;
    size_t words = 0, merged = 0;
    tutti_wordcount_entry *list = malloc((t->n + 1) * sizeof *list);
    for (size_t i = 0, begin; i < t->n; i += i < t->n) {
        for (begin = i; i < t->n && !is_space(t->bytes[i]); i++)
            t->bytes[i] = small(t->bytes[i], fold);
        size_t end = i;
        runs += end > begin;
        if (end - begin > TT_WORDS_LONGEST)
            continue;
        while (begin < end && is_punct(t->bytes[begin]))
            begin++;
        while (begin < end && is_punct(t->bytes[end - 1]))
            end--;
        if (end > begin)
            list[words++] =
                (tutti_wordcount_entry){t->bytes + begin, end - begin, 1};
    }
    qsort(list, words, sizeof *list, by_bytes);
    for (size_t i = 0; i < words; i++)
        if (merged && !by_bytes(&list[merged - 1], &list[i]))
            list[merged - 1].count++;
        else
            list[merged++] = list[i];
    qsort(list, merged, sizeof *list, by_count);
    *out = list;
    *n = merged;
    return runs;
}

/* Counts in pieces that are cut anywhere, by two workers. */
static uint64_t count_cut(struct text *t, const struct tt_wordaim *aim,
                          size_t cuts, struct tt_wordscan *const two[2])
{
    uint64_t count = 0;
    for (size_t begin = 0, end; begin < t->n; begin = end) {
        end = draw(cuts) ? begin + draw(t->n / cuts + 3) : begin + draw(3);
        end = end > t->n ? t->n : end;
        assert_int_equal(tt_wordscan_piece(two[draw(2)], aim, read_text, t,
                                           begin, end, &count),
                         TT_WORDSCAN_DONE);
    }
    return count;
}

static void assert_same_words(const tutti_wordcount_entry *a,
                              const tutti_wordcount_entry *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(a[i].count, b[i].count);
        assert_int_equal(a[i].size, b[i].size);
        assert_memory_equal(a[i].word, b[i].word, a[i].size);
    }
}

static void check_cuts(struct text *t, bool fold, size_t cuts)
{
    struct tt_wordscan *two[] = {tt_wordscan_new(true), tt_wordscan_new(true)};
    struct tt_wordaim aim = {NULL, true, fold};
    tutti_wordcount_entry *want, *got;
    size_t want_n, got_n;
    uint64_t cut = count_cut(t, &aim, cuts, two);
    /* The plain counter folds in place. */
    struct tt_needle needle = {.fold = fold};
    struct tt_wordaim aimed = {&needle, false, fold};
    struct text copy = *t;
    copy.bytes = malloc(t->n + 1);
    memcpy(copy.bytes, t->bytes, t->n);
    assert_int_equal(count_plainly(&copy, fold, &want, &want_n), cut);
    assert_true(tt_wordtable_merge(&two[0]->table, &two[1]->table));
    assert_true(tt_wordtable_top(&two[0]->table, SIZE_MAX, &got, &got_n));
    assert_int_equal(got_n, want_n);
    assert_same_words(got, want, want_n);
    free(got);
    size_t some = draw(want_n + 2);
    assert_true(tt_wordtable_top(&two[0]->table, some, &got, &got_n));
    assert_int_equal(got_n, some < want_n ? some : want_n);
    assert_same_words(got, want, got_n);
    free(got);
    for (int i = 0; i < 3 && want_n; i++) {
        const tutti_wordcount_entry *entry = &want[draw(want_n)];
        needle.word = (const unsigned char *)entry->word;
        needle.core = entry->size;
        assert_int_equal(count_cut(t, &aimed, cuts, two), entry->count);
    }
    free(want);
    free(copy.bytes);
    tt_wordscan_free(two[0]);
    tt_wordscan_free(two[1]);
}

static void any_cut_gives_the_same(void **state)
{
    (void)state;
    struct text t = {malloc(MOST), 0, -1};
    for (int round = 0; round < 300; round++) {
        fill(&t, draw(3000), 2 + draw(60));
        check_cuts(&t, round & 1, 1 + draw(20));
    }
    for (int round = 0; round < 12; round++) {
        fill(&t, 40000, round & 2 ? 6 : 60);
        echo(&t);
        check_cuts(&t, round & 1, 1 + draw(3000));
        fill(&t, MOST - draw(3), round & 2 ? 200000 : 70000);
        check_cuts(&t, round & 1, 3 + draw(9));
    }
    free(t.bytes);
}

/* A run of `size` bytes that begins at `at`, a word if it is not too long. */
static void check_longest(struct text *t, size_t at, size_t size)
{
    struct tt_needle needle = {.core = size};
    struct tt_wordscan *scan = tt_wordscan_new(true);
    uint64_t found = 0, runs = 0, fits = size <= TT_WORDS_LONGEST;
    memset(t->bytes, ' ', t->n);
    memset(t->bytes + at, 'x', size);
    needle.word = (unsigned char *)t->bytes + at;
    tt_wordscan_piece(scan, &(struct tt_wordaim){&needle, false, false},
                      read_text, t, 0, t->n, &found);
    assert_int_equal(found, fits);
    tt_wordscan_piece(scan, &(struct tt_wordaim){NULL, true, false}, read_text,
                      t, 0, t->n, &runs);
    assert_int_equal(runs, 1);
    assert_int_equal(scan->table.used, fits);
    tt_wordscan_free(scan);
}

static void the_longest_word_is_one_wherever_it_is_read(void **state)
{
    (void)state;
    struct text t = {malloc(MOST), MOST, -1};
    for (size_t size = TT_WORDS_LONGEST - 1; size < TT_WORDS_LONGEST + 2;
         size++)
        for (size_t i = 0; i < 6; i++) {
            check_longest(&t, TT_WORDSCAN_READ - size + i, size);
            check_longest(&t, TT_WORDSCAN_READ - 1000 * i, size);
        }
    free(t.bytes);
}

static void pieces_tell_how_they_end(void **state)
{
    (void)state;
    char bytes[10000];
    struct text t = {bytes, sizeof bytes, -1};
    struct tt_wordscan *scan = tt_wordscan_new(false);
    struct tt_wordaim aim = {NULL, false, false};
    uint64_t count = 0;
    memset(bytes, 'x', sizeof bytes);
    for (size_t i = 1; i < sizeof bytes; i += 2)
        bytes[i] = ' ';
    assert_int_equal(
        tt_wordscan_piece(scan, &aim, read_text, &t, 0, 10001, &count),
        TT_WORDSCAN_SHORT);
    assert_int_equal(count, 5000);
    assert_int_equal(
        tt_wordscan_piece(scan, &aim, read_text, &t, 0, UINT64_MAX, &count),
        TT_WORDSCAN_DONE);
    assert_int_equal(count, 10000);
    bytes[8192] = 0;
    assert_int_equal(
        tt_wordscan_piece(scan, &aim, read_text, &t, 0, 10000, &count),
        TT_WORDSCAN_DONE);
    bytes[8191] = 0;
    assert_int_equal(
        tt_wordscan_piece(scan, &aim, read_text, &t, 0, 10000, &count),
        TT_WORDSCAN_BINARY);
    assert_int_equal(count, 15000);
    t.fails = 5000;
    assert_int_equal(
        tt_wordscan_piece(scan, &aim, read_text, &t, 6000, 7000, &count),
        TT_WORDSCAN_FAILED);
    tt_wordscan_free(scan);
}

static void write_file(const char *name, const char *text, size_t n)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, n), n);
    close(fd);
}

static tutti_wordcount *run(const tutti_wordcount_query *query, size_t n,
                            const char *const *paths)
{
    tutti_wordcount *count = NULL;
    tutti_status status = tutti_wordcount_run(&count, query, paths, n, NULL);
    if (status)
        fail_msg("%s", tutti_detail());
    return count;
}

static void assert_file(const tutti_wordcount *count, size_t i,
                        const char *path, tutti_wordcount_state state,
                        uint64_t words, const char *trouble)
{
    tutti_wordcount_file file;
    assert_true(tutti_wordcount_file_at(count, i, &file));
    assert_string_equal(file.path, path);
    assert_int_equal(file.state, state);
    assert_int_equal(file.count, words);
    if (trouble)
        assert_string_equal(file.trouble, trouble);
    else
        assert_null(file.trouble);
}

static void *write_pipe(void *name)
{
    write_file(name, "the pipe the", 12);
    return NULL;
}

static void files_that_cannot_be_counted_are_told(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "text",  "none", "folder", "empty", "zero",
        "again", "loop", "pipe",   "text",  "/proc/self/status"};
    tutti_wordcount_query query = TUTTI_WORDCOUNT_QUERY_INIT;
    tutti_wordcount_file file;
    pthread_t writer;
    write_file("text", "The (the) the", 13);
    write_file("empty", "", 0);
    write_file("zero", "the\0the", 7);
    assert_int_equal(mkdir("folder", 0700), 0);
    assert_int_equal(symlink("text", "again"), 0);
    assert_int_equal(symlink("loop", "loop"), 0);
    assert_int_equal(mkfifo("pipe", 0600), 0);
    assert_int_equal(pthread_create(&writer, NULL, write_pipe, "pipe"), 0);
    query.word = "the";
    tutti_wordcount *count = run(&query, 10, paths);
    pthread_join(writer, NULL);
    assert_int_equal(tutti_wordcount_total(count), 4);
    assert_file(count, 0, "text", TUTTI_WORDCOUNT_WHOLE, 2, NULL);
    assert_file(count, 1, "none", TUTTI_WORDCOUNT_FAILED, 0,
                "there is no file none");
    assert_file(count, 2, "folder", TUTTI_WORDCOUNT_DIRECTORY, 0,
                "folder is a directory: ask for recursive to count the files "
                "in it");
    assert_file(count, 3, "empty", TUTTI_WORDCOUNT_EMPTY, 0, "empty is empty");
    assert_file(count, 4, "zero", TUTTI_WORDCOUNT_BINARY, 0,
                "zero is no text (a zero is in its first 8 KiB): it is not "
                "counted");
    assert_file(count, 5, "again", TUTTI_WORDCOUNT_TWICE, 0,
                "again was given before, maybe by another name: it is counted "
                "once");
    assert_file(count, 6, "loop", TUTTI_WORDCOUNT_FAILED, 0,
                "loop cannot be read: Too many levels of symbolic links");
    assert_file(count, 7, "pipe", TUTTI_WORDCOUNT_WHOLE, 2, NULL);
    assert_file(count, 8, "text", TUTTI_WORDCOUNT_TWICE, 0,
                "text was given before, maybe by another name: it is counted "
                "once");
    assert_file(count, 9, "/proc/self/status", TUTTI_WORDCOUNT_WHOLE, 0, NULL);
    assert_false(tutti_wordcount_file_at(count, 10, &file));
    tutti_wordcount_free(count);
}

/* A place that says it is longer than it is, as if it had been cut. */
static void a_file_that_ends_early_is_told(void **state)
{
    (void)state;
    static const char *const path = "/sys/kernel/mm/transparent_hugepage/"
                                    "enabled";
    tutti_wordcount_query query = TUTTI_WORDCOUNT_QUERY_INIT;
    tutti_wordcount_file file;
    if (access(path, R_OK))
        skip();
    tutti_wordcount *count = run(&query, 1, &path);
    assert_true(tutti_wordcount_file_at(count, 0, &file));
    assert_int_equal(file.state, TUTTI_WORDCOUNT_SHRANK);
    assert_int_equal(file.count, 3);
    assert_non_null(strstr(file.trouble, "ended before its size"));
    tutti_wordcount_free(count);
}

static void *append(void *stop)
{
    while (!*(_Atomic int *)stop)
        write_file("log", "line\n", 5);
    return NULL;
}

static void a_file_that_grows_is_counted_as_it_was(void **state)
{
    (void)state;
    static const char *const path = "log";
    static char text[6 << 20];
    _Atomic int stop = 0;
    pthread_t writer;
    tutti_wordcount_query query = TUTTI_WORDCOUNT_QUERY_INIT;
    tutti_wordcount_file file = {.state = TUTTI_WORDCOUNT_WHOLE};
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = i & 1 ? '\n' : 'x';
    write_file("log", text, sizeof text);
    query.word = "x";
    assert_int_equal(pthread_create(&writer, NULL, append, &stop), 0);
    for (int i = 0; i < 1000 && file.state != TUTTI_WORDCOUNT_GREW; i++) {
        tutti_wordcount *count = run(&query, 1, &path);
        assert_true(tutti_wordcount_file_at(count, 0, &file));
        assert_int_equal(file.count, sizeof text / 2);
        tutti_wordcount_free(count);
    }
    stop = 1;
    pthread_join(writer, NULL);
    assert_int_equal(file.state, TUTTI_WORDCOUNT_GREW);
}

/* Names as they are, in the order of their bytes. */
static void make_tree(void)
{
    static const char *const folders[] = {"tree", "tree/b", "tree/b/deep",
                                          "tree/no"};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(mkdir(folders[i], 0700), 0);
    write_file("tree/a", "one two", 7);
    write_file("tree/b/deep/x", "one", 3);
    write_file("tree/c", "two \xc3\xa9t\xc3\xa9. '' two", 17);
    write_file("tree/zero", "\0", 1);
    assert_int_equal(symlink("..", "tree/b/up"), 0);
    assert_int_equal(symlink("../a", "tree/b/again"), 0);
    assert_int_equal(mkfifo("tree/pipe", 0600), 0);
}

static void a_directory_stands_for_its_files(void **state)
{
    (void)state;
    static const char *const path = "tree/";
    tutti_wordcount_query query = TUTTI_WORDCOUNT_QUERY_INIT;
    tutti_wordcount_file file;
    tutti_wordcount_entry entry;
    make_tree();
    query.recursive = true;
    query.top = 2;
    tutti_wordcount *count = run(&query, 1, &path);
    assert_int_equal(tutti_wordcount_total(count), 7);
    assert_file(count, 0, "tree/a", TUTTI_WORDCOUNT_WHOLE, 2, NULL);
    assert_file(count, 1, "tree/b/deep/x", TUTTI_WORDCOUNT_WHOLE, 1, NULL);
    assert_file(count, 2, "tree/c", TUTTI_WORDCOUNT_WHOLE, 4, NULL);
    assert_true(tutti_wordcount_file_at(count, 3, &file));
    assert_int_equal(file.state, TUTTI_WORDCOUNT_BINARY);
    assert_true(file.found);
    assert_false(tutti_wordcount_file_at(count, 4, &file));
    assert_true(tutti_wordcount_top_at(count, 0, &entry));
    assert_true(entry.count == 3 && !memcmp(entry.word, "two", 3));
    assert_true(tutti_wordcount_top_at(count, 1, &entry));
    assert_true(entry.count == 2 && !memcmp(entry.word, "one", 3));
    assert_false(tutti_wordcount_top_at(count, 2, &entry));
    tutti_wordcount_free(count);
}

static void questions_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *word, *sentence;
        size_t top, n;
    } cases[] = {
        {"", "a word of 0 bytes: expected 1 to 65536", 0, 1},
        {"a b", "'a b' has space in it: expected one word", 0, 1},
        {"--", "'--' is punctuation: expected a word with another byte in it",
         0, 1},
        {"a", "the word 'a' and the most frequent words: ask for one of them",
         1, 1},
        {NULL,
         "no file to count words in: expected one or more; - is standard "
         "input",
         0, 0},
    };
    static const char *const path = "text";
    tutti_wordcount *count = NULL;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tutti_wordcount_query query = TUTTI_WORDCOUNT_QUERY_INIT;
        query.word = cases[i].word;
        query.top = cases[i].top;
        assert_int_equal(
            tutti_wordcount_run(&count, &query, &path, cases[i].n, NULL),
            TUTTI_EARG);
        assert_string_equal(tutti_detail(), cases[i].sentence);
    }
    tutti_wordcount_query query = {.size = 3};
    assert_int_equal(tutti_wordcount_run(&count, &query, &path, 1, NULL),
                     TUTTI_EARG);
    assert_null(count);
    tutti_wordcount_free(NULL);
}

static int refuse(void *arg, size_t done, size_t n)
{
    (void)done, (void)n;
    return ++*(int *)arg > 3;
}

static void who_waits_for_a_pipe_can_be_cancelled(void **state)
{
    (void)state;
    static const char *const path = "quiet";
    int asked = 0;
    tutti_wordcount *count = NULL;
    tutti_wordcount_query query = TUTTI_WORDCOUNT_QUERY_INIT;
    tutti_options options = TUTTI_OPTIONS_INIT;
    options.progress = refuse;
    options.progress_arg = &asked;
    assert_int_equal(mkfifo(path, 0600), 0);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(tutti_wordcount_run(&count, &query, &path, 1, &options),
                     TUTTI_ECANCEL);
    assert_int_equal(asked, 4);
    close(fd);
}

static void who_lists_files_can_be_cancelled(void **state)
{
    (void)state;
    static const char *const path = "tree";
    int asked = 3;
    tutti_wordcount *count = NULL;
    tutti_wordcount_query query = TUTTI_WORDCOUNT_QUERY_INIT;
    tutti_options options = TUTTI_OPTIONS_INIT;
    query.recursive = true;
    options.progress = refuse;
    options.progress_arg = &asked;
    assert_int_equal(tutti_wordcount_run(&count, &query, &path, 1, &options),
                     TUTTI_ECANCEL);
    assert_string_equal(tutti_detail(),
                        "cancelled while the files in tree were listed");
    options.size = 3;
    assert_int_equal(tutti_wordcount_run(&count, &query, &path, 1, &options),
                     TUTTI_EARG);
    assert_int_equal(asked, 4);
    assert_null(count);
}

static tutti_status scenario(void *arg)
{
    static const char *const paths[] = {"tree", "none", "log"};
    tutti_wordcount *count = NULL;
    tutti_status status = tutti_wordcount_run(&count, arg, paths, 3, NULL);
    assert_true(!count == (status != TUTTI_OK));
    assert_true(count || status == TUTTI_EMEM);
    tutti_wordcount_free(count);
    return status;
}

static void without_memory_there_is_one_line(void **state)
{
    (void)state;
    tutti_wordcount_query query = TUTTI_WORDCOUNT_QUERY_INIT;
    query.recursive = true;
    query.top = 3;
    assert_true(tt_fault_each(scenario, &query) > 5);
    query.top = 0;
    query.word = "one";
    assert_true(tt_fault_each(scenario, &query) > 5);
}

static int enter(void **state)
{
    static char folder[] = "/tmp/tutti-words.XXXXXX";
    *state = mkdtemp(folder);
    return !*state || chdir(*state);
}

static int leave(void **state)
{
    char command[100];
    snprintf(command, sizeof command, "rm -r %s", (char *)*state);
    return chdir("/") || system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_cut_gives_the_same),
        cmocka_unit_test(the_longest_word_is_one_wherever_it_is_read),
        cmocka_unit_test(pieces_tell_how_they_end),
        cmocka_unit_test(files_that_cannot_be_counted_are_told),
        cmocka_unit_test(a_file_that_ends_early_is_told),
        cmocka_unit_test(a_file_that_grows_is_counted_as_it_was),
        cmocka_unit_test(a_directory_stands_for_its_files),
        cmocka_unit_test(questions_are_checked),
        cmocka_unit_test(who_waits_for_a_pipe_can_be_cancelled),
        cmocka_unit_test(who_lists_files_can_be_cancelled),
        cmocka_unit_test(without_memory_there_is_one_line),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
