#include "core/constants.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/folder.h"
#include "core/machine.h"
#include "core/settings.h"

#define TITLE "tutti constants 1, picoseconds: "
#define FILE_SIZE 1024
#define MOST 100.0 /* seconds; what is beyond was not measured right */
#define PICO 1e12

static const struct {
    const char *name;
    double fallback;
} table[TT_CONSTANTS] = {
    [TT_CLOCK_READ] = {"clock_read", 30e-9},
    [TT_FUTEX_WAKE] = {"futex_wake", 7e-6},
    [TT_WAKE_LATENCY] = {"wake_latency", 30e-6},
    [TT_THREAD_START] = {"thread_start", 20e-6},
    [TT_PROCESS_OPEN] = {"process_open", 0.1},
};

static _Atomic double value[TT_CONSTANTS]; /* 0: never measured */
static _Atomic double kept[TT_CONSTANTS];  /* as in the file */
/* Who reads the file meanwhile gives defaults to the others, who never wait:
 * a child forked at that moment stays with them. */
static _Atomic int state;
enum { FRESH, READING, READY };

const char *tt_constant_name(enum tt_constant which)
{
    return table[which].name;
}

static bool file_path(char *out, size_t size, const char *suffix)
{
    const char *cache = tt_settings()->cache;
    return *cache &&
           snprintf(out, size, "%s/constants%s", cache, suffix) < (int)size;
}

static void first_line(char *out, size_t size)
{
    char machine[TT_MACHINE_SIZE];
    tt_machine_identity(machine, sizeof machine);
    snprintf(out, size, TITLE "%s", machine);
}

/* Reads `name value` lines up to `end` into `out`; false: a file that is not
 * ours, of another machine, or cut short. Unknown names are a newer tutti's. */
static bool parse(char *text, double out[TT_CONSTANTS])
{
    char title[FILE_SIZE], *save = NULL;
    first_line(title, sizeof title);
    char *line = strtok_r(text, "\n", &save);
    if (!line || strcmp(line, title) != 0)
        return false;
    while ((line = strtok_r(NULL, "\n", &save))) {
        if (!strcmp(line, "end"))
            return true;
        char *number = strchr(line, ' '), *end;
        if (!number)
            return false;
        *number++ = 0;
        double seconds = (double)strtoull(number, &end, 10) / PICO;
        if (end == number || *end || !(seconds > 0 && seconds < MOST))
            return false;
        for (int i = 0; i < TT_CONSTANTS; i++)
            if (!strcmp(line, table[i].name))
                out[i] = seconds;
    }
    return false;
}

static void read_file(void)
{
    char path[TT_CACHE_SIZE + 32], text[FILE_SIZE];
    double read_values[TT_CONSTANTS] = {0};
    if (!file_path(path, sizeof path, ""))
        return;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return;
    ssize_t size = read(fd, text, sizeof text - 1);
    close(fd);
    text[size < 0 ? 0 : size] = 0;
    if (!parse(text, read_values))
        return;
    for (int i = 0; i < TT_CONSTANTS; i++)
        value[i] = kept[i] = read_values[i];
}

static void enter(void)
{
    int fresh = FRESH;
    if (state != READY &&
        atomic_compare_exchange_strong(&state, &fresh, READING)) {
        read_file();
        state = READY;
    }
}

double tt_constant(enum tt_constant which)
{
    enter();
    double known = value[which];
    return known > 0 ? known : table[which].fallback;
}

bool tt_constant_measured(enum tt_constant which)
{
    enter();
    return value[which] > 0;
}

void tt_constant_learn(enum tt_constant which, double seconds)
{
    enter();
    if (!(seconds > 0 && seconds < MOST))
        return;
    double old = value[which], next;
    do {
        double sample = seconds < 4 * old ? seconds : 4 * old;
        next = old > 0 ? old + (sample - old) / 8 : seconds;
    } while (!atomic_compare_exchange_weak(&value[which], &old, next));
}

void tt_constant_set(enum tt_constant which, double seconds)
{
    enter();
    if (seconds > 0 && seconds < MOST)
        value[which] = seconds;
}

static size_t format(char *out, size_t size)
{
    char title[FILE_SIZE];
    first_line(title, sizeof title);
    int used = snprintf(out, size, "%s\n", title);
    for (int i = 0; i < TT_CONSTANTS; i++)
        if (value[i] > 0)
            used += snprintf(out + used, size - (size_t)used, "%s %.0f\n",
                             table[i].name, value[i] * PICO);
    return (size_t)(used + snprintf(out + used, size - (size_t)used, "end\n"));
}

static bool write_file(const char *path, const char *text, size_t size)
{
    int fd =
        open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return false;
    ssize_t wrote = write(fd, text, size);
    if (wrote >= 0 && (size_t)wrote < size)
        errno = ENOSPC;
    return close(fd) == 0 && wrote == (ssize_t)size;
}

tutti_status tt_constants_save(void)
{
    char path[TT_CACHE_SIZE + 32], temporary[TT_CACHE_SIZE + 32];
    char suffix[32], text[FILE_SIZE];
    static _Atomic unsigned serial;
    enter();
    snprintf(suffix, sizeof suffix, ".%d.%u", (int)getpid(), serial++);
    if (!file_path(path, sizeof path, "") ||
        !file_path(temporary, sizeof temporary, suffix))
        return tt_fail(TUTTI_ESYS, "no cache folder: neither XDG_CACHE_HOME "
                                   "nor HOME is an absolute path; set one");
    if (tt_folder_make(tt_settings()->cache) &&
        write_file(temporary, text, format(text, sizeof text)) &&
        rename(temporary, path) == 0) {
        for (int i = 0; i < TT_CONSTANTS; i++)
            kept[i] = value[i];
        return TUTTI_OK;
    }
    int error = errno;
    unlink(temporary);
    return tt_fail(TUTTI_ESYS,
                   "cannot write %.300s: %s; make room there, or set "
                   "XDG_CACHE_HOME to a folder of yours",
                   path, strerror(error));
}

void tt_constants_reload(void)
{
    for (int i = 0; i < TT_CONSTANTS; i++)
        value[i] = kept[i] = 0;
    state = FRESH;
}

/* Keeps what was learned, if a constant moved by a quarter. */
__attribute__((destructor)) static void keep(void)
{
    bool moved = false;
    for (int i = 0; i < TT_CONSTANTS; i++)
        moved = moved || value[i] > 1.25 * kept[i] || value[i] < 0.8 * kept[i];
    if (moved && tt_constants_save() != TUTTI_OK)
        return; /* `tutti info` tells */
}
