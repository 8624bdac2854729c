#include "kernel/scan.h"

#include <string.h>

void tt_scan_init(struct tt_scan *scan, const char *text, size_t size)
{
    memset(scan, 0, sizeof *scan);
    tt_lexer_init(&scan->lexer, text, size);
}

static void branch_open(struct tt_scan *scan, bool dead)
{
    if (scan->branches < TT_SCAN_DEPTH)
        scan->branch[scan->branches] = (struct tt_branch){scan->braces, dead};
    scan->branches++;
    scan->dead += dead;
}

static void branch_next(struct tt_scan *scan)
{
    if (scan->branches == 0 || scan->branches > TT_SCAN_DEPTH)
        return;
    struct tt_branch *top = &scan->branch[scan->branches - 1];
    scan->dead -= top->dead;
    top->dead = false;
    scan->braces = top->depth;
}

static void branch_close(struct tt_scan *scan)
{
    if (scan->branches == 0)
        return;
    if (scan->branches <= TT_SCAN_DEPTH)
        scan->dead -= scan->branch[scan->branches - 1].dead;
    scan->branches--;
}

static void directive(struct tt_scan *scan, const struct tt_token *line)
{
    struct tt_lexer words;
    tt_lexer_init(&words, line->at + 1, line->size - 1);
    struct tt_token word = tt_lexer_next(&words);
    struct tt_token next = tt_lexer_next(&words);
    if (tt_token_is(&word, "if"))
        branch_open(scan,
                    scan->branches < TT_SCAN_DEPTH && tt_token_is(&next, "0"));
    else if (tt_token_is(&word, "ifdef") || tt_token_is(&word, "ifndef"))
        branch_open(scan, false);
    else if (tt_token_is(&word, "else") || tt_token_is(&word, "elif"))
        branch_next(scan);
    else if (tt_token_is(&word, "endif"))
        branch_close(scan);
}

static void sign(struct tt_scan *scan, char c)
{
    bool linkage = scan->last.kind == TT_TOKEN_STRING;
    if (c == '{' && scan->braces == 0 && linkage) {
        scan->begun = false; /* extern "C" { */
    } else if (c == '{') {
        scan->braces++;
    } else if (c == '}') {
        scan->braces -= scan->braces > 0;
        scan->parens = 0;
        scan->begun = scan->begun && scan->braces > 0;
    } else if (c == ';' && scan->braces == 0) {
        scan->parens = 0;
        scan->begun = false;
    } else if (c == '(') {
        scan->parens++;
    } else if (c == ')') {
        scan->parens -= scan->parens > 0;
    } else if (c == '=' && scan->braces == 0) {
        scan->value = true;
    }
}

bool tt_scan_next(struct tt_scan *scan, struct tt_token *name)
{
    for (;;) {
        struct tt_lexer before = scan->lexer;
        struct tt_token token = tt_lexer_next(&scan->lexer);
        if (token.kind == TT_TOKEN_END)
            return false;
        if (token.kind == TT_TOKEN_LINE)
            directive(scan, &token);
        if (token.kind == TT_TOKEN_LINE || scan->dead > 0)
            continue;
        if (!scan->begun) {
            scan->begun = true;
            scan->value = false;
            scan->start = before;
        }
        if (token.kind == TT_TOKEN_SIGN)
            sign(scan, *token.at);
        scan->last = token;
        struct tt_token next = tt_lexer_peek(&scan->lexer);
        if (token.kind == TT_TOKEN_NAME && scan->braces == 0 &&
            scan->parens == 0 && !scan->value && tt_token_is(&next, "(") &&
            !tt_token_is(&token, "__attribute__")) {
            *name = token;
            return true;
        }
    }
}
