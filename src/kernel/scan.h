/* Functions at file scope of a C text. */
#ifndef TT_KERNEL_SCAN_H
#define TT_KERNEL_SCAN_H

#include "kernel/token.h"

#define TT_SCAN_DEPTH 32

/* Conditional sections: the braces of each branch count from where the first
 * began, and what stands after `#if 0` does not count. */
struct tt_branch {
    unsigned depth;
    bool dead;
};

struct tt_scan {
    struct tt_lexer lexer;
    struct tt_lexer start; /* of the declaration that is being read */
    struct tt_token last;
    bool begun, value;       /* start is set; an '=' was seen */
    unsigned braces, parens; /* open ones */
    unsigned dead;           /* conditional sections that do not count */
    unsigned branches;
    struct tt_branch branch[TT_SCAN_DEPTH];
};

void tt_scan_init(struct tt_scan *scan, const char *text, size_t size);

/* The next name at file scope that a parenthesis follows; scan->start is where
 * its declaration begins. False at the end. */
bool tt_scan_next(struct tt_scan *scan, struct tt_token *name);

#endif
