#include "kernel/signature.h"

#include <stdio.h>
#include <string.h>

#include "kernel/scan.h"

/* Types as they are written. */
enum base { NO_TYPE, VOID, F64, F32, I32, I64, INT, LONG, LLONG, SIZE, OTHER };

static const struct {
    tutti_type type; /* 0: not one of the four */
    const char *c;   /* as a compiler sees it without any header */
} bases[] = {
    [VOID] = {0, "void"},
    [F64] = {TUTTI_F64, "double"},
    [F32] = {TUTTI_F32, "float"},
    [I32] = {TUTTI_I32, "__INT32_TYPE__"},
    [I64] = {TUTTI_I64, "__INT64_TYPE__"},
    [INT] = {TUTTI_I32, "int"},
    [LONG] = {sizeof(long) == 8 ? TUTTI_I64 : 0, "long"},
    [LLONG] = {TUTTI_I64, "long long"},
    [SIZE] = {0, "__SIZE_TYPE__"},
    [OTHER] = {0, NULL},
};

/* One parameter, or what a function returns. */
struct kind {
    enum base base;
    bool constant; /* what it points to, if it is a pointer */
    unsigned stars;
};

enum word {
    W_DOUBLE = 1,
    W_FLOAT = 1 << 1,
    W_INT = 1 << 2,
    W_LONG = 1 << 3,
    W_SIGNED = 1 << 4,
    W_VOID = 1 << 5,
    W_I32 = 1 << 6,
    W_I64 = 1 << 7,
    W_SIZE = 1 << 8,
    W_OTHER = 1 << 9,
    W_LONG2 = 1 << 10,
    W_CONST = 1 << 11,
    W_PLAIN = 1 << 12 /* says nothing about the type */
};

static const struct {
    const char *text;
    enum word word;
} words[] = {
    {"double", W_DOUBLE},      {"float", W_FLOAT},      {"int", W_INT},
    {"long", W_LONG},          {"signed", W_SIGNED},    {"void", W_VOID},
    {"int32_t", W_I32},        {"int64_t", W_I64},      {"size_t", W_SIZE},
    {"char", W_OTHER},         {"short", W_OTHER},      {"unsigned", W_OTHER},
    {"_Bool", W_OTHER},        {"bool", W_OTHER},       {"_Complex", W_OTHER},
    {"struct", W_OTHER},       {"union", W_OTHER},      {"enum", W_OTHER},
    {"const", W_CONST},        {"restrict", W_PLAIN},   {"__restrict", W_PLAIN},
    {"__restrict__", W_PLAIN}, {"static", W_PLAIN},     {"inline", W_PLAIN},
    {"__inline", W_PLAIN},     {"__inline__", W_PLAIN}, {"extern", W_PLAIN},
    {"register", W_PLAIN},
};

static enum word word_of(const struct tt_token *token)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (tt_token_is(token, words[i].text))
            return words[i].word;
    return 0;
}

static enum base base_of(unsigned seen)
{
    unsigned type = seen & ~(unsigned)(W_CONST | W_PLAIN);
    unsigned core = type & ~(unsigned)(W_INT | W_SIGNED);
    switch (type) {
    case 0:
        return NO_TYPE;
    case W_DOUBLE:
        return F64;
    case W_FLOAT:
        return F32;
    case W_VOID:
        return VOID;
    case W_I32:
        return I32;
    case W_I64:
        return I64;
    case W_SIZE:
        return SIZE;
    }
    if (core == 0)
        return INT;
    if (core == W_LONG)
        return LONG;
    return core == (W_LONG | W_LONG2) ? LLONG : OTHER;
}

static struct tt_token next(struct tt_lexer *lexer)
{
    struct tt_token token;
    do
        token = tt_lexer_next(lexer);
    while (token.kind == TT_TOKEN_LINE);
    return token;
}

/* Takes the next token if it is `text`. */
static bool take(struct tt_lexer *lexer, const char *text)
{
    struct tt_token token = tt_lexer_peek(lexer);
    if (!tt_token_is(&token, text))
        return false;
    next(lexer);
    return true;
}

/* Skips what stands in brackets, these included; false at the text's end. */
static bool skip_brackets(struct tt_lexer *lexer)
{
    unsigned depth = 0;
    do {
        struct tt_token token = next(lexer);
        if (token.kind == TT_TOKEN_END)
            return false;
        if (tt_token_is(&token, "(") || tt_token_is(&token, "["))
            depth++;
        if (tt_token_is(&token, ")") || tt_token_is(&token, "]"))
            depth--;
    } while (depth > 0);
    return true;
}

static bool skip_attributes(struct tt_lexer *lexer)
{
    while (take(lexer, "__attribute__")) {
        struct tt_token token = tt_lexer_peek(lexer);
        if (!tt_token_is(&token, "(") || !skip_brackets(lexer))
            return false;
    }
    return true;
}

