#include "sched/place.h"

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/fork.h"
#include "core/futex.h"
#include "core/status.h"
#include "place/places.h"
#include "sched/plugin.h"

#define MOST_WORKERS 1024
#define MOST_SHARED 32

/* In place->loops: somebody waits for them to end. */
#define CLOSING 0x80000000u

/* The registry: a line a place; no operations: a plug-in has them. */
static struct kind {
    const char *name;
    const tutti_place_ops *ops;
    tt_plugin plugin;
} registry[] = {
    {.name = "serial", .ops = &tt_place_serial},
    {.name = "threads", .ops = &tt_place_threads},
    {.name = "processes", .ops = &tt_place_processes},
    {.name = "openmp"},
};

#define KINDS (sizeof registry / sizeof *registry)

static const char automatic[] = "auto";

/* The operations of a place that is present; else NULL, and why. */
static const tutti_place_ops *probe(struct kind *kind, char *reason,
                                    size_t size)
{
    const tutti_place_ops *ops = kind->ops;
    snprintf(reason, size, "always present");
    if (!ops)
        ops = tt_plugin_ops(&kind->plugin, kind->name, reason, size);
    return ops && (!ops->probe || ops->probe(reason, size)) ? ops : NULL;
}

static struct kind *find(const char *name, size_t length)
{
    for (size_t i = 0; i < KINDS; i++)
        if (strlen(registry[i].name) == length &&
            memcmp(registry[i].name, name, length) == 0)
            return &registry[i];
    return NULL;
}

static tutti_status unknown(const char *text)
{
    char names[160] = "auto";
    for (size_t i = 0; i < KINDS; i++) {
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, ", %s", registry[i].name);
    }
    return tt_fail(TUTTI_EARG,
                   "unknown place \"%.40s\": expected one of %s, with an "
                   "optional count as in \"threads:4\"",
                   text, names);
}

/* Reads the count behind the colon; 0 when there is none. */
static tutti_status count_of(unsigned *count, const char *text,
                             const char *colon)
{
    *count = 0;
    if (!*colon)
        return TUTTI_OK;
    char *end;
    unsigned long value = strtoul(colon + 1, &end, 10);
    if (!isdigit((unsigned char)colon[1]) || *end || end - colon > 5 ||
        value < 1 || value > MOST_WORKERS)
        return tt_fail(TUTTI_EARG,
                       "place \"%.40s\": expected a number of workers from 1 "
                       "to %d behind the colon",
                       text, MOST_WORKERS);
    *count = (unsigned)value;
    return TUTTI_OK;
}

tutti_status tutti_place_open(tutti_place **out, const char *text)
{
    if (!out)
        return tt_fail(TUTTI_EARG, "tutti_place_open: out is NULL");
    if (!text)
        text = automatic;

    size_t length = strcspn(text, ":");
    bool chooses =
        length == sizeof automatic - 1 && memcmp(text, automatic, length) == 0;
    struct kind *kind = chooses ? find("threads", 7) : find(text, length);
    unsigned workers;
    char reason[160];

    if (!kind)
        return unknown(text);
    tutti_status status = count_of(&workers, text, text + length);
    if (status)
        return status;
    const tutti_place_ops *ops = probe(kind, reason, sizeof reason);
    if (!ops)
        return tt_fail(TUTTI_EPLACE, "place \"%s\" is absent: %s", kind->name,
                       reason);

    tutti_place *place = calloc(1, sizeof *place);
    if (!place)
        return tt_fail_memory("a place");
    place->ops = ops;
    place->workers = workers;
    place->automatic = chooses;
    place->forks = tt_forks();
    snprintf(place->text, sizeof place->text, "%s", text);
    status = ops->open(&place->state, workers);
    if (status) {
        free(place);
        return status;
    }
    *out = place;
    return TUTTI_OK;
}

void tt_place_enter(tutti_place *place)
{
    atomic_fetch_add_explicit(&place->loops, 1, memory_order_relaxed);
}

void tt_place_leave(tutti_place *place)
{
    _Atomic uint32_t *loops = &place->loops;
    if (atomic_fetch_sub_explicit(loops, 1, memory_order_acq_rel) ==
        (CLOSING | 1))
        tt_futex_wake(loops, INT_MAX);
}

/* Loops that began before a fork end in the parent. */
static void wait_for_loops(tutti_place *place)
{
    uint32_t loops = atomic_fetch_or(&place->loops, CLOSING) | CLOSING;
    while (loops != CLOSING && place->forks == tt_forks()) {
        tt_futex_wait(&place->loops, loops, 1000000000u);
        loops = atomic_load(&place->loops);
    }
}

void tutti_place_close(tutti_place *place)
{
    if (!place)
        return;
    wait_for_loops(place);
    place->ops->close(place->state);
    free(place);
}

const char *tutti_place_text(const tutti_place *place)
{
    return place->text;
}

bool tutti_place_info(size_t index, tutti_place_kind *kind)
{
    if (index >= KINDS)
        return false;
    kind->name = registry[index].name;
    kind->present =
        probe(&registry[index], kind->reason, sizeof kind->reason) != NULL;
    return true;
}

/* Places that loops name by text. They are never closed: their idle workers
 * hold nothing that the end of the process does not free. */
static struct {
    pthread_mutex_t lock;
    tutti_place *places[MOST_SHARED];
    size_t count;
} shared = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void lock_shared(void)
{
    pthread_mutex_lock(&shared.lock);
}

static void unlock_shared(void)
{
    pthread_mutex_unlock(&shared.lock);
}

/* A child must not inherit the lock from a thread that it has not got. */
__attribute__((constructor)) static void guard_forks(void)
{
    pthread_atfork(lock_shared, unlock_shared, unlock_shared);
}

tutti_status tt_place_shared(tutti_place **out, const char *text)
{
    tutti_status status = TUTTI_OK;
    pthread_mutex_lock(&shared.lock);
    size_t i = 0;
    while (i < shared.count && strcmp(shared.places[i]->text, text) != 0)
        i++;
    if (i == MOST_SHARED)
        status = tt_fail(TUTTI_EARG,
                         "place \"%.40s\": %d places are open by text already; "
                         "open this one by tutti_place_open()",
                         text, MOST_SHARED);
    else if (i == shared.count)
        status = tutti_place_open(&shared.places[i], text);
    if (status == TUTTI_OK) {
        if (i == shared.count)
            shared.count++;
        *out = shared.places[i];
    }
    pthread_mutex_unlock(&shared.lock);
    return status;
}

tutti_place *tt_place_automatic(unsigned form)
{
    tutti_place *place = NULL;
    const char *name = form == TUTTI_TAKES_CALL      ? "threads"
                       : form == TUTTI_TAKES_MESSAGE ? "processes"
                                                     : NULL;
    if (!name || !find(name, strlen(name)))
        return NULL;
    if (tt_place_shared(&place, name) != TUTTI_OK)
        return NULL;
    return place;
}
