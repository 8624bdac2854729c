/* The C text that is compiled for a kernel. */
#ifndef TT_KERNEL_WRAPPER_H
#define TT_KERNEL_WRAPPER_H

#include "kernel/signature.h"

typedef void (*tt_kernel_function)(void);

/* Runs n tasks: out[i] = f(x[i]) over rows of `width` values in and
 * `out_width` values out; for points, x holds n of `width` coordinates, a
 * coordinate after the other. Only tt_native_entry()'s look at `function`. */
typedef void (*tt_kernel_entry)(tt_kernel_function function, void *user,
                                size_t n, const void *x, size_t width,
                                void *out, size_t out_width);

/* Calls f(i, ...) for i in begin .. end-1; `arguments` are the addresses of
 * values, and arrays. */
typedef void (*tt_kernel_each)(tt_kernel_function function, size_t begin,
                               size_t end, const void *const *arguments);

/* The symbols of the entries in a compiled kernel. */
#define TT_WRAPPER_ENTRY "tt_kernel_entry"
#define TT_WRAPPER_EACH "tt_kernel_each"

/* The text that follows the user's: the entries that call the function. The
 * caller frees *text. Errors: TUTTI_EMEM. */
TUTTI_MUST_CHECK tutti_status
tt_wrapper_make(char **text, const struct tt_signature *signature);

/* The text of a TT_WRAPPER_EACH for a function that is compiled already. */
TUTTI_MUST_CHECK tutti_status
tt_wrapper_native(char **text, const struct tt_signature *signature);

/* The entry for a function that is compiled already, reached by `function`;
 * NULL for TUTTI_FORM_EACH. */
tt_kernel_entry tt_native_entry(const struct tt_signature *signature);

#endif
