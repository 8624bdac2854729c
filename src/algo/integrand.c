/* Kernels as functions of points. */
#include <stdio.h>
#include <stdlib.h>

#include "algo/sample.h"
#include "core/status.h"
#include "kernel/file.h"

#define SYMBOL "tt_expect_points"
#define SPELLED 32 /* coordinates that are named one by one */

/* What is called of the user's for point tt_i, whose coordinates are tt_p. */
static void put_value(FILE *to, const struct tt_signature *s, size_t n)
{
    const char *user = s->user ? ", tt_user" : "";
    if (s->form == TUTTI_FORM_SCALAR)
        fprintf(to, "%s(tt_p[0]%s)", s->name, user);
    else if (s->count_first)
        fprintf(to, "%s(%zu, tt_p%s)", s->name, n, user);
    else
        fprintf(to, "%s(tt_p, %zu%s)", s->name, n, user);
}

/* The coordinates are spelled out and n is a constant: what is called is put in
 * place, its loops are unrolled, and the loop over points becomes one over
 * vectors, as no point depends on another. */
static void put_loop(FILE *to, const struct tt_signature *s, size_t n)
{
    fprintf(to,
            "#ifdef __clang__\n"
            "#pragma clang loop vectorize(assume_safety)\n"
            "#else\n"
            "#pragma GCC ivdep\n"
            "#endif\n"
            "    for (__SIZE_TYPE__ tt_i = 0; tt_i < tt_m; tt_i++) {\n"
            "        double tt_p[%zu]",
            n);
    if (n <= SPELLED) {
        for (size_t d = 0; d < n; d++)
            fprintf(to, "%s tt_x[%zu * tt_w + tt_i]", d ? "," : " = {", d);
        fputs("};\n", to);
    } else {
        fprintf(to,
                ";\n        for (int tt_d = 0; tt_d < %zu; tt_d++)\n"
                "            tt_p[tt_d] = tt_x[tt_d * tt_w + tt_i];\n",
                n);
    }
    fputs("        tt_y[tt_i] = ", to);
    put_value(to, s, n);
    fputs(";\n    }\n", to);
}

static void put_body(FILE *to, const struct tt_signature *s, size_t n)
{
    if (s->form == TUTTI_FORM_POINTS)
        fprintf(to, "    %s(%zu, tt_m, tt_x, tt_y);\n", s->name, n);
    else if (s->form == TUTTI_FORM_BLOCK)
        fprintf(to, "    %s(tt_m, tt_x, tt_y);\n", s->name);
    else
        put_loop(to, s, n);
}

/* A tt_kernel_entry for points of n coordinates. */
static tutti_status write_entry(char **text, const struct tt_signature *s,
                                size_t n)
{
    size_t size;
    FILE *to = open_memstream(text, &size);
    if (!to)
        return tt_fail_memory("a kernel's text");
    fprintf(to,
            "\n#line 1 \"the call of %s\"\n"
            "__attribute__((visibility(\"default\"), flatten))\n"
            "void " SYMBOL "(void (*tt_f)(void), void *tt_user,\n"
            "    __SIZE_TYPE__ tt_m, const void *tt_points,\n"
            "    __SIZE_TYPE__ tt_n, void *tt_values, __SIZE_TYPE__ tt_w)\n"
            "{\n"
            "    const double *__restrict tt_x = tt_points;\n"
            "    double *__restrict tt_y = tt_values;\n"
            "    (void)tt_f, (void)tt_user, (void)tt_n, (void)tt_w;\n",
            s->name);
    put_body(to, s, n);
    fputs("}\n", to);
    return tt_text_end(to, text) ? TUTTI_OK : tt_fail_memory("a kernel's text");
}

/* Whether a function of one value or of a point is this. */
static tutti_status check(const struct tt_signature *s, const char *what,
                          size_t n)
{
    bool one = s->form == TUTTI_FORM_SCALAR || s->form == TUTTI_FORM_BLOCK;
    bool point = s->form == TUTTI_FORM_ROW || s->form == TUTTI_FORM_POINTS;
    if ((one || point) && s->item == TUTTI_F64 && s->result == TUTTI_F64) {
        if (point || n == 1)
            return TUTTI_OK;
        return tt_fail(TUTTI_EARG,
                       "%s, %.200s, takes one number, but the box has %zu "
                       "coordinates: expected double f(int n, const double *x)",
                       what, s->text, n);
    }
    return tt_fail(TUTTI_EARG,
                   "%s is %.200s: expected double f(int n, const double *x) or "
                   "void f(int n, size_t m, const double *x, double *out)",
                   what, s->text);
}

tutti_status tt_sampler_take(struct tt_sampler *s, int which,
                             tutti_kernel *kernel)
{
    const struct tt_signature *g = &kernel->signature;
    tutti_status status = check(g, which ? "the density" : "f", s->n);
    if (status)
        return status;
    s->callee[which] = (struct tt_callee){
        .native = kernel->source.text == NULL,
        .rows = kernel->source.text == NULL && g->form == TUTTI_FORM_ROW,
        .count_first = g->count_first,
        .has_user = g->user,
        .form = g->form,
        .user = kernel->user,
    };
    if (s->callee[which].native) {
        s->function[which] = kernel->function;
        return TUTTI_OK;
    }
    char *text;
    void *address;
    status = write_entry(&text, g, s->n);
    if (status)
        return status;
    status = tt_kernel_build(kernel, text, true, SYMBOL, &address);
    free(text);
    if (!status)
        s->function[which] = (tt_function)(uintptr_t)address;
    return status;
}
