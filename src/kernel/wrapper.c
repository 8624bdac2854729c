#include "kernel/wrapper.h"

#include <stdio.h>
#include <stdlib.h>

static void put_quoted(FILE *to, const char *path)
{
    fputs("#line 1 \"", to);
    for (; *path; path++) {
        if (*path == '"' || *path == '\\')
            fputc('\\', to);
        fputc(*path == '\n' ? '?' : *path, to);
    }
    fputs("\"\n", to);
}

/* The function's type as the compiler must see it. */
static void put_type(FILE *to, const struct tt_signature *s)
{
    switch (s->form) {
    case TUTTI_FORM_SCALAR:
        fprintf(to, "%s(%s)", s->result_c, s->item_c);
        break;
    case TUTTI_FORM_BLOCK:
        fprintf(to, "void(__SIZE_TYPE__, const %s *, %s *)", s->item_c,
                s->result_c);
        break;
    case TUTTI_FORM_ROW:
        fprintf(to, "%s(const %s *, int)", s->result_c, s->item_c);
        break;
    case TUTTI_FORM_ROWS:
        fprintf(to, "void(const %s *, int, %s *)", s->item_c, s->result_c);
        break;
    }
}

static void put_calls(FILE *to, const struct tt_signature *s)
{
    if (s->form != TUTTI_FORM_BLOCK)
        fputs("    for (__SIZE_TYPE__ tt_i = 0; tt_i < tt_n; tt_i++)\n    ",
              to);
    switch (s->form) {
    case TUTTI_FORM_SCALAR:
        fprintf(to, "    tt_y[tt_i] = %s(tt_x[tt_i]);\n", s->name);
        break;
    case TUTTI_FORM_BLOCK:
        fprintf(to, "    %s(tt_n, tt_x, tt_y);\n", s->name);
        break;
    case TUTTI_FORM_ROW:
        fprintf(to, "    tt_y[tt_i] = %s(tt_x + tt_i * tt_in, (int)tt_in);\n",
                s->name);
        break;
    case TUTTI_FORM_ROWS:
        fprintf(to,
                "    %s(tt_x + tt_i * tt_in, (int)tt_in, "
                "tt_y + tt_i * tt_out);\n",
                s->name);
        break;
    }
}

/* Names begin with tt_, as the user's macros are still in force; the type
 * check catches what the reader of the signature cannot see (a macro, a second
 * definition in another branch). */
static void put_entry(FILE *to, const struct tt_signature *s)
{
    fprintf(to,
            "\n#line 1 \"the call of %s\"\n"
            "_Static_assert(__builtin_types_compatible_p(__typeof__(%s),\n    ",
            s->name, s->name);
    put_type(to, s);
    fprintf(to,
            "), \"it is not %s: a macro or another definition hides it\");\n"
            "__attribute__((visibility(\"default\")))\n"
            "void " TT_WRAPPER_ENTRY "(void (*tt_f)(void),\n"
            "    __SIZE_TYPE__ tt_n, const void *tt_items,\n"
            "    __SIZE_TYPE__ tt_in, void *tt_results, __SIZE_TYPE__ tt_out)\n"
            "{\n"
            "    const %s *__restrict tt_x = tt_items;\n"
            "    %s *__restrict tt_y = tt_results;\n"
            "    (void)tt_f, (void)tt_in, (void)tt_out;\n",
            s->text, s->item_c, s->result_c);
    put_calls(to, s);
    fputs("}\n", to);
}

tutti_status tt_wrapper_make(char **text, size_t *size,
                             const struct tt_signature *signature,
                             const char *path, const char *source,
                             size_t source_size)
{
    char *made = NULL;
    size_t made_size = 0;
    FILE *to = open_memstream(&made, &made_size);
    if (to == NULL)
        return tt_fail_memory("a kernel's text");
    put_quoted(to, path);
    fwrite(source, 1, source_size, to);
    put_entry(to, signature);
    bool failed = ferror(to) != 0;
    if (fclose(to) != 0 || failed) {
        free(made);
        return tt_fail_memory("a kernel's text");
    }
    *text = made;
    *size = made_size;
    return TUTTI_OK;
}
