/* Compiled kernels, kept in $XDG_CACHE_HOME/tutti/kernels.
 *
 * KEY.list names what was compiled from the inputs whose SHA-256 is KEY: an
 * object OBJECT.so, OBJECT being the SHA-256 of its bytes, and the headers that
 * the compiler read. Both files come by rename and are never written again, so
 * no lock is needed; a name stands for its bytes, so none ever gives an old
 * library; what is cut short or changed is not what its name says, and is made
 * again. */
#ifndef TT_KERNEL_CACHE_H
#define TT_KERNEL_CACHE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/sha256.h"
#include "core/status.h"

/* Room for the paths of the cache, of a folder in it to build in, and of a
 * file there. */
enum { TT_CACHE_ROOM = PATH_MAX - 256, TT_BUILD_ROOM = PATH_MAX - 128 };

/* A folder for kernels, 0700 and the caller's own. */
struct tt_cache {
    char folder[TT_CACHE_ROOM];
};

/* Finds the folder; makes nothing. Errors: TUTTI_ESYS (no home). */
TUTTI_MUST_CHECK tutti_status tt_cache_find(struct tt_cache *cache);

/* The object that `key` stands for, in `path`, if it is whole and no header
 * has changed. */
bool tt_cache_look(const struct tt_cache *cache, const char *key,
                   char path[PATH_MAX]);

/* Makes a folder of one's own in the cache (and the cache) to build in, and
 * removes those that killed processes have left for an hour.
 * Errors: TUTTI_ESYS. */
TUTTI_MUST_CHECK tutti_status tt_cache_begin(const struct tt_cache *cache,
                                             char folder[TT_BUILD_ROOM]);

/* Keeps FOLDER/kernel.so under `key`, with the headers that FOLDER/kernel.d
 * names, unless one of them is not older than `began` (nanoseconds since 1970):
 * it may have changed since it was read. `path` is where the object now is.
 * Errors: TUTTI_ESYS, TUTTI_EMEM. */
TUTTI_MUST_CHECK tutti_status tt_cache_keep(const struct tt_cache *cache,
                                            const char *key, const char *folder,
                                            int64_t began, char path[PATH_MAX]);

/* Removes a folder that tt_cache_begin() made, and the files in it. */
void tt_cache_end(const char *folder);

#endif
