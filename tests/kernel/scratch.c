#define _GNU_SOURCE
#include "scratch.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];

int scratch_open(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/tutti-kernel-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    unsetenv("CC");
    return setenv("XDG_CACHE_HOME", scratch_path("CACHE"), 1);
}

static int remove_one(const char *path, const struct stat *s, int kind,
                      struct FTW *walk)
{
    (void)s, (void)kind, (void)walk;
    return remove(path);
}

int scratch_close(void **state)
{
    (void)state;
    return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

const char *scratch_path(const char *name)
{
    static char paths[8][256];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

const char *scratch_write(const char *name, const char *text)
{
    static long age = 1000000000;
    const char *path = scratch_path(name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    struct timespec times[] = {{age, 0}, {age, 0}};
    age += 10;
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    return path;
}

size_t scratch_cached(const char *end, char *path, size_t room)
{
    size_t n = 0;
    const char *cache = scratch_path("CACHE/tutti/kernels");
    DIR *all = opendir(cache);
    if (all == NULL)
        return 0;
    for (struct dirent *one; (one = readdir(all)) != NULL;) {
        size_t size = strlen(one->d_name), tail = strlen(end);
        if (size < tail || strcmp(one->d_name + size - tail, end) != 0)
            continue;
        n++;
        if (path != NULL)
            snprintf(path, room, "%s/%s", cache, one->d_name);
    }
    closedir(all);
    return n;
}

void scratch_count_compilers(void)
{
    char script[512];
    snprintf(script, sizeof script, "#!/bin/sh\necho >> %s\nexec cc \"$@\"\n",
             scratch_path("runs"));
    const char *path = scratch_write("compiler", script);
    assert_int_equal(chmod(path, 0700), 0);
    assert_int_equal(setenv("CC", path, 1), 0);
}

size_t scratch_compilers(void)
{
    struct stat s;
    return stat(scratch_path("runs"), &s) == 0 ? (size_t)s.st_size : 0;
}
