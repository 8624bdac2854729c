#define _GNU_SOURCE /* dl_iterate_phdr, dlinfo */
#include "algo/object.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

#include "core/load.h"

struct list {
    struct tt_object *all;
    size_t count, most;
};

static int collect(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct list *list = arg;
    (void)size;
    if (list->count == list->most)
        return 1;
    list->all[list->count] = (struct tt_object){
        .base = info->dlpi_addr,
        .parts = info->dlpi_phdr,
        .count = info->dlpi_phnum,
        .name = info->dlpi_name,
        .program = list->count == 0,
    };
    list->count++;
    return 0;
}

typedef int visit(struct dl_phdr_info *, size_t, void *);

static int walk(visit *one, void *arg)
{
    if (tt_load_begin() != TUTTI_OK)
        return 0;
    int found = dl_iterate_phdr(one, arg);
    tt_load_end();
    return found;
}

size_t tt_object_list(struct tt_object *out, size_t most)
{
    struct list list = {.all = out, .most = most};
    walk(collect, &list);
    return list.count;
}

static bool runs(const ElfW(Phdr) * part)
{
    return part->p_type == PT_LOAD && part->p_flags & PF_X;
}

/* Whether a part of an object can be read in memory. */
static bool is_there(const struct tt_object *object, const ElfW(Phdr) * part)
{
    for (size_t i = 0; i < object->count; i++) {
        const ElfW(Phdr) *load = &object->parts[i];
        if (load->p_type == PT_LOAD && load->p_flags & PF_R &&
            part->p_vaddr >= load->p_vaddr &&
            part->p_vaddr + part->p_filesz <= load->p_vaddr + load->p_filesz)
            return true;
    }
    return false;
}

struct search {
    uintptr_t address;
    size_t seen;
    struct tt_object *object; /* [out] */
};

static int look(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct search *search = arg;
    struct list one = {.all = search->object, .most = 1};
    bool program = search->seen++ == 0;
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        uintptr_t at = search->address - info->dlpi_addr - part->p_vaddr;
        if (!runs(part) || at >= part->p_memsz)
            continue;
        collect(info, size, &one);
        search->object->program = program;
        return 1;
    }
    return 0;
}

bool tt_object_at(struct tt_object *out, uintptr_t address)
{
    struct search search = {.address = address, .object = out};
    return walk(look, &search) != 0;
}

/* Copies the build id out of a segment of notes. */
static bool read_notes(uint8_t build[TT_BUILD_SIZE], const char *notes,
                       size_t size)
{
    ElfW(Nhdr) note;
    while (size >= sizeof note) {
        memcpy(&note, notes, sizeof note);
        size_t name = (note.n_namesz + 3u) & ~3u;
        size_t whole = sizeof note + name + ((note.n_descsz + 3u) & ~3u);
        if (whole > size)
            return false;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
            memcmp(notes + sizeof note, "GNU", 4) == 0) {
            size_t most = note.n_descsz;
            memcpy(build, notes + sizeof note + name,
                   most < TT_BUILD_SIZE ? most : TT_BUILD_SIZE);
            return true;
        }
        notes += whole;
        size -= whole;
    }
    return false;
}

/* FNV-1a over words: of an object that was built without a build id. */
static uint64_t mix(uint64_t hash, const char *data, size_t size)
{
    for (uint64_t word; size >= sizeof word; size -= sizeof word) {
        memcpy(&word, data, sizeof word);
        hash = (hash ^ word) * 0x100000001b3u;
        data += sizeof word;
    }
    return hash;
}

static void read_build(uint8_t build[TT_BUILD_SIZE],
                       const struct tt_object *object)
{
    uint64_t hash = 0xcbf29ce484222325u;
    memset(build, 0, TT_BUILD_SIZE);
    for (size_t i = 0; i < object->count; i++) {
        const ElfW(Phdr) *part = &object->parts[i];
        const char *data = (const char *)object->base + part->p_vaddr;
        if (part->p_type == PT_NOTE && is_there(object, part) &&
            read_notes(build, data, part->p_filesz))
            return;
    }
    for (size_t i = 0; i < object->count; i++) {
        const ElfW(Phdr) *part = &object->parts[i];
        if (runs(part) && is_there(object, part))
            hash = mix(hash, (const char *)object->base + part->p_vaddr,
                       part->p_filesz);
    }
    memcpy(build, &hash, sizeof hash);
}

void tt_object_build(uint8_t build[TT_BUILD_SIZE], uintptr_t address)
{
    struct tt_object object;
    memset(build, 0, TT_BUILD_SIZE);
    if (tt_object_at(&object, address))
        read_build(build, &object);
}

tutti_status tt_object_tell(struct tt_home *out, char path[PATH_MAX],
                            tt_function function)
{
    struct tt_object object;
    if (!tt_object_at(&object, (uintptr_t)function))
        return tt_fail(TUTTI_EPLACE,
                       "the function is in no file (made while the program "
                       "ran?): a worker process cannot have it");
    path[0] = '\0';
    const char *name = object.name;
    if (!object.program && !realpath(name, path))
        return tt_fail(TUTTI_EPLACE,
                       "the library of the function, %.200s, is not to be "
                       "found any more (%s): a worker process cannot load it",
                       name, strerror(errno));
    out->offset = (uintptr_t)function - object.base;
    read_build(out->build, &object);
    return TUTTI_OK;
}

static tutti_status load(uintptr_t *base, void **library, const char *path)
{
    struct link_map *map;
    tutti_status status = tt_load_begin();
    if (status)
        return status;
    *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!*library || dlinfo(*library, RTLD_DI_LINKMAP, &map) != 0)
        status =
            tt_fail(TUTTI_EPLACE,
                    "the function's library does not load: %.300s", dlerror());
    else
        *base = map->l_addr;
    tt_load_end();
    return status;
}

tutti_status tt_object_find(tt_function *out, void **library,
                            const struct tt_home *home, const char *path)
{
    struct tt_object object = {0};
    uint8_t build[TT_BUILD_SIZE];
    *library = NULL;
    tt_object_list(&object, 1);
    uintptr_t base = object.base;
    tutti_status status = *path ? load(&base, library, path) : TUTTI_OK;
    if (status)
        return status;
    bool there =
        tt_object_at(&object, base + home->offset) && object.base == base;
    if (there)
        read_build(build, &object);
    if (there && memcmp(build, home->build, sizeof build) == 0) {
        *out = (tt_function)(base + home->offset);
        return TUTTI_OK;
    }
    tt_load_close(*library);
    *library = NULL;
    return tt_fail(TUTTI_EPLACE,
                   "%.300s is not what the caller has loaded: it was replaced "
                   "since; start the program again",
                   *path ? path : "the program");
}
