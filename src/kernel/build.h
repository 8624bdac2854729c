/* From a C source to a loaded library. */
#ifndef TT_KERNEL_BUILD_H
#define TT_KERNEL_BUILD_H

#include "kernel/signature.h"
#include "kernel/wrapper.h"

/* Compiles a source for a signature that was read from it, or takes what the
 * cache has.
 *
 * library, entry: [out] dlclose() the library when done.
 * path: the source's, as messages show it.
 * Errors: TUTTI_EARG (the compiler's message), TUTTI_ESYS, TUTTI_EMEM. */
TUTTI_MUST_CHECK tutti_status
tt_build_load(void **library, tt_kernel_entry *entry,
              const struct tt_signature *signature, const char *path,
              const char *source, size_t size);

#endif
