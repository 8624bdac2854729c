/* Options, declared once in a table that parsing, the help and the tests of
 * the man page read. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Numbers first, first + step, ...: n of them. */
struct cli_range {
    int64_t first, step;
    size_t n;
};

/* What an option's value is and where it goes. */
enum cli_kind {
    CLI_FLAG,    /* no value; bool */
    CLI_WORD,    /* const char * */
    CLI_COUNT,   /* 1 to `most`; size_t */
    CLI_SECONDS, /* above 0; double */
    CLI_CHOICE,  /* one of value's words, "a|b"; unsigned, its index */
    CLI_RANGE    /* struct cli_range */
};

struct cli_option {
    const char *name; /* "--over"; NULL ends a table */
    char letter;      /* 'o' for -o; 0: none */
    enum cli_kind kind;
    const char *value; /* as the help shows it; NULL for a flag */
    const char *help;
    size_t offset; /* of the field in the struct that is filled */
    size_t most;
};

#define CLI_OPTIONS 32 /* a table has fewer */

/* Reads argv[0 .. argc-1] into the struct at `into`, which the caller has
 * zeroed; words point into argv. `operand` is the one argument that is not an
 * option, left alone if there is none; NULL: none is allowed. 0, or
 * CLI_USAGE with a sentence. */
int cli_options_parse(const struct cli_option *table, void *into,
                      const char **operand, int argc, char *const *argv);

/* The same with any number of operands: *n, for which there is room if there is
 * for argc. */
int cli_options_parse_many(const struct cli_option *table, void *into,
                           const char **operands, size_t *n, int argc,
                           char *const *argv);

/* Writes the table as the help shows it. */
void cli_options_help(const struct cli_option *table, FILE *to);

/* The word of `count` words, `stride` bytes apart, that `given` was probably
 * meant to be; NULL: none is near. */
const char *cli_nearest(const char *given, const char *const *words,
                        size_t count, size_t stride);

#endif
