/* Where a function lives: in the program or a library, known by its build, at
 * an offset. So it is found again in another process. */
#ifndef TT_ALGO_OBJECT_H
#define TT_ALGO_OBJECT_H

#include <limits.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/status.h"

#define TT_BUILD_SIZE 32

typedef void (*tt_function)(void);

struct tt_home {
    uint64_t offset; /* from where the object is loaded */
    uint8_t build[TT_BUILD_SIZE];
};

/* Tells where `function` lives. *path is empty for the program itself.
 * TUTTI_EPLACE: in no file, or in one that is not there any more. */
TUTTI_MUST_CHECK tutti_status tt_object_tell(struct tt_home *out,
                                             char path[PATH_MAX],
                                             tt_function function);

/* Finds it, loading the library. TUTTI_EPLACE: it cannot be loaded, or is of
 * another build. *library is for dlclose(), or NULL. */
TUTTI_MUST_CHECK tutti_status tt_object_find(tt_function *out, void **library,
                                             const struct tt_home *home,
                                             const char *path);

/* What tells the builds of the object whose code is at `address` apart. */
void tt_object_build(uint8_t build[TT_BUILD_SIZE], uintptr_t address);

/* A loaded object; `program`: the program's own file. */
struct tt_object {
    uintptr_t base;
    const ElfW(Phdr) * parts;
    size_t count;
    const char *name;
    bool program;
};

/* The object whose code is at `address`; false: none. */
bool tt_object_at(struct tt_object *out, uintptr_t address);

/* Fills in at most `most` objects, the program first; returns how many. */
size_t tt_object_list(struct tt_object *out, size_t most);

#endif
