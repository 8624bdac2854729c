#include "kernel/cache.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "kernel/depend.h"
#include "kernel/file.h"

static const char *const title = "tutti kernel 1";

tutti_status tt_cache_find(struct tt_cache *cache)
{
    const char *base = getenv("XDG_CACHE_HOME"), *below = "";
    if (base == NULL || *base != '/') {
        base = getenv("HOME");
        below = "/.cache";
    }
    if (base == NULL || *base != '/')
        return tt_fail(TUTTI_ESYS,
                       "no folder for compiled kernels: neither "
                       "XDG_CACHE_HOME nor HOME is a path; set one");
    int used = snprintf(cache->folder, sizeof cache->folder,
                        "%s%s/tutti/kernels", base, below);
    if (used < (int)sizeof cache->folder)
        return TUTTI_OK;
    return tt_fail(TUTTI_ESYS, "the path of the cache is too long: %.100s...",
                   base);
}

/* Whether the folder is ours and nobody else can put an object there. */
static bool is_own(const struct stat *s)
{
    return S_ISDIR(s->st_mode) && s->st_uid == geteuid() &&
           (s->st_mode & 022) == 0;
}

bool tt_cache_look(const struct tt_cache *cache, const char *key,
                   char path[PATH_MAX])
{
    char hex[TT_SHA256_HEX], *text = NULL, *rest = NULL;
    size_t size;
    struct stat s;
    bool found = false;
    if (stat(cache->folder, &s) != 0 || !is_own(&s))
        return false;
    snprintf(path, PATH_MAX, "%s/%s.list", cache->folder, key);
    if (access(path, R_OK) != 0 || tt_file_read(&text, &size, path) != TUTTI_OK)
        return false;
    char *line = strtok_r(text, "\n", &rest);
    if (line == NULL || strcmp(line, title) != 0)
        goto done;
    char *object = strtok_r(NULL, "\n", &rest);
    if (object == NULL || strlen(object) != TT_SHA256_HEX - 1)
        goto done;
    while ((line = strtok_r(NULL, "\n", &rest)) != NULL && strcmp(line, "end"))
        if (!tt_depend_holds(line))
            goto done;
    if (line == NULL)
        goto done;
    snprintf(path, PATH_MAX, "%s/%s.so", cache->folder, object);
    found = tt_file_hash(path, hex) && strcmp(hex, object) == 0;
done:
    free(text);
    return found;
}

static tutti_status unusable(const char *folder, const char *why)
{
    return tt_fail(TUTTI_ESYS,
                   "compiled kernels cannot be kept in %.250s: %s; name "
                   "another folder in XDG_CACHE_HOME",
                   folder, why);
}

/* Makes a folder and those above it. */
static bool make_folder(const char *folder)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s", folder);
    for (char *at = path + 1; *at; at++) {
        if (*at != '/')
            continue;
        *at = 0;
        if (mkdir(path, 0700) != 0 && errno != EEXIST)
            return false;
        *at = '/';
    }
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

void tt_cache_end(const char *folder)
{
    char path[PATH_MAX];
    DIR *all = opendir(folder);
    if (all != NULL) {
        for (struct dirent *one; (one = readdir(all)) != NULL;)
            if (snprintf(path, sizeof path, "%s/%s", folder, one->d_name) <
                (int)sizeof path)
                unlink(path);
        closedir(all);
    }
    rmdir(folder);
}

static void sweep(const struct tt_cache *cache)
{
    char path[PATH_MAX];
    struct stat s;
    DIR *all = opendir(cache->folder);
    if (all == NULL)
        return;
    for (struct dirent *one; (one = readdir(all)) != NULL;) {
        if (strncmp(one->d_name, "build.", 6) != 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", cache->folder, one->d_name);
        if (lstat(path, &s) == 0 && S_ISDIR(s.st_mode) &&
            s.st_mtime < time(NULL) - 3600)
            tt_cache_end(path);
    }
    closedir(all);
}

tutti_status tt_cache_begin(const struct tt_cache *cache,
                            char folder[TT_BUILD_ROOM])
{
    struct stat s;
    if (!make_folder(cache->folder) || stat(cache->folder, &s) != 0)
        return unusable(cache->folder, strerror(errno));
    if (!is_own(&s) && chmod(cache->folder, 0700) == 0 &&
        stat(cache->folder, &s) != 0)
        return unusable(cache->folder, strerror(errno));
    if (!is_own(&s))
        return unusable(cache->folder, !S_ISDIR(s.st_mode) ? strerror(ENOTDIR)
                                       : s.st_uid != geteuid()
                                           ? "it is another user's"
                                           : "others can write there");
    sweep(cache);
    snprintf(folder, TT_BUILD_ROOM, "%s/build.XXXXXX", cache->folder);
    if (mkdtemp(folder) == NULL)
        return unusable(cache->folder, strerror(errno));
    return TUTTI_OK;
}

static tutti_status move(const char *from, const char *to)
{
    if (rename(from, to) == 0)
        return TUTTI_OK;
    return tt_fail(TUTTI_ESYS, "cannot rename %.200s to %.200s: %s", from, to,
                   strerror(errno));
}

/* The text of a list; *text stays NULL if a header cannot be noted. */
static tutti_status make_list(char **text, size_t *size, const char *object,
                              const char *folder, int64_t began)
{
    char path[PATH_MAX], *depend = NULL;
    size_t depend_size;
    snprintf(path, sizeof path, "%s/kernel.d", folder);
    tutti_status status = tt_file_read(&depend, &depend_size, path);
    if (status != TUTTI_OK)
        return status;
    snprintf(path, sizeof path, "%s/kernel.c", folder);
    FILE *list = open_memstream(text, size);
    if (list == NULL) {
        free(depend);
        return tt_fail_memory("a kernel's headers");
    }
    fprintf(list, "%s\n%s\n", title, object);
    bool noted = tt_depend_note(list, depend, path, began);
    fputs("end\n", list);
    bool whole = tt_text_end(list, text);
    free(depend);
    if (whole && noted)
        return TUTTI_OK;
    free(*text);
    *text = NULL;
    return whole ? TUTTI_OK : tt_fail_memory("a kernel's headers");
}

tutti_status tt_cache_keep(const struct tt_cache *cache, const char *key,
                           const char *folder, int64_t began,
                           char path[PATH_MAX])
{
    char from[PATH_MAX], to[PATH_MAX], hex[TT_SHA256_HEX], *text = NULL;
    size_t size = 0;
    snprintf(from, sizeof from, "%s/kernel.so", folder);
    if (!tt_file_hash(from, hex))
        return tt_fail(TUTTI_ESYS, "cannot read %s: %s", from, strerror(errno));
    snprintf(path, PATH_MAX, "%s/%s.so", cache->folder, hex);
    tutti_status status = move(from, path);
    if (status == TUTTI_OK)
        status = make_list(&text, &size, hex, folder, began);
    if (status != TUTTI_OK || text == NULL)
        return status;
    snprintf(from, sizeof from, "%s/kernel.list", folder);
    snprintf(to, sizeof to, "%s/%s.list", cache->folder, key);
    status = tt_file_write(from, text, size);
    if (status == TUTTI_OK)
        status = move(from, to);
    free(text);
    return status;
}
