/* The place "processes": workers forked by a zygote, fed by one thread. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/constants.h"
#include "core/fork.h"
#include "place/places.h"
#include "place/processes/pool.h"

/* Seconds, measured: a fork and a first job; what an idle worker has to save
 * before it is worth its wake-up, its job and the bytes of its first ranges; a
 * range there and back. */
#define FORK 1.5e-3
#define WAKE 2.5e-3
#define RANGE 50e-6
#define BYTE 1e-9

static bool probe(char *reason, size_t size)
{
    snprintf(reason, size, "workers forked by a zygote, over shared memory");
    return true;
}

static void reset(struct tt_pool *pool)
{
    pool->forks = tt_forks();
    pool->feeder = NULL;
    atomic_store(&pool->zygotes, 0);
    atomic_store(&pool->idle, 0);
    pthread_mutex_init(&pool->guard, NULL);
}

/* In a forked child there is no feeder, the workers are the parent's, and the
 * lock may be held by the dead: the place starts empty. */
static void after_fork(struct tt_pool *pool)
{
    if (pool->forks != tt_forks())
        reset(pool);
}

static tutti_status open_place(void **state, unsigned workers)
{
    struct tt_pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return tt_fail_memory("a pool of processes");
    pool->workers = workers ? workers : TT_POOL_MOST;
    reset(pool);
    *state = pool;
    return TUTTI_OK;
}

static struct tt_feeder *feeder_of(struct tt_pool *pool)
{
    after_fork(pool);
    pthread_mutex_lock(&pool->guard);
    struct tt_feeder *feeder = pool->feeder;
    pthread_mutex_unlock(&pool->guard);
    return feeder;
}

static void close_place(void *state)
{
    struct tt_pool *pool = state;
    struct tt_feeder *feeder = feeder_of(pool);
    if (feeder) {
        pthread_mutex_lock(&pool->guard);
        feeder->stop = true;
        pthread_mutex_unlock(&pool->guard);
        tt_feeder_ring(feeder);
        pthread_join(feeder->thread, NULL);
        tt_feeder_free(feeder);
    }
    pthread_mutex_destroy(&pool->guard);
    free(pool);
}

static void cost(void *state, tutti_place_cost *cost)
{
    struct tt_pool *pool = state;
    bool here = pool->forks == tt_forks();
    bool up = here && atomic_load(&pool->zygotes) > 0;
    *cost = (tutti_place_cost){
        .open = up ? 0 : tt_constant(TT_PROCESS_OPEN),
        .invite = up && atomic_load(&pool->idle) ? WAKE : FORK,
        .range = RANGE,
        .byte = BYTE,
    };
}

static unsigned invite(void *state, tutti_run *run, unsigned workers)
{
    struct tt_pool *pool = state;
    struct tt_order *order = malloc(sizeof *order);
    tutti_status status = order ? TUTTI_OK : tt_fail_memory("a loop");
    if (status)
        return 0;
    if (workers > pool->workers)
        workers = pool->workers;
    *order = (struct tt_order){NULL, run, workers, tt_clock()};
    after_fork(pool);
    pthread_mutex_lock(&pool->guard);
    if (!pool->feeder)
        status = tt_feeder_start(&pool->feeder, pool);
    struct tt_feeder *feeder = pool->feeder;
    if (!status) {
        tt_run_count_in(run, workers);
        atomic_fetch_add(&run->seats, workers);
        order->next = feeder->orders;
        feeder->orders = order;
    }
    pthread_mutex_unlock(&pool->guard);
    if (status) {
        free(order);
        return 0;
    }
    /* Else the caller comes to help at once. */
    if (run->caller || run->endless)
        tt_feeder_ring(feeder);
    return workers;
}

/* A seat that has nothing to do leaves when the feeder looks at it. */
static void recall(void *state, tutti_run *run)
{
    struct tt_feeder *feeder = feeder_of(state);
    (void)run;
    if (feeder)
        tt_feeder_ring(feeder);
}

static void help(void *state, tutti_run *run, uint32_t seen, uint64_t ns)
{
    struct tt_feeder *feeder = feeder_of(state);
    if (feeder)
        tt_feeder_help(feeder, run, seen, ns);
}

static size_t list(void *state, tutti_run *run, long *pids, size_t room)
{
    struct tt_feeder *feeder = feeder_of(state);
    return feeder ? tt_feeder_list(feeder, run, pids, room) : 0;
}

const tutti_place_ops tt_place_processes = {
    .version = TUTTI_PLACE_VERSION,
    .name = "processes",
    .takes = TUTTI_TAKES_MESSAGE,
    .caller_works = false,
    .probe = probe,
    .open = open_place,
    .close = close_place,
    .cost = cost,
    .invite = invite,
    .recall = recall,
    .help = help,
    .list = list,
};
