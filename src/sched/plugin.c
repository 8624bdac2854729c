#define _GNU_SOURCE
#include "sched/plugin.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tutti/sys/plugin.h>

#include "core/clock.h"
#include "core/load.h"
#include "core/settings.h"
#include "core/status.h"
#include "core/thread.h"
#include "loop/run.h"

/* What became of a plug-in; lives for ever. */
struct tt_loaded {
    const tutti_place_ops *ops; /* or NULL, and why */
    char reason[160];
};

static tutti_status start(void *(*thread_main)(void *), void *arg)
{
    return tt_thread_start(NULL, thread_main, arg)
               ? TUTTI_OK
               : tt_fail(TUTTI_ESYS, "no thread can be started");
}

static const tutti_services services = {
    .version = TUTTI_PLACE_VERSION,
    .clock = tt_clock,
    .count_in = tt_run_count_in,
    .count_out = tt_run_count_out,
    .work = tt_run_work,
    .start = start,
};

/* The folder of the file that this code is in. */
static void own_folder(char out[PATH_MAX])
{
    Dl_info info;
    char link[PATH_MAX] = "";
    out[0] = 0;
    if (!dladdr(&services, &info) || !info.dli_fname)
        return;
    const char *path = info.dli_fname;
    /* A program's name is what it was called by, from where it then was. */
    if (path[0] != '/' && readlink("/proc/self/exe", link, PATH_MAX - 1) > 0)
        path = link;
    const char *slash = strrchr(path, '/');
    if (slash)
        snprintf(out, PATH_MAX, "%.*s", (int)(slash - path), path);
}

static bool is_there(char path[PATH_MAX], const char *folder, const char *name)
{
    int length = snprintf(path, PATH_MAX, "%s/tutti-%s.so", folder, name);
    return folder[0] && length < PATH_MAX && access(path, F_OK) == 0;
}

static const tutti_place_ops *find(const char *name, char *reason, size_t size)
{
    char path[PATH_MAX], own[PATH_MAX];
    own_folder(own);
    if (!is_there(path, tt_settings()->places, name) &&
        !is_there(path, own, name) && !is_there(path, TT_PLACES, name)) {
        snprintf(reason, size,
                 "tutti-%s.so is not in TUTTI_PLACES, beside libtutti or in %s",
                 name, TT_PLACES);
        return NULL;
    }
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    const tutti_plugin_entry *entry =
        object ? dlsym(object, "tutti_plugin") : NULL;
    if (entry)
        return (*entry)(&services, reason, size);
    snprintf(reason, size, "%s", dlerror());
    return NULL;
}

static const tutti_place_ops *load(const char *name, char *reason, size_t size)
{
    if (tt_load_begin() != TUTTI_OK) {
        snprintf(reason, size, "%s", tutti_detail());
        return NULL;
    }
    const tutti_place_ops *ops = find(name, reason, size);
    tt_load_end();
    return ops;
}

const tutti_place_ops *tt_plugin_ops(tt_plugin *plugin, const char *name,
                                     char *reason, size_t size)
{
    struct tt_loaded *loaded = atomic_load(plugin), *none = NULL;
    if (!loaded) {
        loaded = calloc(1, sizeof *loaded);
        if (!loaded) {
            snprintf(reason, size, "no memory");
            return NULL;
        }
        loaded->ops = load(name, loaded->reason, sizeof loaded->reason);
        if (!atomic_compare_exchange_strong(plugin, &none, loaded)) {
            free(loaded);
            loaded = none;
        }
    }
    snprintf(reason, size, "%s", loaded->reason);
    return loaded->ops;
}
