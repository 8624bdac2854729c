/* tutti expect: the mean of a function over a box, by random points. */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <tutti/expect.h>

#include "command.h"
#include "fail.h"
#include "run.h"

#define SIDES 4096
#define TOLD 5 /* standard errors that a density may be off */

struct expect {
    const char *function, *density, *box, *samples, *seed, *error;
    struct cli_run run;
    unsigned method, narrow;
    bool help;
};

#define AT(field) offsetof(struct expect, field)

static const struct cli_option options[] = {
    {"--box", 0, CLI_WORD, "LOW:HIGH,...", "the box: a side a coordinate",
     AT(box), 0},
    {"--samples", 0, CLI_WORD, "N",
     "at most so many points, such as 1e9 (default: 2^20; with --stderr 2^40)",
     AT(samples), 0},
    {"--stderr", 0, CLI_WORD, "ERROR",
     "stop when the standard error is not above this", AT(error), 0},
    {"--seed", 0, CLI_WORD, "N", "other points (default: 0)", AT(seed), 0},
    {"--density", 0, CLI_WORD, "F",
     "weigh by a function like F, which integrates to one over the box",
     AT(density), 0},
    {"--method", 0, CLI_CHOICE, "plain|lattice",
     "independent points, or for smooth functions a lattice: far more exact",
     AT(method), 0},
    {"--bits", 0, CLI_CHOICE, "53|32", "of a coordinate; 32 are faster",
     AT(narrow), 0},
    CLI_RUN_OPTIONS(struct expect),
    {"--help", 'h', CLI_FLAG, NULL, "this text", AT(help), 0},
    {NULL, 0, CLI_FLAG, NULL, NULL, 0, 0},
};

/* Reads LOW:HIGH,LOW:HIGH,... */
static int read_box(double *box, size_t *n, const char *text)
{
    const char *at = text;
    for (*n = 0; *n < SIDES; ++*n) {
        char *end;
        box[2 * *n] = strtod(at, &end);
        if (end == at || *end != ':')
            break;
        at = end + 1;
        box[2 * *n + 1] = strtod(at, &end);
        if (end == at || (*end && *end != ','))
            break;
        at = end + 1;
        if (!*end)
            return ++*n, CLI_OK;
    }
    return cli_fail("--box %s: expected LOW:HIGH of each coordinate, such as "
                    "0:1,-1:1",
                    text);
}

/* A count, also as 1e9. */
static int read_samples(uint64_t *out, const char *text)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !(value >= 1 && value <= 0x1p63) ||
        value != floor(value))
        return cli_fail("--samples %s: expected a whole number from 1 to 2^63, "
                        "such as 1000000 or 1e9",
                        text);
    *out = (uint64_t)value;
    return CLI_OK;
}

static int read_seed(uint64_t *out, const char *text)
{
    char *end;
    errno = 0;
    *out = strtoull(text, &end, 0);
    if (end == text || *end || errno || strchr(text, '-'))
        return cli_fail("--seed %s: expected a whole number from 0 to 2^64 - 1",
                        text);
    return CLI_OK;
}

static int read_error(double *out, const char *text)
{
    char *end;
    *out = strtod(text, &end);
    if (end == text || *end || !(*out > 0) || isinf(*out))
        return cli_fail("--stderr %s: expected a number above 0", text);
    return CLI_OK;
}

static int check_function(const char *text)
{
    if (cli_run_language(text) == CLI_PYTHON)
        return cli_fail(
            "%s: expected an expression of x0, x1, ..., FILE.c:NAME "
            "or LIB.so:NAME; for Python there is tutti.expect()",
            text);
    return CLI_OK;
}

static int read_how(tutti_expect_options *how, const struct expect *e)
{
    int status = CLI_OK;
    how->method = e->method ? TUTTI_EXPECT_LATTICE : TUTTI_EXPECT_PLAIN;
    how->bits = e->narrow ? 32 : 53;
    if (e->samples)
        status = read_samples(&how->samples, e->samples);
    if (!status && e->seed)
        status = read_seed(&how->seed, e->seed);
    if (!status && e->error)
        status = read_error(&how->standard_error, e->error);
    return status;
}

