#include "kernel/form.h"

#include <stdio.h>
#include <string.h>

const char *const tt_form_words =
    "U f(T x), void f(size_t n, const T *x, U *out), "
    "U f(const T *row, int n), void f(const T *row, int n, U *out), "
    "void f(int n, size_t m, const T *x, U *out), void f(size_t i, ...), T and "
    "U being double, float, (u)int64_t or (u)int32_t";

static const struct {
    tutti_type type; /* 0: not one of ours */
    const char *c;   /* as a compiler sees it without any header */
} bases[] = {
    [TT_BASE_VOID] = {0, "void"},
    [TT_BASE_F64] = {TUTTI_F64, "double"},
    [TT_BASE_F32] = {TUTTI_F32, "float"},
    [TT_BASE_I32] = {TUTTI_I32, "__INT32_TYPE__"},
    [TT_BASE_I64] = {TUTTI_I64, "__INT64_TYPE__"},
    [TT_BASE_U32] = {TUTTI_U32, "__UINT32_TYPE__"},
    [TT_BASE_U64] = {TUTTI_U64, "__UINT64_TYPE__"},
    [TT_BASE_INT] = {TUTTI_I32, "int"},
    [TT_BASE_LONG] = {sizeof(long) == 8 ? TUTTI_I64 : 0, "long"},
    [TT_BASE_LLONG] = {TUTTI_I64, "long long"},
    [TT_BASE_UINT] = {TUTTI_U32, "unsigned"},
    [TT_BASE_ULONG] = {sizeof(long) == 8 ? TUTTI_U64 : 0, "unsigned long"},
    [TT_BASE_ULLONG] = {TUTTI_U64, "unsigned long long"},
    [TT_BASE_SIZE] = {sizeof(size_t) == 8 ? TUTTI_U64 : 0, "__SIZE_TYPE__"},
    [TT_BASE_OTHER] = {0, NULL},
};

static bool is_value(const struct tt_kind *kind)
{
    return kind->stars == 0 && bases[kind->base].type != 0;
}

static bool is_array(const struct tt_kind *kind)
{
    return kind->stars == 1 && bases[kind->base].type != 0;
}

static bool is_input(const struct tt_kind *kind)
{
    return is_array(kind) && kind->constant;
}

static bool is_output(const struct tt_kind *kind)
{
    return is_array(kind) && !kind->constant;
}

static bool is_plain(const struct tt_kind *kind, enum tt_base base)
{
    return kind->stars == 0 && kind->base == base;
}

static void take(struct tt_signature *s, tutti_form form,
                 const struct tt_kind *item, const struct tt_kind *result)
{
    s->form = form;
    s->item = bases[item->base].type;
    s->item_c = bases[item->base].c;
    s->result = bases[result->base].type;
    s->result_c = bases[result->base].c;
}

/* What gives a value: of a value, or of a row. */
static void find_value(struct tt_signature *s, const struct tt_shape *shape)
{
    const struct tt_kind *k = shape->kinds;
    unsigned n = shape->parameters;
    s->user =
        n > 1 && k[n].base == TT_BASE_VOID && k[n].stars == 1 && !k[n].constant;
    n -= s->user;
    if (n == 1 && is_value(&k[1]))
        take(s, TUTTI_FORM_SCALAR, &k[1], &k[0]);
    if (n != 2)
        return;
    s->count_first = is_plain(&k[1], TT_BASE_INT);
    const struct tt_kind *row = &k[s->count_first ? 2 : 1];
    s->mutable = !row->constant;
    if (is_array(row) && is_plain(&k[s->count_first ? 1 : 2], TT_BASE_INT))
        take(s, TUTTI_FORM_ROW, row, &k[0]);
}

static void find_each(struct tt_signature *s, const struct tt_shape *shape)
{
    for (unsigned i = 2; i <= shape->parameters; i++) {
        const struct tt_kind *k = &shape->kinds[i];
        if (!is_value(k) && !is_array(k))
            return;
        s->parameter[i - 2] = (struct tt_parameter){
            bases[k->base].type, k->stars == 1, k->constant, bases[k->base].c};
    }
    s->form = TUTTI_FORM_EACH;
    s->parameters = shape->parameters - 1;
    s->each = true;
}

