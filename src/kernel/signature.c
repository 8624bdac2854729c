#include "kernel/signature.h"

#include <stdio.h>
#include <string.h>

#include "kernel/form.h"
#include "kernel/scan.h"

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
    W_PLAIN = 1 << 12, /* says nothing about the type */
    W_UNSIGNED = 1 << 13,
    W_U32 = 1 << 14,
    W_U64 = 1 << 15
};

static const struct {
    const char *text;
    enum word word;
} words[] = {
    {"double", W_DOUBLE},    {"float", W_FLOAT},      {"int", W_INT},
    {"long", W_LONG},        {"signed", W_SIGNED},    {"void", W_VOID},
    {"int32_t", W_I32},      {"int64_t", W_I64},      {"size_t", W_SIZE},
    {"char", W_OTHER},       {"short", W_OTHER},      {"unsigned", W_UNSIGNED},
    {"uint32_t", W_U32},     {"uint64_t", W_U64},     {"_Bool", W_OTHER},
    {"bool", W_OTHER},       {"_Complex", W_OTHER},   {"struct", W_OTHER},
    {"union", W_OTHER},      {"enum", W_OTHER},       {"const", W_CONST},
    {"restrict", W_PLAIN},   {"__restrict", W_PLAIN}, {"__restrict__", W_PLAIN},
    {"static", W_PLAIN},     {"inline", W_PLAIN},     {"__inline", W_PLAIN},
    {"__inline__", W_PLAIN}, {"extern", W_PLAIN},     {"register", W_PLAIN},
};

static enum word word_of(const struct tt_token *token)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (tt_token_is(token, words[i].text))
            return words[i].word;
    return 0;
}

static enum tt_base base_of(unsigned seen)
{
    unsigned type = seen & ~(unsigned)(W_CONST | W_PLAIN);
    unsigned core = type & ~(unsigned)(W_INT | W_SIGNED);
    switch (type) {
    case 0:
        return TT_BASE_NONE;
    case W_DOUBLE:
        return TT_BASE_F64;
    case W_FLOAT:
        return TT_BASE_F32;
    case W_VOID:
        return TT_BASE_VOID;
    case W_I32:
        return TT_BASE_I32;
    case W_I64:
        return TT_BASE_I64;
    case W_U32:
        return TT_BASE_U32;
    case W_U64:
        return TT_BASE_U64;
    case W_SIZE:
        return TT_BASE_SIZE;
    }
    switch (core) {
    case 0:
        return TT_BASE_INT;
    case W_LONG:
        return TT_BASE_LONG;
    case W_LONG | W_LONG2:
        return TT_BASE_LLONG;
    case W_UNSIGNED:
        return type & W_SIGNED ? TT_BASE_OTHER : TT_BASE_UINT;
    case W_UNSIGNED | W_LONG:
        return type & W_SIGNED ? TT_BASE_OTHER : TT_BASE_ULONG;
    case W_UNSIGNED | W_LONG | W_LONG2:
        return type & W_SIGNED ? TT_BASE_OTHER : TT_BASE_ULLONG;
    default:
        return TT_BASE_OTHER;
    }
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
        bool typed = base_of(seen) != TT_BASE_NONE;
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

static struct tt_kind read_kind(struct tt_lexer *lexer)
{
    unsigned seen = read_words(lexer);
    struct tt_kind kind = {base_of(seen), (seen & W_CONST) != 0, 0, false};
    while (take(lexer, "*")) {
        kind.stars++;
        while (take(lexer, "const") || take(lexer, "restrict") ||
               take(lexer, "__restrict") || take(lexer, "__restrict__"))
            continue;
    }
    return kind;
}

/* Reads one parameter; false if it cannot be one of ours. */
static bool read_parameter(struct tt_lexer *lexer, struct tt_kind *kind)
{
    *kind = read_kind(lexer);
    struct tt_token token = tt_lexer_peek(lexer);
    kind->index = tt_token_is(&token, "i");
    if (token.kind == TT_TOKEN_NAME)
        next(lexer);
    token = tt_lexer_peek(lexer);
    if (tt_token_is(&token, "[")) {
        kind->stars++;
        if (!skip_brackets(lexer))
            return false;
    }
    return skip_attributes(lexer) && kind->base != TT_BASE_NONE;
}

static bool read_shape(struct tt_lexer lexer, const struct tt_token *name,
                       struct tt_shape *shape)
{
    shape->kinds[0] = read_kind(&lexer);
    struct tt_token token = next(&lexer);
    if (token.at != name->at || !take(&lexer, "("))
        return false;
    shape->parameters = 0;
    do {
        if (shape->parameters == TT_SIGNATURE_MOST)
            return false;
        if (!read_parameter(&lexer, &shape->kinds[++shape->parameters]))
            return false;
    } while (take(&lexer, ","));
    return take(&lexer, ")");
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
                   "%.120s%s: '%s' is not an accepted signature; these are: %s",
                   where, line, found, tt_form_words);
}

