#include "core/settings.h"

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool read_count(unsigned *out, const char *text, unsigned most)
{
    unsigned value = 0;
    const char *p = text;
    for (; isdigit((unsigned char)*p) && value <= most; p++)
        value = 10 * value + (unsigned)(*p - '0');
    if (*p || value < 1 || value > most)
        return false;
    *out = value;
    return true;
}

/* Each reader stores `text` if it is good; NULL asks for the default. */
static bool read_on(struct tt_settings *s, const char *text)
{
    if (!text)
        text = "auto";
    if (!*text || strlen(text) >= sizeof s->on)
        return false;
    strcpy(s->on, text);
    return true;
}

static bool read_workers(struct tt_settings *s, const char *text)
{
    s->workers = 0;
    return !text || read_count(&s->workers, text, TT_WORKERS_MAX);
}

static bool read_trace(struct tt_settings *s, const char *text)
{
    if (!text || !strcmp(text, "on") || !strcmp(text, "1"))
        s->trace = true;
    else if (!strcmp(text, "off") || !strcmp(text, "0"))
        s->trace = false;
    else
        return false;
    return true;
}

static bool read_places(struct tt_settings *s, const char *text)
{
    if (text && strlen(text) >= sizeof s->places)
        return false;
    strcpy(s->places, text ? text : "");
    return true;
}

/* In the order of enum tt_isa. */
static const char *const isas[] = {"plain", "avx2", "avx512"};

static bool read_isa(struct tt_settings *s, const char *text)
{
    int last = sizeof isas / sizeof *isas - 1;
    for (s->isa = last; text && s->isa >= 0; s->isa--)
        if (!strcmp(text, isas[s->isa]))
            break;
    return s->isa >= 0;
}

/* XDG Base Directory: a relative XDG_CACHE_HOME counts as unset. */
static void find_cache(char *out, size_t size)
{
    const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int length = 0;
    if (xdg && xdg[0] == '/')
        length = snprintf(out, size, "%s/tutti", xdg);
    else if (home && home[0] == '/')
        length = snprintf(out, size, "%s/.cache/tutti", home);
    if (length <= 0 || (size_t)length >= size)
        out[0] = 0;
}

static void show_on(const struct tt_settings *s, char *out, size_t size)
{
    snprintf(out, size, "%s", s->on);
}

static void show_workers(const struct tt_settings *s, char *out, size_t size)
{
    if (s->workers)
        snprintf(out, size, "%u", s->workers);
    else
        snprintf(out, size, "the CPU budget");
}

static void show_trace(const struct tt_settings *s, char *out, size_t size)
{
    snprintf(out, size, "%s", s->trace ? "on" : "off");
}

static void show_places(const struct tt_settings *s, char *out, size_t size)
{
    snprintf(out, size, "%s", s->places[0] ? s->places : "beside the library");
}

static void show_isa(const struct tt_settings *s, char *out, size_t size)
{
    snprintf(out, size, "%s", isas[s->isa]);
}

static const struct {
    const char *name, *fallback, *help, *expected;
    bool (*read)(struct tt_settings *s, const char *text);
    void (*show)(const struct tt_settings *s, char *out, size_t size);
} table[] = {
    {"TUTTI_ON", "auto", "overrides every loop's place",
     "a place such as serial or threads:4", read_on, show_on},
    {"TUTTI_WORKERS", "the CPU budget", "most threads or processes at work",
     "a whole number from 1 to 1024", read_workers, show_workers},
    {"TUTTI_TRACE", "on", "record what each worker does: on or off",
     "on or off", read_trace, show_trace},
    {"TUTTI_ISA", "avx512", "the widest instructions of shipped kernels",
     "plain, avx2 or avx512", read_isa, show_isa},
    {"TUTTI_PLACES", "beside the library", "the folder of tutti-PLACE.so",
     "the path of a folder", read_places, show_places},
};

#define SETTINGS (sizeof table / sizeof *table)

static struct {
    pthread_mutex_t guard; /* of all that follows, while it is made */
    struct tt_settings now;
    bool given[SETTINGS];
    char error[TT_DETAIL_SIZE]; /* the first bad value; empty: none */
    _Atomic bool ready;
} store = {.guard = PTHREAD_MUTEX_INITIALIZER};

/* CPUs that a batch scheduler gave to this task, or else to its node. */
static void read_grant(struct tt_settings *s)
{
    static const char *const names[] = {"SLURM_CPUS_PER_TASK",
                                        "SLURM_CPUS_ON_NODE"};
    s->granted = 0;
    for (size_t i = 0; i < 2 && !s->granted; i++) {
        const char *text = getenv(names[i]);
        if (text && read_count(&s->granted, text, 1 << 20))
            s->granted_by = names[i];
    }
}

/* With the guard held. */
static void parse(void)
{
    store.error[0] = 0;
    read_grant(&store.now);
    find_cache(store.now.cache, sizeof store.now.cache);
    for (size_t i = 0; i < SETTINGS; i++) {
        const char *text = getenv(table[i].name);
        bool good = table[i].read(&store.now, text);
        store.given[i] = text && good;
        if (good)
            continue;
        table[i].read(&store.now, NULL);
        if (!store.error[0])
            snprintf(store.error, sizeof store.error,
                     "%s is '%.100s': expected %s, or leave it unset (%s)",
                     table[i].name, text, table[i].expected, table[i].fallback);
    }
    store.ready = true;
}

const struct tt_settings *tt_settings(void)
{
    if (!store.ready) {
        pthread_mutex_lock(&store.guard);
        if (!store.ready)
            parse();
        pthread_mutex_unlock(&store.guard);
    }
    return &store.now;
}

tutti_status tt_settings_check(void)
{
    tt_settings();
    return store.error[0] ? tt_fail(TUTTI_EARG, "%s", store.error) : TUTTI_OK;
}

bool tt_settings_list(size_t index, struct tt_setting *out)
{
    if (index >= SETTINGS)
        return false;
    const struct tt_settings *now = tt_settings();
    *out = (struct tt_setting){.name = table[index].name,
                               .fallback = table[index].fallback,
                               .help = table[index].help,
                               .given = store.given[index]};
    table[index].show(now, out->value, sizeof out->value);
    return true;
}

void tt_settings_reload(void)
{
    pthread_mutex_lock(&store.guard);
    parse();
    pthread_mutex_unlock(&store.guard);
}

/* A child must not inherit the guard from a thread that it has not got. */
static void lock(void)
{
    pthread_mutex_lock(&store.guard);
}

static void unlock(void)
{
    pthread_mutex_unlock(&store.guard);
}

__attribute__((constructor)) static void guard_forks(void)
{
    pthread_atfork(lock, unlock, unlock);
}
