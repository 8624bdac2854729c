/* A kernel: a function found by text, and the entries that run it. */
#ifndef TT_KERNEL_KERNEL_H
#define TT_KERNEL_KERNEL_H

#include "kernel/build.h"
#include "kernel/signature.h"
#include "kernel/wrapper.h"

struct tutti_kernel {
    void *library;               /* from dlopen(), of a LIB.so; else NULL */
    tt_kernel_entry entry;       /* NULL: TUTTI_FORM_EACH */
    tt_kernel_each each;         /* or NULL */
    tt_kernel_function function; /* compiled already; else NULL */
    void *user;                  /* what a function with one gets */
    struct tt_signature signature;
    struct tt_source source; /* the text is owned; NULL: compiled already */
    struct tt_part *_Atomic parts; /* see tt_kernel_build(); they only grow */
};

/* Compiles the kernel's source with `extra` behind it (through the cache; see
 * build.h), loads that, and finds `symbol` in it. `extra` calls the function by
 * kernel->signature.name, has the user's macros still in force, so its names
 * should be its own (tt_...), and gives the symbol default visibility. A
 * function that is compiled already (kernel->function) has no source: `extra`
 * stands alone.
 *
 * unrolls: see build.h; the same for the same text.
 * address: [out] good until the kernel is closed; the same text is compiled and
 *          loaded once, or once a thread by those that ask at the same time: no
 *          lock is held meanwhile, which a forked child would inherit.
 * Errors: TUTTI_EARG (the compiler's message), TUTTI_ESYS, TUTTI_EMEM.
 * Threads: any. */
TUTTI_MUST_CHECK tutti_status tt_kernel_build(tutti_kernel *kernel,
                                              const char *extra, bool unrolls,
                                              const char *symbol,
                                              void **address);

/* Unloads what tt_kernel_build() loaded. */
void tt_kernel_unload(tutti_kernel *kernel);

#endif
