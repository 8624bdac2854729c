/* Texts that are compiled around a kernel's source. */
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/load.h"
#include "kernel/kernel.h"

struct tt_part {
    struct tt_part *next;
    void *library;
    char extra[];
};

static tutti_status make_part(struct tt_part **out, tutti_kernel *kernel,
                              const char *extra, bool unrolls)
{
    static const struct tt_source none = {"no source", false, ""};
    size_t size = strlen(extra) + 1;
    struct tt_part *part = malloc(sizeof *part + size);
    if (part == NULL)
        return tt_fail_memory("a kernel's text");
    memcpy(part->extra, extra, size);
    tutti_status status = tt_build_load(
        &part->library, kernel->source.text ? &kernel->source : &none, extra,
        unrolls);
    if (status != TUTTI_OK) {
        free(part);
        return status;
    }
    part->next = kernel->parts;
    while (!atomic_compare_exchange_weak(&kernel->parts, &part->next, part))
        ;
    *out = part;
    return TUTTI_OK;
}

static struct tt_part *find_part(const tutti_kernel *kernel, const char *extra)
{
    struct tt_part *part = kernel->parts;
    while (part && strcmp(part->extra, extra) != 0)
        part = part->next;
    return part;
}

tutti_status tt_kernel_build(tutti_kernel *kernel, const char *extra,
                             bool unrolls, const char *symbol, void **address)
{
    struct tt_part *part = find_part(kernel, extra);
    tutti_status status = TUTTI_OK;
    if (part == NULL)
        status = make_part(&part, kernel, extra, unrolls);
    if (status == TUTTI_OK)
        status = tt_load_begin();
    if (status != TUTTI_OK)
        return status;
    void *found = dlsym(part->library, symbol);
    tt_load_end();
    if (found == NULL)
        return tt_fail(TUTTI_ESYS, "a compiled kernel holds no '%.100s'",
                       symbol);
    *address = found;
    return TUTTI_OK;
}

void tt_kernel_unload(tutti_kernel *kernel)
{
    for (struct tt_part *part; (part = kernel->parts) != NULL;) {
        kernel->parts = part->next;
        tt_load_close(part->library);
        free(part);
    }
}
