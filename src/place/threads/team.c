#define _GNU_SOURCE
#include "place/threads/team.h"

#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/fork.h"
#include "core/futex.h"
#include "core/thread.h"
#include "loop/run.h"

/* Some ten times what it takes to wake a parked member. */
#define SPIN_NS 300000u
#define PARK_NS 3600000000000u

/* One thread of a forked child makes a team anew. Free in every child. */
static pthread_mutex_t anew = PTHREAD_MUTEX_INITIALIZER;

static void lock_anew(void)
{
    pthread_mutex_lock(&anew);
}

static void unlock_anew(void)
{
    pthread_mutex_unlock(&anew);
}

__attribute__((constructor)) static void watch_forks(void)
{
    pthread_atfork(lock_anew, unlock_anew, unlock_anew);
}

static uint32_t state_of(struct tt_member *m)
{
    return atomic_load_explicit(&m->state, memory_order_acquire);
}

static void wake_next(struct tt_member *m)
{
    struct tt_member *next = atomic_exchange(&m->wakes, NULL);
    if (next)
        tt_futex_wake(&next->state, 1);
}

/* Spins for a while: 100 pauses, then yields, which leave the CPU to others. */
static bool spin(struct tt_member *m)
{
    uint64_t until = tt_clock() + SPIN_NS;
    for (int i = 0; i < 100 || tt_clock() < until; i++) {
        if (state_of(m) >= TT_MEMBER_INVITED)
            return true;
        if (i < 100)
            tt_pause();
        else
            sched_yield();
    }
    return false;
}

static void roam(struct tt_member *m)
{
    if (atomic_load_explicit(&m->avoids, memory_order_relaxed) &&
        atomic_exchange(&m->avoids, false))
        tt_thread_roam();
}

/* Spins, then parks, until there is something to do. A member that was woken
 * for nothing, as it was recalled, spins again: the next call may be near. */
static enum tt_member_state await(struct tt_member *m)
{
    while (!spin(m)) {
        uint32_t spins = TT_MEMBER_SPINS, parked = TT_MEMBER_PARKED;
        atomic_compare_exchange_strong(&m->state, &spins, TT_MEMBER_PARKED);
        tt_futex_wait(&m->state, TT_MEMBER_PARKED, PARK_NS);
        wake_next(m); /* also those that were invited with a recalled one */
        roam(m);
        atomic_compare_exchange_strong(&m->state, &parked, TT_MEMBER_SPINS);
    }
    return state_of(m);
}

static void go_idle(struct tt_member *m)
{
    struct tt_team *team = m->team;
    pthread_mutex_lock(&team->lock);
    atomic_store_explicit(&m->state,
                          team->closing ? TT_MEMBER_LEAVES : TT_MEMBER_SPINS,
                          memory_order_relaxed);
    m->idle = team->idle;
    team->idle = m;
    pthread_mutex_unlock(&team->lock);
}

static void *member_main(void *arg)
{
    struct tt_member *m = arg;
    m->id = gettid();
    unsigned forks = tt_forks();
    while (await(m) != TT_MEMBER_LEAVES) {
        uint32_t invited = TT_MEMBER_INVITED;
        bool works = atomic_compare_exchange_strong(&m->state, &invited,
                                                    TT_MEMBER_WORKS);
        wake_next(m); /* behind the state: see chain() */
        if (!works)
            continue;
        roam(m);
        tt_run_work(m->run, m->invited);
        if (forks != tt_forks())
            break; /* a body forked: the child's team has no members yet */
        go_idle(m);
    }
    return NULL;
}

void tt_team_init(struct tt_team *team)
{
    pthread_mutex_init(&team->lock, NULL);
    team->idle = team->all = NULL;
    team->size = 0;
    team->closing = false;
    atomic_store_explicit(&team->forks, tt_forks(), memory_order_release);
}

/* In a forked child the members are gone, and the lock may be held by one:
 * the team starts anew. Its members' memory is left, some may be in use. */
