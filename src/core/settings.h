/* What the environment says: one table, parsed at first use and not read
 * again, as another thread may be in setenv(). */
#ifndef TT_CORE_SETTINGS_H
#define TT_CORE_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "core/status.h"

#define TT_WORKERS_MAX 1024
#define TT_CACHE_SIZE 1024

struct tt_settings {
    char on[64];      /* TUTTI_ON: overrides every loop's place; "auto": none */
    unsigned workers; /* TUTTI_WORKERS: cap on running threads; 0: none */
    bool trace;       /* TUTTI_TRACE */
    int isa;          /* TUTTI_ISA: at most this enum tt_isa */
    char places[TT_CACHE_SIZE]; /* TUTTI_PLACES; empty: none */
    char cache[TT_CACHE_SIZE];  /* $XDG_CACHE_HOME/tutti; empty: no home */
    unsigned granted;           /* CPUs, by the batch scheduler; 0: unknown */
    const char *granted_by;     /* the variable that said so */
};

/* A line of the table, for `tutti info` and the docs. */
struct tt_setting {
    const char *name, *fallback, *help;
    char value[64]; /* in force */
    bool given;     /* by the environment, and accepted */
};

/* The settings in force; what the environment has wrong is at its default.
 * The result lives for ever. */
const struct tt_settings *tt_settings(void);

/* TUTTI_EARG if the environment has a bad value: variable, value, expected.
 * For the first call that depends on a setting. */
TUTTI_MUST_CHECK tutti_status tt_settings_check(void);

/* The index-th setting; false: there are no more. */
bool tt_settings_list(size_t index, struct tt_setting *out);

/* Parses the environment again. For tests: nobody else may hold a pointer. */
void tt_settings_reload(void);

#endif
