/* From a C source to a loaded library. */
#ifndef TT_KERNEL_BUILD_H
#define TT_KERNEL_BUILD_H

#include <stdbool.h>

#include "core/status.h"

/* A user's text. */
struct tt_source {
    const char *path; /* of its file, or what messages show; */
    bool file;        /* headers are beside it, not in the working folder */
    const char *text; /* ends with a zero */
};

/* Compiles a source with `extra` behind it, or takes what the cache has.
 *
 * library: [out] dlclose() it when done.
 * unrolls: loops of constant length are unrolled, so that what is around them
 *          becomes vectors; those that would be vectors themselves lose.
 * Errors: TUTTI_EARG (the compiler's message), TUTTI_ESYS, TUTTI_EMEM. */
TUTTI_MUST_CHECK tutti_status tt_build_load(void **library,
                                            const struct tt_source *source,
                                            const char *extra, bool unrolls);

#endif
