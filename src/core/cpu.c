#include "core/cpu.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <tutti/loop.h>

#include "core/clock.h"
#include "core/settings.h"

#define REREAD_NS 100000000u

/* One hierarchy of cgroups: where the process is in it, where it is mounted. */
struct hierarchy {
    bool v2;
    char path[PATH_MAX];  /* from /proc/self/cgroup */
    char mount[PATH_MAX]; /* mount point, the root before it; empty: none */
    char below[PATH_MAX]; /* the process's cgroup, from the mount point on */
};

/* The mask of the first thread, which is what a user or a scheduler sets on
 * "the process"; 8 KiB are 65536 CPUs. */
static unsigned read_affinity(void)
{
    unsigned long mask[1024];
    long bytes = syscall(SYS_sched_getaffinity, getpid(), sizeof mask, mask);
    unsigned count = 0;
    for (long i = 0; i < bytes / (long)sizeof *mask; i++)
        count += (unsigned)__builtin_popcountl(mask[i]);
    return count ? count : 1;
}

/* Whether `word` is one of the comma-separated words of `list`. */
static bool has_word(const char *list, const char *word)
{
    size_t length = strlen(word);
    while (*list) {
        size_t next = strcspn(list, ",");
        if (next == length && !memcmp(list, word, length))
            return true;
        list += next + (list[next] == ',');
    }
    return false;
}

static FILE *open_text(const char *root, const char *path)
{
    char full[PATH_MAX];
    int length = snprintf(full, sizeof full, "%s%s", root, path);
    return length < (int)sizeof full ? fopen(full, "re") : NULL;
}

/* Finds the process's cgroup: a line is `id:controllers:path`, version 2's has
 * no controllers. */
static bool find_path(struct hierarchy *h, const char *root)
{
    FILE *file = open_text(root, "/proc/self/cgroup");
    char *line = NULL;
    size_t room = 0;
    bool found = false;
    if (!file)
        return false;
    while (!found && getline(&line, &room, file) > 0) {
        line[strcspn(line, "\n")] = 0;
        char *controllers = strchr(line, ':');
        char *path = controllers ? strchr(++controllers, ':') : NULL;
        if (!path || strlen(path) >= sizeof h->path)
            continue;
        *path++ = 0;
        if (h->v2 ? *controllers : !has_word(controllers, "cpu"))
            continue;
        strcpy(h->path, path);
        found = true;
    }
    free(line);
    fclose(file);
    return found;
}

/* Undoes mountinfo's \ooo in place. */
static void unescape(char *text)
{
    char *to = text;
    for (const char *from = text; *from; to++) {
        unsigned byte;
        if (from[0] == '\\' && sscanf(from + 1, "%3o", &byte) == 1) {
            *to = (char)byte;
            from += 4;
        } else {
            *to = *from++;
        }
    }
    *to = 0;
}

/* A line of mountinfo: `id parent dev ROOT POINT options [tags] - TYPE source
 * OPTIONS`. Takes the mount if it shows the process's cgroup; else, as the
 * best there is, the mount point itself. True: it shows it. */
static bool take_mount(struct hierarchy *h, const char *root, char *line)
{
    char *tail = strstr(line, " - "), *save = NULL, *field[5], *super[3];
    if (!tail)
        return false;
    *tail = 0;
    for (int i = 0; i < 5; i++)
        if (!(field[i] = strtok_r(i ? NULL : line, " ", &save)))
            return false;
    for (int i = 0; i < 3; i++)
        if (!(super[i] = strtok_r(i ? NULL : tail + 3, " \n", &save)))
            return false;
    if (strcmp(super[0], h->v2 ? "cgroup2" : "cgroup") ||
        (!h->v2 && !has_word(super[2], "cpu")))
        return false;
    unescape(field[3]);
    unescape(field[4]);
    if (strlen(root) + strlen(field[4]) >= sizeof h->mount)
        return false;
    size_t skip = strcmp(field[3], "/") ? strlen(field[3]) : 0;
    bool shown = !strncmp(h->path, field[3], skip) &&
                 (h->path[skip] == '/' || !h->path[skip]) &&
                 !strstr(h->path, "/..");
    strcpy(stpcpy(h->mount, root), field[4]);
    strcpy(h->below, shown ? h->path + skip : "");
    if (!strcmp(h->below, "/"))
        h->below[0] = 0;
    return shown;
}

