/* The openmp place: a plug-in that runs ranges in parallel regions of the
 * compiler's OpenMP, beside the caller. A leader enters a region, one for each
 * loop at a time: so callers go on, and a forked child, where libgomp waits for
 * the dead team of the thread that forked, has new ones. */
#include <omp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <tutti/sys/plugin.h>

#define MOST_LEADERS 16 /* to each belongs a team; more loops run alone */

struct invitation {
    tutti_run *run;
    unsigned workers;
    uint64_t at;
};

static const tutti_services *_Atomic library;
static _Atomic unsigned forks; /* that made this process, of the team's own */

static struct {
    pthread_mutex_t lock; /* of all that follows */
    pthread_cond_t asked;
    struct invitation stack[MOST_LEADERS]; /* at most one an idle leader */
    unsigned count, leaders, idle;
} team = {.lock = PTHREAD_MUTEX_INITIALIZER, .asked = PTHREAD_COND_INITIALIZER};

static void work(const struct invitation *asked)
{
    unsigned before = forks;
#pragma omp parallel num_threads((int)asked->workers)
    {
        /* OpenMP may give fewer. */
        if (omp_get_thread_num() == 0)
            for (int i = omp_get_num_threads(); i < (int)asked->workers; i++)
                library->count_out(asked->run);
        library->work(asked->run, asked->at);
        /* In a child that a body forked this thread is all there is: it must
         * not wait for the others at the region's end. */
        if (forks != before)
            exit(0);
    }
}

static void *lead(void *unused)
{
    pthread_mutex_lock(&team.lock);
    for (;;) {
        while (team.count == 0)
            pthread_cond_wait(&team.asked, &team.lock);
        struct invitation asked = team.stack[--team.count];
        team.idle--;
        pthread_mutex_unlock(&team.lock);
        work(&asked);
        pthread_mutex_lock(&team.lock);
        team.idle++;
    }
    return unused;
}

static unsigned invite(void *state, tutti_run *run, unsigned workers)
{
    (void)state;
    pthread_mutex_lock(&team.lock);
    bool more = team.count == team.idle && team.leaders < MOST_LEADERS &&
                library->start(lead, NULL) == TUTTI_OK;
    team.leaders += more;
    team.idle += more;
    workers = team.count < team.idle ? workers : 0;
    if (workers > 0) {
        library->count_in(run, workers);
        team.stack[team.count++] =
            (struct invitation){run, workers, library->clock()};
        pthread_cond_signal(&team.asked);
    }
    pthread_mutex_unlock(&team.lock);
    return workers;
}

static void recall(void *state, tutti_run *run)
{
    (void)state;
    unsigned kept = 0;
    pthread_mutex_lock(&team.lock);
    for (unsigned i = 0; i < team.count; i++) {
        struct invitation *asked = &team.stack[i];
        if (asked->run != run)
            team.stack[kept++] = *asked;
        else
            for (unsigned k = 0; k < asked->workers; k++)
                library->count_out(run);
    }
    team.count = kept;
    pthread_mutex_unlock(&team.lock);
}

static bool probe(char *reason, size_t size)
{
    snprintf(reason, size, "parallel regions of the compiler's OpenMP");
    return true;
}

static tutti_status open_place(void **state, unsigned workers)
{
    (void)workers;
    *state = NULL;
    return TUTTI_OK;
}

static void close_place(void *state)
{
    (void)state;
}

static void cost(void *state, tutti_place_cost *cost)
{
    (void)state;
    *cost = (tutti_place_cost){.invite = 2e-5, .range = 1e-7};
}

static const tutti_place_ops operations = {
    .version = TUTTI_PLACE_VERSION,
    .name = "openmp",
    .takes = TUTTI_TAKES_CALL,
    .caller_works = true,
    .probe = probe,
    .open = open_place,
    .close = close_place,
    .cost = cost,
    .invite = invite,
    .recall = recall,
};

/* In a forked child there are no leaders, and the lock is the parent's. */
static void begin_anew(void)
{
    pthread_mutex_init(&team.lock, NULL);
    pthread_cond_init(&team.asked, NULL);
    team.count = team.leaders = team.idle = 0;
    forks++;
}

__attribute__((
    visibility("default"))) extern const tutti_plugin_entry tutti_plugin;

static const tutti_place_ops *enter(const tutti_services *services,
                                    char *reason, size_t size)
{
    const tutti_services *none = NULL;
    if (services->version != TUTTI_PLACE_VERSION)
        snprintf(reason, size, "made for version %d of places, this is %u",
                 TUTTI_PLACE_VERSION, services->version);
    else if (!atomic_compare_exchange_strong(&library, &none, services) &&
             none != services)
        snprintf(reason, size, "another libtutti of this process has it");
    else if (pthread_atfork(NULL, NULL, begin_anew) != 0)
        snprintf(reason, size, "no memory");
    else
        return &operations;
    return NULL;
}

const tutti_plugin_entry tutti_plugin = enter;
