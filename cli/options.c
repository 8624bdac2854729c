#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"

#define LONGEST 32 /* of a name that nearness is asked for */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Insertions, deletions, changes and swaps of neighbours from a to b. */
static size_t distance(const char *a, const char *b)
{
    size_t row[3][LONGEST + 1], m = strlen(a), n = strlen(b);
    if (m > LONGEST || n > LONGEST)
        return LONGEST;
    for (size_t j = 0; j <= n; j++)
        row[0][j] = j;
    for (size_t i = 1; i <= m; i++) {
        size_t *now = row[i % 3], *up = row[(i + 2) % 3];
        size_t *above = row[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= n; j++) {
            now[j] = least(least(now[j - 1], up[j]) + 1,
                           up[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = least(now[j], above[j - 2] + 1);
        }
    }
    return row[m % 3][n];
}

const char *cli_nearest(const char *given, const char *const *words,
                        size_t count, size_t stride)
{
    const char *best = NULL, *at = (const char *)words;
    size_t nearest = strlen(given) / 3 + 1;
    for (size_t i = 0; i < count; i++, at += stride) {
        const char *word = *(const char *const *)at;
        size_t d = distance(given, word);
        if (d < nearest) {
            nearest = d;
            best = word;
        }
    }
    return best;
}

/* A whole number at *at, which then points behind it. */
static bool read_integer(const char **at, int64_t *out)
{
    const char *digit = *at + (**at == '-' || **at == '+');
    char *end;
    if (!isdigit((unsigned char)*digit))
        return false;
    errno = 0;
    long long value = strtoll(*at, &end, 10);
    if (errno)
        return false;
    *at = end;
    *out = value;
    return true;
}

/* How many numbers lie from first to last, last not included. */
static uint64_t range_count(int64_t first, int64_t last, int64_t step)
{
    if (step > 0 ? first >= last : first <= last)
        return 0;
    uint64_t span = step > 0 ? (uint64_t)last - (uint64_t)first
                             : (uint64_t)first - (uint64_t)last;
    uint64_t stride = step > 0 ? (uint64_t)step : -(uint64_t)step;
    return (span - 1) / stride + 1;
}

static int parse_range(const char *name, const char *text,
                       struct cli_range *out)
{
    int64_t field[3];
    int fields = 0;
    const char *at = text;
    do {
        if (!read_integer(&at, &field[fields++]))
            break;
    } while (*at == ':' && fields < 3 && at++);
    if (*at || at == text || at[-1] == ':')
        return cli_fail("%s %s: expected [FIRST:]LAST[:STEP], whole numbers "
                        "below 2^63, such as 1000, 1:1001 or 0:1000:2",
                        name, text);
    int64_t first = fields > 1 ? field[0] : 0;
    int64_t last = fields > 1 ? field[1] : field[0];
    int64_t step = fields > 2 ? field[2] : 1;
    if (step == 0)
        return cli_fail("%s %s: the step is 0: give another", name, text);
    uint64_t n = range_count(first, last, step);
    if (n == 0)
        return cli_fail("%s %s: no numbers from %lld to %lld in steps of %lld "
                        "(LAST is not included): give a range with at least "
                        "one",
                        name, text, (long long)first, (long long)last,
                        (long long)step);
    if (n > (uint64_t)1 << 48)
        return cli_fail("%s %s: %llu numbers: expected at most 2^48", name,
                        text, (unsigned long long)n);
    *out = (struct cli_range){first, step, n};
    return CLI_OK;
}

static int parse_count(const char *name, const char *text, size_t most,
                       size_t *out)
{
    const char *at = text;
    int64_t value;
    if (!read_integer(&at, &value) || *at || value < 1 ||
        (uint64_t)value > most)
        return cli_fail("%s %s: expected a whole number from 1 to %zu", name,
                        text, most);
    *out = (size_t)value;
    return CLI_OK;
}

static int parse_seconds(const char *name, const char *text, double *out)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !(value > 0) || !isfinite(value))
        return cli_fail("%s %s: expected seconds above 0, such as 30 or 0.5",
                        name, text);
    *out = value;
    return CLI_OK;
}

static int parse_choice(const char *name, const char *text, const char *words,
                        unsigned *out)
{
    unsigned index = 0;
    size_t size = strlen(text);
    for (const char *word = words; *word; index++) {
        size_t length = strcspn(word, "|");
        if (size == length && !memcmp(text, word, length)) {
            *out = index;
            return CLI_OK;
        }
        word += length + (word[length] == '|');
    }
    return cli_fail("%s %s: expected %s", name, text, words);
}