static void find_mount(struct hierarchy *h, const char *root)
{
    FILE *file = open_text(root, "/proc/self/mountinfo");
    char *line = NULL;
    size_t room = 0;
    if (!file)
        return;
    while (getline(&line, &room, file) > 0)
        if (take_mount(h, root, line))
            break;
    free(line);
    fclose(file);
}

/* Reads up to two words of a small file; how many. */
static int read_words(const char *folder, const char *name, char words[2][24])
{
    char path[2 * PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    int got = fscanf(file, "%23s %23s", words[0], words[1]);
    fclose(file);
    return got < 0 ? 0 : got;
}

/* CPUs that the cgroup in `folder` may use; 0: no limit. */
static double read_quota(const char *folder, bool v2)
{
    char words[2][24], other[2][24];
    if (v2 && read_words(folder, "cpu.max", words) != 2)
        return 0;
    if (!v2) {
        if (!read_words(folder, "cpu.cfs_quota_us", words) ||
            !read_words(folder, "cpu.cfs_period_us", other))
            return 0;
        memcpy(words[1], other[0], sizeof other[0]);
    }
    char *end[2];
    double quota = strtod(words[0], &end[0]);
    double period = strtod(words[1], &end[1]);
    if (*end[0] || *end[1] || !(quota > 0) || !(period > 0) || !isfinite(quota))
        return 0;
    return quota / period;
}

/* The least quota from the process's cgroup up to the mount point. */
static void walk(struct tt_cpu *out, struct hierarchy *h, const char *root)
{
    char folder[2 * PATH_MAX];
    for (;;) {
        snprintf(folder, sizeof folder, "%s%s", h->mount, h->below);
        double quota = read_quota(folder, h->v2);
        if (quota > 0 && (out->quota == 0 || quota < out->quota)) {
            out->quota = quota;
            snprintf(out->bound, sizeof out->bound,
                     "cgroup quota of %.2f CPUs in %s", quota,
                     folder + strlen(root));
        }
        char *last = strrchr(h->below, '/');
        if (!last)
            return;
        *last = 0;
    }
}

static void read_cgroups(struct tt_cpu *out, const char *root)
{
    struct hierarchy h;
    for (int v2 = 0; v2 < 2; v2++) {
        h.v2 = v2;
        h.mount[0] = h.below[0] = 0;
        if (!find_path(&h, root))
            continue;
        find_mount(&h, root);
        if (h.mount[0])
            walk(out, &h, root);
    }
}

static void lower(struct tt_cpu *out, unsigned count, const char *name)
{
    if (count && count < out->count) {
        out->count = count;
        snprintf(out->bound, sizeof out->bound, "%s=%u", name, count);
    }
}

bool tt_cpu_spare(const char *root, unsigned affinity)
{
    unsigned running = 0, cpus = affinity ? affinity : read_affinity();
    FILE *file = cpus > 1 ? open_text(root, "/proc/loadavg") : NULL;
    if (!file)
        return false;
    int read = fscanf(file, "%*s %*s %*s %u/", &running);
    fclose(file);
    return read == 1 && running <= cpus;
}

void tt_cpu_read(struct tt_cpu *out, const char *root, unsigned affinity)
{
    memset(out, 0, sizeof *out);
    out->affinity = affinity ? affinity : read_affinity();
    read_cgroups(out, root);
    if (out->quota > 0 && out->quota <= out->affinity - 1) {
        out->count = (unsigned)ceil(out->quota);
    } else {
        out->count = out->affinity;
        snprintf(out->bound, sizeof out->bound, "CPU affinity");
    }
    const struct tt_settings *settings = tt_settings();
    lower(out, settings->granted, settings->granted_by);
    lower(out, settings->workers, "TUTTI_WORKERS");
}

unsigned tt_cpu_budget(void)
{
    static _Atomic uint64_t due;
    static _Atomic unsigned others; /* the budget without the affinity */
    uint64_t now = tt_clock(), when = due;
    unsigned rest = others, mask = read_affinity();
    if (!rest || (now >= when && atomic_compare_exchange_strong(
                                     &due, &when, now + REREAD_NS))) {
        struct tt_cpu cpu;
        tt_cpu_read(&cpu, "", INT_MAX);
        others = rest = cpu.count;
    }
    return mask < rest ? mask : rest;
}

unsigned tutti_cpu_count(void)
{
    struct tt_cpu cpu;
    tt_cpu_read(&cpu, "", 0);
    return cpu.count;
}