/* The C text of an expression; the caller frees it. */
static char *spell(const char *expression, size_t n)
{
    char *text = NULL;
    size_t size;
    FILE *to = open_memstream(&text, &size);
    if (!to)
        return NULL;
    fputs("#include <math.h>\n"
          "double expression(int n, const double *x) { (void)n;",
          to);
    for (size_t d = 0; d < n; d++)
        fprintf(to, " const double x%zu = x[%zu]; (void)x%zu;", d, d, d);
    fprintf(to, " return (\n#line 1 \"expression\"\n%s\n);}\n", expression);
    return fclose(to) ? NULL : text;
}

static tutti_status open_function(tutti_kernel **out, const char *text,
                                  size_t n)
{
    static const char signature[] = "double %.100s(int n, const double *x)";
    enum cli_language language = cli_run_language(text);
    if (language == CLI_NO_LANGUAGE) {
        char *spelled = spell(text, n);
        tutti_status status =
            spelled ? tutti_kernel_text(out, spelled, "expression")
                    : TUTTI_EMEM;
        free(spelled);
        return status;
    }
    char own[200];
    snprintf(own, sizeof own, signature, strrchr(text, ':') + 1);
    return tutti_kernel_open(out, text, language == CLI_LIBRARY ? own : NULL);
}

static void print(const tutti_expectation *e, bool weighted)
{
    printf("value           %.15g\nstandard error  %.3g\n"
           "variance        %.6g\nsamples         %llu\n",
           e->value, e->standard_error, e->variance,
           (unsigned long long)e->samples);
    if (!weighted)
        return;
    printf("density         %.6g +- %.1g\n", e->density, e->density_error);
    if (fabs(e->density - 1) > fmax(TOLD * e->density_error, 1e-9))
        fprintf(stderr,
                "tutti: warning: the density integrates to %.6g +- %.1g over "
                "the box, not to one\n",
                e->density, e->density_error);
}

static tutti_status estimate(tutti_expectation *out, tutti_kernel *f,
                             const double *box, size_t n,
                             const tutti_expect_options *how, struct expect *e)
{
    tutti_options loop = TUTTI_OPTIONS_INIT;
    cli_run_begin(&e->run, e->function, &loop);
    tutti_status status = tutti_expect(out, f, box, n, how, &loop);
    cli_run_end(&e->run);
    return status;
}

static int run_kernels(struct expect *e, const double *box, size_t n,
                       tutti_expect_options *how)
{
    tutti_kernel *f = NULL;
    tutti_expectation found;
    tutti_status status = open_function(&f, e->function, n);
    if (!status && e->density)
        status = open_function(&how->density, e->density, n);
    if (!status)
        status = estimate(&found, f, box, n, how, e);
    if (!status)
        print(&found, e->density);
    if (!status)
        cli_run_explain(&e->run);
    tutti_kernel_close(f);
    tutti_kernel_close(how->density);
    return status ? cli_fail_library(status) : CLI_OK;
}

static int run_expect(int argc, char **argv)
{
    static double box[2 * SIDES];
    struct expect e = {.function = NULL};
    tutti_expect_options how = TUTTI_EXPECT_OPTIONS_INIT;
    size_t n;
    int status =
        cli_options_parse(options, &e, &e.function, argc - 2, argv + 2);
    if (!status && e.help)
        return cli_command_help(&cli_expect_command, stdout), CLI_OK;
    if (!status && !e.function)
        return cli_fail("the function is missing: expected tutti expect 'x0*x0 "
                        "+ x1*x1' --box 0:1,0:1; tutti help expect tells all");
    if (!status && !e.box)
        return cli_fail("the box is missing: expected --box LOW:HIGH,...");
    if (!status)
        status = check_function(e.function);
    if (!status && e.density)
        status = check_function(e.density);
    if (!status)
        status = read_box(box, &n, e.box);
    if (!status)
        status = read_how(&how, &e);
    return status ? status : run_kernels(&e, box, n, &how);
}

const struct cli_command cli_expect_command = {
    "expect",
    "F --box LOW:HIGH,... [OPTION]...",
    "estimates the mean of a function over a box, with its standard error",
    "F is an expression of x0, x1, ... in C, with math.h; or FILE.c:NAME or\n"
    "LIB.so:NAME, double NAME(int n, const double *x). The same N points and\n"
    "sums, to the bit, in any place and with any number of workers.\n\n"
    "Status: 0 done, 1 ended before that, 2 not run as asked, or F gave a\n"
    "value that is no number.\n",
    options,
    run_expect,
};
