#include "kernel/wrapper.h"

#include <stdio.h>

#include "kernel/file.h"

static void put_row_type(FILE *to, const struct tt_signature *s)
{
    const char *constant = s->mutable ? "" : "const ";
    const char *user = s->user ? ", void *" : "";
    if (s->count_first)
        fprintf(to, "%s(int, %s%s *%s)", s->result_c, constant, s->item_c,
                user);
    else
        fprintf(to, "%s(%s%s *, int%s)", s->result_c, constant, s->item_c,
                user);
}

/* The function's type as the compiler must see it; `name` is what it declares,
 * or empty. */
static void put_each_type(FILE *to, const struct tt_signature *s,
                          const char *name)
{
    fprintf(to, "void%s(__SIZE_TYPE__", name);
    for (unsigned i = 0; i < s->parameters; i++)
        fprintf(to, ", %s%s%s", s->parameter[i].constant ? "const " : "",
                s->parameter[i].c, s->parameter[i].array ? " *" : "");
    fputs(")", to);
}

static void put_type(FILE *to, const struct tt_signature *s)
{
    switch (s->form) {
    case TUTTI_FORM_SCALAR:
        fprintf(to, "%s(%s%s)", s->result_c, s->item_c,
                s->user ? ", void *" : "");
        break;
    case TUTTI_FORM_BLOCK:
        fprintf(to, "void(__SIZE_TYPE__, const %s *, %s *)", s->item_c,
                s->result_c);
        break;
    case TUTTI_FORM_ROW:
        put_row_type(to, s);
        break;
    case TUTTI_FORM_ROWS:
        fprintf(to, "void(const %s *, int, %s *)", s->item_c, s->result_c);
        break;
    case TUTTI_FORM_POINTS:
        fprintf(to, "void(int, __SIZE_TYPE__, const %s *, %s *)", s->item_c,
                s->result_c);
        break;
    case TUTTI_FORM_EACH:
        put_each_type(to, s, "");
        break;
    }
}

static void put_row_call(FILE *to, const struct tt_signature *s)
{
    const char *cast = s->mutable ? "(void *)" : "";
    const char *user = s->user ? ", tt_user" : "";
    fprintf(to, "    tt_y[tt_i] = %s(", s->name);
    if (s->count_first)
        fprintf(to, "(int)tt_in, %s(tt_x + tt_i * tt_in)%s);\n", cast, user);
    else
        fprintf(to, "%s(tt_x + tt_i * tt_in), (int)tt_in%s);\n", cast, user);
}

static void put_calls(FILE *to, const struct tt_signature *s)
{
    if (!tt_form_is_block(s->form))
        fputs("    for (__SIZE_TYPE__ tt_i = 0; tt_i < tt_n; tt_i++)\n    ",
              to);
    switch (s->form) {
    case TUTTI_FORM_SCALAR:
        fprintf(to, "    tt_y[tt_i] = %s(tt_x[tt_i]%s);\n", s->name,
                s->user ? ", tt_user" : "");
        break;
    case TUTTI_FORM_BLOCK:
        fprintf(to, "    %s(tt_n, tt_x, tt_y);\n", s->name);
        break;
    case TUTTI_FORM_ROW:
        put_row_call(to, s);
        break;
    case TUTTI_FORM_ROWS:
        fprintf(to,
                "    %s(tt_x + tt_i * tt_in, (int)tt_in, "
                "tt_y + tt_i * tt_out);\n",
                s->name);
        break;
    case TUTTI_FORM_POINTS:
        fprintf(to, "    %s((int)tt_in, tt_n, tt_x, tt_y);\n", s->name);
        break;
    case TUTTI_FORM_EACH:
        break;
    }
}

/* Names begin with tt_, as the user's macros are still in force; the type
 * check catches what the reader of the signature cannot see (a macro, a second
 * definition in another branch). */
static void put_check(FILE *to, const struct tt_signature *s)
{
    fprintf(to,
            "\n#line 1 \"the call of %s\"\n"
            "_Static_assert(__builtin_types_compatible_p(__typeof__(%s),\n    ",
            s->name, s->name);
    put_type(to, s);
    fprintf(to,
            "), \"it is not %s: a macro or another definition hides it\");\n",
            s->text);
}

static void put_entry(FILE *to, const struct tt_signature *s)
{
    fprintf(to,
            "__attribute__((visibility(\"default\")))\n"
            "void " TT_WRAPPER_ENTRY "(void (*tt_f)(void), void *tt_user,\n"
            "    __SIZE_TYPE__ tt_n, const void *tt_items,\n"
            "    __SIZE_TYPE__ tt_in, void *tt_results, __SIZE_TYPE__ tt_out)\n"
            "{\n"
            "    const %s *__restrict tt_x = tt_items;\n"
            "    %s *__restrict tt_y = tt_results;\n"
            "    (void)tt_f, (void)tt_user, (void)tt_in, (void)tt_out;\n",
            s->item_c, s->result_c);
    put_calls(to, s);
    fputs("}\n", to);
}

/* `name`: what is called. */
static void put_each(FILE *to, const struct tt_signature *s, const char *name)
{
    fputs("__attribute__((visibility(\"default\")))\n"
          "void " TT_WRAPPER_EACH "(void (*tt_f)(void), __SIZE_TYPE__ tt_i,\n"
          "    __SIZE_TYPE__ tt_end, const void *const *tt_a)\n"
          "{\n",
          to);
    fputs("    ", to);
    put_each_type(to, s, " (*tt_g)");
    fprintf(to, " = (void *)%s;\n", name);
    for (unsigned i = 0; i < s->parameters; i++) {
        const struct tt_parameter *p = &s->parameter[i];
        if (p->array)
            fprintf(to, "    %s *tt_a%u = (void *)tt_a[%u];\n", p->c, i, i);
        else
            fprintf(to, "    %s tt_a%u = *(const %s *)tt_a[%u];\n", p->c, i,
                    p->c, i);
    }
    fputs("    for (; tt_i < tt_end; tt_i++)\n        tt_g(tt_i", to);
    for (unsigned i = 0; i < s->parameters; i++)
        fprintf(to, ", tt_a%u", i);
    fputs(");\n}\n", to);
}

tutti_status tt_wrapper_make(char **text, const struct tt_signature *signature)
{
    size_t size;
    FILE *to = open_memstream(text, &size);
    if (to == NULL)
        return tt_fail_memory("a kernel's text");
    put_check(to, signature);
    if (signature->form != TUTTI_FORM_EACH)
        put_entry(to, signature);
    if (signature->each)
        put_each(to, signature, signature->name);
    return tt_text_end(to, text) ? TUTTI_OK : tt_fail_memory("a kernel's text");
}

tutti_status tt_wrapper_native(char **text,
                               const struct tt_signature *signature)
{
    size_t size;
    FILE *to = open_memstream(text, &size);
    if (to == NULL)
        return tt_fail_memory("a kernel's text");
    put_each(to, signature, "tt_f");
    return tt_text_end(to, text) ? TUTTI_OK : tt_fail_memory("a kernel's text");
}