/* Stores the value of an option. */
static int parse_value(const struct cli_option *option, const char *text,
                       void *into)
{
    void *field = (char *)into + option->offset;
    switch (option->kind) {
    case CLI_FLAG:
        *(bool *)field = true;
        return CLI_OK;
    case CLI_WORD:
        if (!*text)
            return cli_fail("%s: the value is empty: expected %s", option->name,
                            option->value);
        *(const char **)field = text;
        return CLI_OK;
    case CLI_COUNT:
        return parse_count(option->name, text, option->most, field);
    case CLI_SECONDS:
        return parse_seconds(option->name, text, field);
    case CLI_CHOICE:
        return parse_choice(option->name, text, option->value, field);
    case CLI_RANGE:
        return parse_range(option->name, text, field);
    }
    return CLI_OK;
}

static int fail_unknown(const struct cli_option *table, const char *given)
{
    size_t count = 0;
    char name[LONGEST + 1];
    while (table[count].name)
        count++;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(given, "="), given);
    const char *near = cli_nearest(name, &table->name, count, sizeof *table);
    if (near)
        return cli_fail("unknown option %s: did you mean %s?", given, near);
    return cli_fail("unknown option %s: --help lists what there is", given);
}

/* The option that `argument` gives; its value behind '=' or the letter, or
 * NULL, goes to *value. */
static const struct cli_option *find(const struct cli_option *table,
                                     const char *argument, const char **value)
{
    for (const struct cli_option *o = table; o->name; o++) {
        size_t length = strlen(o->name);
        *value = NULL;
        if (o->letter && argument[1] == o->letter) {
            if (argument[2])
                *value = argument + 2;
            return o;
        }
        if (strncmp(argument, o->name, length))
            continue;
        if (argument[length] == '=')
            *value = argument + length + 1;
        if (*value || !argument[length])
            return o;
    }
    return NULL;
}

static int fail_operand(const char *argument, const char *before)
{
    if (before)
        return cli_fail("unexpected argument '%s' beside '%s': one is enough",
                        argument, before);
    return cli_fail("unexpected argument '%s': tutti --help tells what goes "
                    "where",
                    argument);
}

/* At most `most` operands. */
static int parse(const struct cli_option *table, void *into,
                 const char **operands, size_t most, size_t *n, int argc,
                 char *const *argv)
{
    bool seen[CLI_OPTIONS] = {false}, plain = false;
    for (int i = 0; i < argc; i++) {
        const char *argument = argv[i], *value;
        if (plain || argument[0] != '-' || !argument[1]) {
            if (*n == most)
                return fail_operand(argument, *n ? operands[0] : NULL);
            operands[(*n)++] = argument;
            continue;
        }
        plain = !strcmp(argument, "--");
        if (plain)
            continue;
        const struct cli_option *option = find(table, argument, &value);
        if (!option)
            return fail_unknown(table, argument);
        if (value && option->kind == CLI_FLAG)
            return cli_fail("%s: %s takes no value", argument, option->name);
        if (seen[option - table])
            return cli_fail("%s is given twice: once is enough", option->name);
        seen[option - table] = true;
        if (option->kind != CLI_FLAG && !value && i + 1 < argc)
            value = argv[++i];
        if (option->kind != CLI_FLAG && !value)
            return cli_fail("%s: its value is missing: expected %s %s",
                            option->name, option->name, option->value);
        int status = parse_value(option, value, into);
        if (status)
            return status;
    }
    return CLI_OK;
}

int cli_options_parse(const struct cli_option *table, void *into,
                      const char **operand, int argc, char *const *argv)
{
    size_t n = 0;
    return parse(table, into, operand, operand ? 1 : 0, &n, argc, argv);
}

int cli_options_parse_many(const struct cli_option *table, void *into,
                           const char **operands, size_t *n, int argc,
                           char *const *argv)
{
    *n = 0;
    return parse(table, into, operands, (size_t)argc, n, argc, argv);
}

void cli_options_help(const struct cli_option *table, FILE *to)
{
    for (const struct cli_option *o = table; o->name; o++) {
        char left[64] = "";
        if (o->letter)
            snprintf(left, sizeof left, "-%c, ", o->letter);
        size_t used = strlen(left);
        snprintf(left + used, sizeof left - used, "%s%s%s", o->name,
                 o->value ? " " : "", o->value ? o->value : "");
        fprintf(to, "  %s\n      %s\n", left, o->help);
    }
}