static tutti_status accept(struct tt_signature *out, const struct tt_scan *scan,
                           const struct tt_token *name, const char *where,
                           bool lines)
{
    struct tt_shape shape;
    if (read_shape(scan->start, name, &shape) &&
        tt_form_find(out, &shape, name->at, name->size))
        return TUTTI_OK;
    return refuse(scan, name, where, lines);
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

/* Names, separated by commas, as many as there is room for. */
struct names {
    char text[200];
    size_t used, count;
};

static void add_name(struct names *names, const struct tt_token *name)
{
    size_t room = sizeof names->text - names->used;
    names->count++;
    if (name->size + 3 <= room)
        names->used += (size_t)snprintf(names->text + names->used, room,
                                        "%s%.*s", names->used ? ", " : "",
                                        (int)name->size, name->at);
}

/* Says what is there instead of `name`. */
static tutti_status missing(const char *text, size_t size, const char *name,
                            const char *where)
{
    struct names names = {0};
    struct tt_scan scan;
    struct tt_token token;
    tt_scan_init(&scan, text, size);
    while (tt_scan_next(&scan, &token)) {
        if (is_defined(&scan))
            add_name(&names, &token);
    }
    return tt_fail(TUTTI_EARG, "%.120s: no function '%.100s' at file scope%s%s",
                   where, name, names.used ? "; it has " : "", names.text);
}

static bool is_static(const struct tt_scan *scan, const struct tt_token *name)
{
    struct tt_lexer lexer = scan->start;
    struct tt_token token;
    do {
        token = next(&lexer);
        if (tt_token_is(&token, "static"))
            return true;
    } while (token.at < name->at);
    return false;
}

/* The definitions that could be meant by no name: those that are not static,
 * if there are any. */
static tutti_status read_only(struct tt_signature *out, const char *text,
                              size_t size, const char *where)
{
    struct names all = {0}, fit[2] = {0};
    struct tt_signature found[2];
    struct tt_scan scan, only;
    struct tt_token token, sole = {0};
    struct tt_shape shape;
    tt_scan_init(&scan, text, size);
    while (tt_scan_next(&scan, &token)) {
        if (!is_defined(&scan))
            continue;
        int hidden = is_static(&scan, &token);
        add_name(&all, &token);
        only = scan;
        sole = token;
        if ((fit[hidden].count == 0 ||
             !tt_token_is(&token, found[hidden].name)) &&
            token.size < TT_SIGNATURE_NAME &&
            read_shape(scan.start, &token, &shape) &&
            tt_form_find(fit[hidden].count ? &(struct tt_signature){0}
                                           : &found[hidden],
                         &shape, token.at, token.size))
            add_name(&fit[hidden], &token);
    }
    int chosen = fit[0].count == 0;
    if (fit[chosen].count == 1) {
        *out = found[chosen];
        return TUTTI_OK;
    }
    if (all.count == 1)
        return refuse(&only, &sole, where, true);
    if (fit[chosen].count > 1)
        return tt_fail(TUTTI_EARG,
                       "%.120s: %zu functions could be meant: %s; name one",
                       where, fit[chosen].count, fit[chosen].text);
    return tt_fail(TUTTI_EARG,
                   "%.120s: no function with an accepted signature%s%s; these "
                   "are accepted: %s",
                   where, all.used ? " among " : "", all.text, tt_form_words);
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
    if (name == NULL)
        return read_only(out, text, size, where);
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

bool tt_signature_name(char name[TT_SIGNATURE_NAME], const char *text)
{
    struct tt_lexer lexer;
    struct tt_token last = {0};
    tt_lexer_init(&lexer, text, strlen(text));
    unsigned count = 0;
    for (struct tt_token token; (token = next(&lexer)).kind != TT_TOKEN_END;
         count++) {
        if (tt_token_is(&token, "("))
            break;
        last = token;
    }
    if (count < 2 || last.kind != TT_TOKEN_NAME || word_of(&last) != 0 ||
        last.size >= TT_SIGNATURE_NAME)
        return false;
    memcpy(name, last.at, last.size);
    name[last.size] = 0;
    return true;
}
