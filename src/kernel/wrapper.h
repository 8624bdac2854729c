/* The C text that is compiled for a kernel. */
#ifndef TT_KERNEL_WRAPPER_H
#define TT_KERNEL_WRAPPER_H

#include "kernel/signature.h"

typedef void (*tt_kernel_function)(void);

/* Runs n tasks: out[i] = f(x[i]) over rows of `width` values in and
 * `out_width` values out. Only tt_native_entry()'s look at `function`. */
typedef void (*tt_kernel_entry)(tt_kernel_function function, size_t n,
                                const void *x, size_t width, void *out,
                                size_t out_width);

/* The symbol of the entry in a compiled kernel. */
#define TT_WRAPPER_ENTRY "tt_kernel_entry"

/* The user's text as it is, its lines numbered as in `path`, and behind it the
 * entry that calls the function. The caller frees *text. Errors: TUTTI_EMEM. */
TUTTI_MUST_CHECK tutti_status
tt_wrapper_make(char **text, size_t *size, const struct tt_signature *signature,
                const char *path, const char *source, size_t source_size);

/* The entry for a function that is compiled already, reached by `function`. */
tt_kernel_entry tt_native_entry(const struct tt_signature *signature);

#endif