static void after_fork(struct tt_team *team)
{
    if (atomic_load_explicit(&team->forks, memory_order_acquire) == tt_forks())
        return;
    pthread_mutex_lock(&anew);
    if (team->forks != tt_forks())
        tt_team_init(team);
    pthread_mutex_unlock(&anew);
}

void tt_team_fini(struct tt_team *team)
{
    after_fork(team);
    pthread_mutex_lock(&team->lock);
    team->closing = true;
    for (struct tt_member *m = team->idle; m; m = m->idle) {
        atomic_store(&m->state, TT_MEMBER_LEAVES);
        tt_futex_wake(&m->state, 1);
    }
    pthread_mutex_unlock(&team->lock);
    for (struct tt_member *m = team->all, *next; m; m = next) {
        next = m->all;
        pthread_join(m->thread, NULL);
        free(m);
    }
    pthread_mutex_destroy(&team->lock);
}

/* Makes an idle member; the lock is held. */
static struct tt_member *make_member(struct tt_team *team)
{
    struct tt_member *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->team = team;
    if (!tt_thread_start(&m->thread, member_main, m)) {
        free(m);
        return NULL;
    }
    m->all = team->all;
    team->all = m;
    team->size++;
    return m;
}

static struct tt_member *take_idle(struct tt_team *team)
{
    struct tt_member *m = team->idle;
    if (m)
        team->idle = m->idle;
    else if (team->size < TT_TEAM_MOST && !team->closing)
        m = make_member(team);
    return m;
}

/* Lets `last` wake m; if it is at work already, it may not look any more. */
static void chain(struct tt_member *last, struct tt_member *m)
{
    atomic_store(&last->wakes, m);
    if (atomic_load(&last->state) == TT_MEMBER_WORKS)
        wake_next(last);
}

unsigned tt_team_invite(struct tt_team *team, struct tutti_run *run,
                        unsigned workers)
{
    struct tt_member *first = NULL, *last = NULL, *m;
    unsigned asked = 0;
    uint64_t now = tt_clock();

    after_fork(team);
    pthread_mutex_lock(&team->lock);
    for (; asked < workers && (m = take_idle(team)); asked++) {
        m->run = run;
        m->invited = now;
        tt_run_count_in(run, 1);
        if (atomic_load(&m->state) == TT_MEMBER_PARKED) {
            tt_thread_avoid(m->id, run->cpu_at);
            atomic_store(&m->avoids, true); /* behind: it may be awake */
        }
        m->was_parked =
            atomic_exchange(&m->state, TT_MEMBER_INVITED) == TT_MEMBER_PARKED;
        if (!m->was_parked)
            continue;
        if (last)
            chain(last, m);
        else
            first = m;
        last = m;
    }
    if (first)
        tt_futex_wake(&first->state, 1);
    pthread_mutex_unlock(&team->lock);
    return asked;
}

void tt_team_recall(struct tt_team *team, struct tutti_run *run)
{
    after_fork(team);
    pthread_mutex_lock(&team->lock);
    for (struct tt_member *m = team->all; m; m = m->all) {
        uint32_t invited = TT_MEMBER_INVITED;
        if (atomic_load(&m->state) != TT_MEMBER_INVITED || m->run != run ||
            !atomic_compare_exchange_strong(&m->state, &invited,
                                            m->was_parked ? TT_MEMBER_PARKED
                                                          : TT_MEMBER_SPINS))
            continue;
        m->idle = team->idle;
        team->idle = m;
        tt_run_count_out(run);
    }
    pthread_mutex_unlock(&team->lock);
}

bool tt_team_awake(struct tt_team *team)
{
    struct tt_member *m = NULL;
    if (pthread_mutex_trylock(&team->lock) == 0) {
        m = team->idle;
        pthread_mutex_unlock(&team->lock);
    }
    return m && state_of(m) == TT_MEMBER_SPINS;
}