/* Reads the words of a type, up to a star or a name that is none of them. */
static unsigned read_words(struct tt_lexer *lexer)
{
    unsigned seen = 0;
    for (;;) {
        if (!skip_attributes(lexer))
            return seen | W_OTHER;
        struct tt_token token = tt_lexer_peek(lexer);
        if (token.kind != TT_TOKEN_NAME)
            return seen;
        unsigned word = word_of(&token);
        bool typed = base_of(seen) != NO_TYPE;
        if (word == 0 && typed)
            return seen; /* what is declared */
        if (word == 0)
            word = W_OTHER;
        if (word == W_LONG && (seen & W_LONG))
            word = seen & W_LONG2 ? W_OTHER : W_LONG2;
        else if (seen & word & ~(unsigned)(W_CONST | W_PLAIN))
            word = W_OTHER;
        seen |= word;
        next(lexer);
    }
}

static struct kind read_kind(struct tt_lexer *lexer)
{
    unsigned seen = read_words(lexer);
    struct kind kind = {base_of(seen), (seen & W_CONST) != 0, 0};
    while (take(lexer, "*")) {
        kind.stars++;
        while (take(lexer, "const") || take(lexer, "restrict") ||
               take(lexer, "__restrict") || take(lexer, "__restrict__"))
            continue;
    }
    return kind;
}

/* Reads one parameter; false if it cannot be one of ours. */
static bool read_parameter(struct tt_lexer *lexer, struct kind *kind)
{
    *kind = read_kind(lexer);
    struct tt_token token = tt_lexer_peek(lexer);
    if (token.kind == TT_TOKEN_NAME)
        next(lexer);
    token = tt_lexer_peek(lexer);
    if (tt_token_is(&token, "[")) {
        kind->stars++;
        if (!skip_brackets(lexer))
            return false;
    }
    return skip_attributes(lexer) && kind->base != NO_TYPE;
}

/* A function's types: kinds[0] is what it returns. */
struct shape {
    struct kind kinds[4];
    unsigned parameters;
};

static bool read_shape(struct tt_lexer lexer, const struct tt_token *name,
                       struct shape *shape)
{
    shape->kinds[0] = read_kind(&lexer);
    struct tt_token token = next(&lexer);
    if (token.at != name->at || !take(&lexer, "("))
        return false;
    shape->parameters = 0;
    do {
        if (shape->parameters == 3)
            return false;
        if (!read_parameter(&lexer, &shape->kinds[++shape->parameters]))
            return false;
    } while (take(&lexer, ","));
    return take(&lexer, ")");
}

static bool is_value(const struct kind *kind)
{
    return kind->stars == 0 && bases[kind->base].type != 0;
}

static bool is_array(const struct kind *kind, bool constant)
{
    return kind->stars == 1 && kind->constant == constant &&
           bases[kind->base].type != 0;
}

static bool is_plain(const struct kind *kind, enum base base)
{
    return kind->stars == 0 && kind->base == base;
}

/* The form of a shape, and which of its kinds are item and result; 0: none. */
static tutti_form form_of(const struct shape *shape, const struct kind **item,
                          const struct kind **result)
{
    const struct kind *k = shape->kinds;
    *item = &k[1];
    *result = &k[0];
    if (shape->parameters == 1 && is_value(&k[0]) && is_value(&k[1]))
        return TUTTI_FORM_SCALAR;
    if (shape->parameters == 2 && is_value(&k[0]) && is_array(&k[1], true) &&
        is_plain(&k[2], INT))
        return TUTTI_FORM_ROW;
    if (shape->parameters != 3 || !is_plain(&k[0], VOID) ||
        !is_array(&k[3], false))
        return 0;
    *result = &k[3];
    if (is_array(&k[1], true) && is_plain(&k[2], INT))
        return TUTTI_FORM_ROWS;
    *item = &k[2];
    if (is_plain(&k[1], SIZE) && is_array(&k[2], true))
        return TUTTI_FORM_BLOCK;
    return 0;
}

static const char *c_name(tutti_type type)
{
    static const char *const names[] = {[TUTTI_F64] = "double",
                                        [TUTTI_F32] = "float",
                                        [TUTTI_I64] = "int64_t",
                                        [TUTTI_I32] = "int32_t"};
    return names[type];
}

static void normalise(struct tt_signature *s)
{
    const char *item = c_name(s->item), *result = c_name(s->result);
    size_t room = sizeof s->text;
    switch (s->form) {
    case TUTTI_FORM_SCALAR:
        snprintf(s->text, room, "%s %s(%s x)", result, s->name, item);
        break;
    case TUTTI_FORM_BLOCK:
        snprintf(s->text, room, "void %s(size_t n, const %s *x, %s *out)",
                 s->name, item, result);
        break;
    case TUTTI_FORM_ROW:
        snprintf(s->text, room, "%s %s(const %s *row, int n)", result, s->name,
                 item);
        break;
    case TUTTI_FORM_ROWS:
        snprintf(s->text, room, "void %s(const %s *row, int n, %s *out)",
                 s->name, item, result);
        break;
    }
}

