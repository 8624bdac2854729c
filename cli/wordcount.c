/* tutti wordcount: how often a word is in files, all words, the most frequent
 * ones. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tutti/wordcount.h>

#include "command.h"
#include "fail.h"

struct wordcount {
    const char *const *paths;
    size_t paths_n;
    const char *word; /* NULL: all */
    const char *on;
    size_t top, workers;
    bool all, fold, per_file, recursive, help;
};

#define AT(field) offsetof(struct wordcount, field)

static const struct cli_option options[] = {
    {"--all", 0, CLI_FLAG, NULL,
     "count all words, as wc -w does; no WORD is given then", AT(all), 0},
    {"--top", 0, CLI_COUNT, "K",
     "the K most frequent words, with their counts; no WORD is given then",
     AT(top), 1u << 30},
    {"--fold", 0, CLI_FLAG, NULL, "A to Z are a to z", AT(fold), 0},
    {"--per-file", 0, CLI_FLAG, NULL, "a line a file, then the total",
     AT(per_file), 0},
    {"--recursive", 'r', CLI_FLAG, NULL,
     "a directory stands for the files below it; links there are not followed",
     AT(recursive), 0},
    {"--on", 0, CLI_WORD, "PLACE",
     "where: serial, threads[:N], auto (the default)", AT(on), 0},
    {"--workers", 0, CLI_COUNT, "N", "at most N workers, this one included",
     AT(workers), 1024},
    {"--help", 'h', CLI_FLAG, NULL, "this text", AT(help), 0},
    {NULL, 0, CLI_FLAG, NULL, NULL, 0, 0},
};

#define NOTES \
    "A word is a run of bytes that are not space, without the ASCII\n" \
    "punctuation at both ends: \"don't\" is one, (the) is the. FILE may be " \
    "-,\n" \
    "standard input, which is also what is read where no FILE is given.\n\n" \
    "Status: 0 all counted, 1 some files were not, 2 not run as asked.\n"

static const char *const standard_input[] = {"-"};

/* Which operands are what. */
static int sort_operands(struct wordcount *w, const char *const *operands,
                         size_t n)
{
    bool word = !w->all && !w->top;
    if (w->all && w->top)
        return cli_fail("--all and --top: give one of them");
    if (w->per_file && w->top)
        return cli_fail("--per-file and --top: give one of them");
    if (word && n == 0)
        return cli_fail("the word is missing: expected tutti wordcount WORD "
                        "FILE..., or --all or --top K in its stead");
    if (word)
        w->word = *operands++, n--;
    w->paths = n ? operands : standard_input;
    w->paths_n = n ? n : 1;
    if (n)
        return CLI_OK;
    if (word && !access(w->word, F_OK))
        return cli_fail("%s is a file, and the only argument: give the WORD "
                        "before it, or --all; or - behind it, for standard "
                        "input",
                        w->word);
    if (isatty(STDIN_FILENO))
        return cli_fail("no FILE is given: expected one or more; - is standard "
                        "input");
    return CLI_OK;
}

static int digits(uint64_t number)
{
    return snprintf(NULL, 0, "%llu", (unsigned long long)number);
}

/* As wc writes it. */
static void print(int width, uint64_t count, const char *name, size_t size)
{
    printf("%*llu ", width, (unsigned long long)count);
    fwrite(name, 1, size, stdout);
    putchar('\n');
}

static void print_files(const tutti_wordcount *count)
{
    uint64_t total = tutti_wordcount_total(count);
    int width = digits(total);
    tutti_wordcount_file file;
    size_t n = 0;
    for (; tutti_wordcount_file_at(count, n, &file); n++)
        if (file.state < TUTTI_WORDCOUNT_BINARY || file.count)
            print(width, file.count, file.path, strlen(file.path));
    if (n > 1)
        print(width, total, "total", 5);
}

static void print_top(const tutti_wordcount *count)
{
    tutti_wordcount_entry entry;
    int width = 1;
    for (size_t i = 0; tutti_wordcount_top_at(count, i, &entry); i++) {
        if (i == 0)
            width = digits(entry.count);
        print(width, entry.count, entry.word, entry.size);
    }
}

/* Prints the sentence that is kept: no other follows it. */
static void tell(void)
{
    fprintf(stderr, "tutti: %s\n", cli_sentence());
    cli_fail("%s", "");
}

static void tell_file(const tutti_wordcount_file *file)
{
    if (file->state == TUTTI_WORDCOUNT_DIRECTORY)
        cli_fail("%s is a directory: --recursive counts the files in it",
                 file->path);
    else
        cli_fail("%s", file->trouble);
    tell();
}

/* Tells of the files that were not counted whole. Binary ones below a directory
 * are what one expects there: they are one line, and no failure. */
static int tell_troubles(const tutti_wordcount *count)
{
    tutti_wordcount_file file, binary = {.path = NULL};
    size_t binaries = 0;
    int status = CLI_OK;
    for (size_t i = 0; tutti_wordcount_file_at(count, i, &file); i++) {
        bool expected = file.found && file.state == TUTTI_WORDCOUNT_BINARY;
        if (expected && binaries++ == 0)
            binary = file;
        if (!file.trouble || expected ||
            (file.found && file.state == TUTTI_WORDCOUNT_EMPTY))
            continue;
        tell_file(&file);
        if (file.state >= TUTTI_WORDCOUNT_SHRANK)
            status = CLI_FAILED;
    }
    if (binaries == 1)
        cli_fail("%s", binary.trouble);
    else if (binaries)
        cli_fail("%zu files that were found are no text, and not counted: the "
                 "first is %s",
                 binaries, binary.path);
    if (binaries)
        tell();
    return status;
}

static int count(const struct wordcount *w)
{
    tutti_wordcount_query query = TUTTI_WORDCOUNT_QUERY_INIT;
    tutti_options how = TUTTI_OPTIONS_INIT;
    tutti_wordcount *count;
    query.word = w->word;
    query.top = w->top;
    query.fold = w->fold;
    query.recursive = w->recursive;
    how.on = w->on;
    how.workers = (unsigned)w->workers;
    tutti_status ran =
        tutti_wordcount_run(&count, &query, w->paths, w->paths_n, &how);
    if (ran)
        return cli_fail_library(ran);
    if (w->top)
        print_top(count);
    else if (w->per_file)
        print_files(count);
    else
        printf("%llu\n", (unsigned long long)tutti_wordcount_total(count));
    int status = tell_troubles(count);
    tutti_wordcount_free(count);
    return status;
}

static int run_wordcount(int argc, char **argv)
{
    struct wordcount w = {.paths = NULL};
    size_t n;
    const char **operands = calloc((size_t)argc, sizeof *operands);
    if (!operands)
        return cli_fail("no memory for the names of the files");
    int status =
        cli_options_parse_many(options, &w, operands, &n, argc - 2, argv + 2);
    if (!status && w.help)
        cli_command_help(&cli_wordcount_command, stdout);
    else if (!status)
        status = sort_operands(&w, operands, n);
    if (!status && !w.help)
        status = count(&w);
    free(operands);
    return status;
}

const struct cli_command cli_wordcount_command = {
    "wordcount",
    "WORD FILE... [OPTION]...\n"
    "       tutti wordcount --all|--top K FILE... [OPTION]...",
    "counts a word in files, or all words, or the most frequent ones",
    NOTES,
    options,
    run_wordcount,
};