/* What gives nothing, but writes. */
static void find_void(struct tt_signature *s, const struct tt_shape *shape)
{
    const struct tt_kind *k = shape->kinds;
    unsigned n = shape->parameters;
    if (is_plain(&k[1], TT_BASE_SIZE))
        find_each(s, shape);
    if (n == 3 && is_input(&k[1]) && is_plain(&k[2], TT_BASE_INT) &&
        is_output(&k[3]))
        take(s, TUTTI_FORM_ROWS, &k[1], &k[3]);
    if (n == 3 && is_plain(&k[1], TT_BASE_SIZE) && !k[1].index &&
        is_input(&k[2]) && is_output(&k[3]))
        take(s, TUTTI_FORM_BLOCK, &k[2], &k[3]);
    if (n == 4 && is_plain(&k[1], TT_BASE_INT) &&
        is_plain(&k[2], TT_BASE_SIZE) && is_input(&k[3]) && is_output(&k[4]))
        take(s, TUTTI_FORM_POINTS, &k[3], &k[4]);
}

static const char *c_name(tutti_type type)
{
    static const char *const names[] = {
        [TUTTI_F64] = "double",   [TUTTI_F32] = "float",
        [TUTTI_I64] = "int64_t",  [TUTTI_I32] = "int32_t",
        [TUTTI_U64] = "uint64_t", [TUTTI_U32] = "uint32_t"};
    return names[type];
}

static void normalise_row(struct tt_signature *s)
{
    const char *constant = s->mutable ? "" : "const ";
    const char *user = s->user ? ", void *user" : "";
    const char *item = c_name(s->item), *result = c_name(s->result);
    if (s->count_first)
        snprintf(s->text, sizeof s->text, "%s %s(int n, %s%s *row%s)", result,
                 s->name, constant, item, user);
    else
        snprintf(s->text, sizeof s->text, "%s %s(%s%s *row, int n%s)", result,
                 s->name, constant, item, user);
}

static void normalise_each(struct tt_signature *s)
{
    size_t room = sizeof s->text;
    size_t used = (size_t)snprintf(s->text, room, "void %s(size_t i", s->name);
    for (unsigned i = 0; i < s->parameters; i++) {
        const struct tt_parameter *p = &s->parameter[i];
        used += (size_t)snprintf(s->text + used, room - used, ", %s%s%s",
                                 p->array && p->constant ? "const " : "",
                                 c_name(p->type), p->array ? " *" : "");
    }
    snprintf(s->text + used, room - used, ")");
}

static void normalise(struct tt_signature *s)
{
    const char *item = c_name(s->item), *result = c_name(s->result);
    size_t room = sizeof s->text;
    switch (s->form) {
    case TUTTI_FORM_SCALAR:
        snprintf(s->text, room, "%s %s(%s x%s)", result, s->name, item,
                 s->user ? ", void *user" : "");
        break;
    case TUTTI_FORM_BLOCK:
        snprintf(s->text, room, "void %s(size_t n, const %s *x, %s *out)",
                 s->name, item, result);
        break;
    case TUTTI_FORM_ROW:
        normalise_row(s);
        break;
    case TUTTI_FORM_ROWS:
        snprintf(s->text, room, "void %s(const %s *row, int n, %s *out)",
                 s->name, item, result);
        break;
    case TUTTI_FORM_POINTS:
        snprintf(s->text, room,
                 "void %s(int n, size_t m, const %s *x, %s *out)", s->name,
                 item, result);
        break;
    case TUTTI_FORM_EACH:
        normalise_each(s);
        break;
    }
}

bool tt_form_find(struct tt_signature *out, const struct tt_shape *shape,
                  const char *name, size_t size)
{
    struct tt_signature s = {0};
    if (shape->parameters < 1)
        return false;
    if (is_value(&shape->kinds[0]))
        find_value(&s, shape);
    else if (is_plain(&shape->kinds[0], TT_BASE_VOID))
        find_void(&s, shape);
    if (s.form == 0)
        return false;
    memcpy(s.name, name, size);
    normalise(&s);
    *out = s;
    return true;
}
