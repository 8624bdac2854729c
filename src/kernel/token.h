/* C text as tokens: comments and blanks are skipped, a preprocessor line is
 * one token. */
#ifndef TT_KERNEL_TOKEN_H
#define TT_KERNEL_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

enum tt_token_kind {
    TT_TOKEN_END,
    TT_TOKEN_NAME, /* also keywords */
    TT_TOKEN_NUMBER,
    TT_TOKEN_STRING, /* and characters */
    TT_TOKEN_LINE,   /* of the preprocessor, from its '#' */
    TT_TOKEN_SIGN    /* one character */
};

struct tt_token {
    enum tt_token_kind kind;
    const char *at;
    size_t size;
    unsigned line;
};

/* Where reading goes on; copy it to come back. */
struct tt_lexer {
    const char *at, *end;
    unsigned line; /* from 1 */
    bool fresh;    /* only blanks since the line began */
};

void tt_lexer_init(struct tt_lexer *lexer, const char *text, size_t size);
struct tt_token tt_lexer_next(struct tt_lexer *lexer);

/* The next token that is not a preprocessor line, left unread. */
struct tt_token tt_lexer_peek(const struct tt_lexer *lexer);

bool tt_token_is(const struct tt_token *token, const char *text);

#endif
