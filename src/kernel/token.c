#include "kernel/token.h"

#include <string.h>

void tt_lexer_init(struct tt_lexer *lexer, const char *text, size_t size)
{
    *lexer = (struct tt_lexer){text, text + size, 1, true};
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool next_is(const struct tt_lexer *lexer, char c)
{
    return lexer->end - lexer->at > 1 && lexer->at[1] == c;
}

/* Steps over one character, or over a backslash and what it escapes. */
static void step(struct tt_lexer *lexer)
{
    bool escape = *lexer->at == '\\';
    if (escape && lexer->end - lexer->at > 2 && lexer->at[1] == '\r' &&
        lexer->at[2] == '\n')
        lexer->at++;
    if (escape && lexer->end - lexer->at > 1)
        lexer->at++;
    if (*lexer->at++ == '\n') {
        lexer->line++;
        lexer->fresh = !escape;
    }
}

/* Steps over a comment, if one begins here. */
static bool skip_comment(struct tt_lexer *lexer)
{
    if (*lexer->at != '/' || !(next_is(lexer, '/') || next_is(lexer, '*')))
        return false;
    bool lines = lexer->at[1] == '/';
    bool fresh = lexer->fresh;
    lexer->at += 2;
    while (lexer->at < lexer->end) {
        if (lines && *lexer->at == '\n')
            return true;
        if (!lines && *lexer->at == '*' && next_is(lexer, '/')) {
            lexer->at += 2;
            break;
        }
        if (lines) {
            step(lexer);
        } else if (*lexer->at++ == '\n') {
            lexer->line++;
        }
    }
    lexer->fresh = fresh;
    return true;
}

/* Steps over a string or character; one without end stops with its line. */
static void skip_string(struct tt_lexer *lexer)
{
    char quote = *lexer->at++;
    while (lexer->at < lexer->end && *lexer->at != '\n') {
        if (*lexer->at == quote) {
            lexer->at++;
            return;
        }
        step(lexer);
    }
}

/* Steps to the end of a preprocessor line. A quote may stand alone there, as
 * the apostrophe in an #error does. */
static void skip_line(struct tt_lexer *lexer)
{
    while (lexer->at < lexer->end && *lexer->at != '\n') {
        if (skip_comment(lexer))
            continue;
        if (*lexer->at == '"' || *lexer->at == '\'') {
            struct tt_lexer whole = *lexer;
            skip_string(&whole);
            if (whole.at[-1] == *lexer->at && whole.at - lexer->at > 1) {
                *lexer = whole;
                continue;
            }
        }
        step(lexer);
    }
}

static void skip_blanks(struct tt_lexer *lexer)
{
    while (lexer->at < lexer->end) {
        char c = *lexer->at;
        bool splice =
            c == '\\' && (next_is(lexer, '\n') || next_is(lexer, '\r'));
        if (splice || c == ' ' || (c >= '\t' && c <= '\r'))
            step(lexer);
        else if (!skip_comment(lexer))
            return;
    }
}

static enum tt_token_kind skip_token(struct tt_lexer *lexer, bool fresh)
{
    char c = *lexer->at;
    if (c == '#' && fresh) {
        skip_line(lexer);
        return TT_TOKEN_LINE;
    }
    if (c == '"' || c == '\'') {
        skip_string(lexer);
        return TT_TOKEN_STRING;
    }
    lexer->at++;
    if (!is_letter(c) && !is_digit(c))
        return TT_TOKEN_SIGN;
    while (lexer->at < lexer->end &&
           (is_letter(*lexer->at) || is_digit(*lexer->at)))
        lexer->at++;
    return is_digit(c) ? TT_TOKEN_NUMBER : TT_TOKEN_NAME;
}

struct tt_token tt_lexer_next(struct tt_lexer *lexer)
{
    skip_blanks(lexer);
    struct tt_token token = {TT_TOKEN_END, lexer->at, 0, lexer->line};
    if (lexer->at == lexer->end)
        return token;
    bool fresh = lexer->fresh;
    lexer->fresh = false;
    token.kind = skip_token(lexer, fresh);
    token.size = (size_t)(lexer->at - token.at);
    return token;
}

struct tt_token tt_lexer_peek(const struct tt_lexer *lexer)
{
    struct tt_lexer ahead = *lexer;
    struct tt_token token;
    do
        token = tt_lexer_next(&ahead);
    while (token.kind == TT_TOKEN_LINE);
    return token;
}

bool tt_token_is(const struct tt_token *token, const char *text)
{
    return token->size == strlen(text) &&
           memcmp(token->at, text, token->size) == 0;
}