/* The text of a declaration in one line, for a message. */
static void quote(char *to, size_t room, struct tt_lexer lexer,
                  const struct tt_token *name)
{
    size_t size = 0;
    struct tt_token token, last = {0};
    bool past = false;
    do {
        token = next(&lexer);
        if (token.kind == TT_TOKEN_END || tt_token_is(&token, "{") ||
            tt_token_is(&token, ";"))
            break;
        bool gap = last.at && last.at + last.size != token.at;
        if (size + gap + token.size >= room)
            break;
        if (gap)
            to[size++] = ' ';
        for (size_t i = 0; i < token.size; i++)
            to[size++] = token.at[i] < ' ' ? '?' : token.at[i];
        past = past || token.at == name->at;
        last = token;
    } while (!past || !tt_token_is(&token, ")"));
    to[size] = 0;
}

static tutti_status refuse(const struct tt_scan *scan,
                           const struct tt_token *name, const char *where,
                           bool lines)
{
    char found[128], line[16] = "";
    quote(found, sizeof found, scan->start, name);
    if (lines)
        snprintf(line, sizeof line, ":%u", name->line);
    return tt_fail(TUTTI_EARG,
                   "%.120s%s: '%s' is not an accepted signature; these are, T "
                   "and U being double, float, int64_t (long) or int32_t "
                   "(int): U f(T x), void f(size_t n, const T *x, U *out), "
                   "U f(const T *row, int n), "
                   "void f(const T *row, int n, U *out)",
                   where, line, found);
}

static tutti_status accept(struct tt_signature *out, const struct tt_scan *scan,
                           const struct tt_token *name, const char *where,
                           bool lines)
{
    struct shape shape;
    const struct kind *item, *result;
    if (!read_shape(scan->start, name, &shape))
        return refuse(scan, name, where, lines);
    tutti_form form = form_of(&shape, &item, &result);
    if (form == 0)
        return refuse(scan, name, where, lines);
    struct tt_signature s = {form,
                             bases[item->base].type,
                             bases[result->base].type,
                             bases[item->base].c,
                             bases[result->base].c,
                             "",
                             ""};
    memcpy(s.name, name->at, name->size);
    normalise(&s);
    *out = s;
    return TUTTI_OK;
}

/* Whether the function whose name was just scanned has a body. */
static bool is_defined(const struct tt_scan *scan)
{
    struct tt_lexer lexer = scan->lexer;
    if (!skip_brackets(&lexer) || !skip_attributes(&lexer))
        return false;
    struct tt_token token = tt_lexer_peek(&lexer);
    return !tt_token_is(&token, ";") && !tt_token_is(&token, ",");
}

/* Says what is there instead of `name`. */
static tutti_status missing(const char *text, size_t size, const char *name,
                            const char *where)
{
    char names[200] = "";
    size_t used = 0;
    struct tt_scan scan;
    struct tt_token token;
    tt_scan_init(&scan, text, size);
    while (tt_scan_next(&scan, &token)) {
        if (!is_defined(&scan) || used + token.size + 3 > sizeof names)
            continue;
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%.*s",
                                 used ? ", " : "", (int)token.size, token.at);
    }
    return tt_fail(TUTTI_EARG, "%.120s: no function '%.100s' at file scope%s%s",
                   where, name, used ? "; it has " : "", names);
}

static bool is_name(const char *name)
{
    struct tt_lexer lexer;
    tt_lexer_init(&lexer, name, strlen(name));
    struct tt_token token = tt_lexer_next(&lexer);
    return token.kind == TT_TOKEN_NAME && tt_token_is(&token, name) &&
           token.size < TT_SIGNATURE_NAME;
}

tutti_status tt_signature_read(struct tt_signature *out, const char *text,
                               size_t size, const char *name, const char *where,
                               bool lines)
{
    struct tt_scan scan, declared;
    struct tt_token token, declaration = {0};
    if (!is_name(name))
        return tt_fail(TUTTI_EARG,
                       "'%.100s' is not the name of a C function (letters, "
                       "digits and _, at most %d)",
                       name, TT_SIGNATURE_NAME - 1);
    tt_scan_init(&scan, text, size);
    while (tt_scan_next(&scan, &token)) {
        if (!tt_token_is(&token, name))
            continue;
        if (is_defined(&scan))
            return accept(out, &scan, &token, where, lines);
        if (declaration.at == NULL) {
            declaration = token;
            declared = scan;
        }
    }
    if (declaration.at != NULL)
        return accept(out, &declared, &declaration, where, lines);
    return missing(text, size, name, where);
}
