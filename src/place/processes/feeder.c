/* Who does the pool's work: the feeder thread, or a thread that waits for its
 * run and drives meanwhile. Each has an epoll and a bell of its own, so that
 * one sleeps on while the other works; workers ring the bell that the channels
 * name. */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/fork.h"
#include "core/futex.h"
#include "core/thread.h"
#include "place/processes/pool.h"

#define EVENTS 16
#define HOUR_MS 3600000 /* the longest sleep */
#define PATIENCE_NS 1000000
#define PAUSES 100 /* a driver spins so often, then yields so often, */
#define YIELDS 100 /* before it sleeps: measured, see docs/auto.md */

static void ring(int bell)
{
    uint64_t one = 1;
    ssize_t n = write(bell, &one, sizeof one);
    (void)n; /* the counter is full: it was rung */
}

void tt_feeder_ring(struct tt_feeder *f)
{
    if (!atomic_exchange(&f->rung, true))
        ring(f->bells[TT_FEEDER]);
}

static bool add(int poll, int fd, uint32_t events, bool bell)
{
    struct epoll_event event = {.events = events | EPOLLET, .data.u32 = bell};
    return epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) == 0;
}

tutti_status tt_feeder_watch(struct tt_feeder *f, int fd, bool reads)
{
    uint32_t events = EPOLLRDHUP | (reads ? EPOLLIN : 0);
    if (add(f->polls[TT_FEEDER], fd, events, false) &&
        add(f->polls[TT_DRIVER], fd, events, false))
        return TUTTI_OK;
    return tt_fail(TUTTI_ESYS, "cannot poll a descriptor: %s", strerror(errno));
}

/* Takes the orders, oldest first. False: the end. */
static bool take_orders(struct tt_feeder *f)
{
    atomic_store(&f->rung, false);
    pthread_mutex_lock(&f->pool->guard);
    struct tt_order *newest = f->orders, *oldest = NULL, *next;
    f->orders = NULL;
    bool stop = f->stop;
    pthread_mutex_unlock(&f->pool->guard);
    for (; newest; newest = next) {
        next = newest->next;
        newest->next = oldest;
        oldest = newest;
    }
    for (; oldest; oldest = next) {
        next = oldest->next;
        tt_feed_order(f, oldest);
        free(oldest);
    }
    return !stop;
}

static bool any_ready(struct tt_feeder *f)
{
    for (struct tt_process *p = f->processes; p; p = p->next)
        if (p->state < TT_PROCESS_LOST && tt_channel_ready(&p->channel))
            return true;
    return false;
}

/* Says which of the two is woken by workers, if any. */
static void watch(struct tt_feeder *f, unsigned bell)
{
    for (struct tt_process *p = f->processes; p; p = p->next)
        if (p->state < TT_PROCESS_LOST)
            tt_channel_watch(&p->channel, bell);
}

/* Does what there is to do, also at the sockets if they called. */
static void work(struct tt_feeder *f)
{
    bool sockets = f->called;
    f->called = false;
    f->now = tt_clock();
    for (struct tt_process *p = f->processes; p; p = p->next)
        if (p->state < TT_PROCESS_LOST &&
            (sockets || tt_channel_ready(&p->channel)))
            tt_staff_receive(f, p);
    for (struct tt_zygote *z = f->zygotes; z && sockets; z = z->next)
        tt_staff_listen(f, z);
    do {
        f->next = UINT64_MAX;
        tt_staff_tend(f);
        tt_feed_tend(f);
        tt_staff_fork(f);
    } while (f->next == 0);
}

/* BY_BELL: or it is due; BY_FORK: this is the child. */
enum tt_woken { BY_BELL, BY_SOCKET, BY_SIGNAL, BY_FORK };

/* Sleeps until a bell, a socket or a signal calls, or something is due. */
static enum tt_woken sleep_until(struct tt_feeder *f, enum tt_who who,
                                 uint64_t until)
{
    struct epoll_event events[EVENTS];
    uint64_t now = tt_clock();
    int ms = HOUR_MS;
    if (until < now + HOUR_MS * (uint64_t)1000000)
        ms = until <= now ? 0 : (int)((until - now) / 1000000u + 1);
    int count = epoll_wait(f->polls[who], events, EVENTS, ms);
    enum tt_woken by = count < 0 ? BY_SIGNAL : BY_BELL;
    for (int i = 0; i < count; i++)
        if (!events[i].data.u32)
            by = BY_SOCKET;
    return by;
}

static tutti_run *take_unsettled(struct tt_feeder *f)
{
    pthread_mutex_lock(&f->drive);
    tutti_run *run = f->unsettled;
    if (run) {
        f->unsettled = run->unsettled;
        run->unsettles = false;
    }
    pthread_mutex_unlock(&f->drive);
    return run;
}

/* Lets faces settle what was decoded or lost; they may take their time, and
 * fork: false in the child. */
static bool settle(struct tt_feeder *f)
{
    tutti_run *run;
    unsigned forks = tt_forks();
    while ((run = take_unsettled(f))) {
        run->loop.message->settle(run->loop.context);
        if (forks != tt_forks())
            return false;
        tt_run_tell_news(run);
        tt_run_count_out(run);
    }
    return true;
}

/* The feeder thread works, unless a caller drives: then it leaves all to it. */
static bool feed(struct tt_feeder *f, bool sockets)
{
    bool goes_on = true;
    pthread_mutex_lock(&f->drive);
    f->called |= sockets;
    f->asleep_until = UINT64_MAX;
    if (f->driven) {
        f->missed = true;
        ring(f->bells[TT_DRIVER]);
    } else {
        goes_on = take_orders(f);
        do {
            work(f);
            watch(f, 1 + TT_FEEDER);
        } while (any_ready(f));
        f->asleep_until = f->next;
    }
    pthread_mutex_unlock(&f->drive);
    return goes_on;
}

static void *feeder_main(void *arg)
{
    struct tt_feeder *f = arg;
    bool sockets = false;
    tt_thread_prompt();
    while (feed(f, sockets)) {
        if (!settle(f))
            return NULL; /* the child's only thread: what it had is not ours */
        sockets = sleep_until(f, TT_FEEDER, f->asleep_until) == BY_SOCKET;
    }
    tt_staff_end(f);
    tutti_bytes_clear(&f->kept);
    tt_feed_free(f->spare);
    return NULL;
}

/* Whether a thread that helps has what it waits for. */
static bool served(tutti_run *run, uint32_t seen)
{
    return run->endless ? tutti_run_news(run) != seen : tt_run_empty(run);
}

static bool crowded(struct tt_feeder *f)
{
    for (struct tt_process *p = f->processes; p; p = p->next)
        if (p->state == TT_PROCESS_WORKS && tt_channel_crowded(&p->channel))
            return true;
    return false;
}

/* Waits for workers a little while without sleep: they may be quick. */
static bool spin(struct tt_feeder *f)
{
    for (int i = crowded(f) ? PAUSES : 0; i < PAUSES + YIELDS; i++) {
        if (any_ready(f))
            return true;
        if (i < PAUSES)
            tt_pause();
        else
            sched_yield();
    }
    return false;
}

/* One turn of a driver, which holds the lock. Returns whether there may be more
 * to do at once. */
static bool turn(struct tt_feeder *f, tutti_run *run, uint32_t seen)
{
    bool more = false;
    f->driven = true;
    watch(f, 0);
    (void)atomic_exchange(&f->asked, false);
    take_orders(f);
    work(f);
    if (!f->unsettled && !served(run, seen)) {
        more = spin(f);
        if (!more)
            watch(f, 1 + TT_DRIVER);
        more |= any_ready(f);
    }
    return more;
}

static bool has_orders(struct tt_feeder *f)
{
    pthread_mutex_lock(&f->pool->guard);
    bool some = f->orders != NULL;
    pthread_mutex_unlock(&f->pool->guard);
    return some;
}

/* The feeder thread goes on from here; the lock is held until then. */
static void hand_back(struct tt_feeder *f)
{
    f->driven = false;
    watch(f, 1 + TT_FEEDER);
    bool call = f->missed || f->called || any_ready(f) || has_orders(f) ||
                f->next < f->asleep_until;
    f->missed = false;
    pthread_mutex_unlock(&f->drive);
    if (call)
        ring(f->bells[TT_FEEDER]); /* also if it was, and left all to us */
}

/* The feeder thread may hold it while it waits for this very thread: for an
 * interpreter's work that only the caller may do. */
static bool lock_soon(pthread_mutex_t *lock)
{
    if (pthread_mutex_trylock(lock) == 0)
        return true;
    struct timespec until = tt_clock_in(PATIENCE_NS);
    return pthread_mutex_timedlock(lock, &until) == 0;
}

/* What a driver does without the lock: lets faces settle, or else sleeps. */
static enum tt_woken rest(struct tt_feeder *f, bool settles, bool more,
                          uint64_t until)
{
    if (settles)
        return settle(f) ? BY_BELL : BY_FORK;
    return more ? BY_BELL : sleep_until(f, TT_DRIVER, until);
}

/* Works until the run is served, or `end`. Returns whether a signal came, or
 * this is a child. */
static bool drive(struct tt_feeder *f, tutti_run *run, uint32_t seen,
                  uint64_t end)
{
    enum tt_woken by = BY_BELL;
    if (!lock_soon(&f->drive))
        return false;
    for (;;) {
        bool more = turn(f, run, seen);
        bool settles = f->unsettled;
        uint64_t until = f->next < end ? f->next : end;
        if (!settles && served(run, seen))
            break;
        pthread_mutex_unlock(&f->drive);
        by = rest(f, settles, more, until);
        if (by == BY_FORK)
            return true;
        pthread_mutex_lock(&f->drive);
        f->called |= by == BY_SOCKET;
        if (by == BY_SIGNAL || served(run, seen) || tt_clock() >= end)
            break;
    }
    hand_back(f);
    return by == BY_SIGNAL;
}

/* Who asked while this thread drove no more, but had the role still, waits in
 * vain for it: the feeder thread looks. */
static void give_up_role(struct tt_feeder *f)
{
    pthread_mutex_unlock(&f->role);
    if (atomic_exchange(&f->asked, false))
        ring(f->bells[TT_FEEDER]);
}

/* Where somebody else drives, it only waits. */
static void wait_for(tutti_run *run, uint32_t seen, uint64_t ns)
{
    if (!run->endless)
        tt_run_sleep(run, ns);
    else if (tutti_run_news(run) == seen)
        tt_futex_wait(&run->news, seen, ns);
}

void tt_feeder_help(struct tt_feeder *f, tutti_run *run, uint32_t seen,
                    uint64_t ns)
{
    uint64_t end = tt_clock() + ns;
    if (served(run, seen))
        return;
    unsigned forks = tt_forks();
    atomic_store(&f->asked, true);
    if (pthread_mutex_trylock(&f->role)) {
        ring(f->bells[TT_DRIVER]);
    } else {
        bool ended = drive(f, run, seen, end);
        if (forks == tt_forks())
            give_up_role(f);
        if (ended)
            return;
    }
    uint64_t now = tt_clock();
    if (now < end && !served(run, seen))
        wait_for(run, seen, end - now);
}

size_t tt_feeder_list(struct tt_feeder *f, const tutti_run *run, long *pids,
                      size_t room)
{
    size_t count = 0;
    pthread_mutex_lock(&f->drive);
    for (struct tt_process *p = f->processes; p; p = p->next) {
        bool stands_by = p->state == TT_PROCESS_IDLE;
        bool works = p->seat && p->seat->feed->run == run;
        if (!(stands_by || works) || p->pid <= 0)
            continue;
        if (count < room)
            pids[count] = p->pid;
        count++;
    }
    pthread_mutex_unlock(&f->drive);
    return count;
}

static bool make_descriptors(struct tt_feeder *f)
{
    for (int i = 0; i < 2; i++)
        f->bells[i] = f->polls[i] = -1;
    for (int i = 0; i < 2; i++) {
        f->bells[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (f->bells[i] >= 0)
            f->polls[i] = epoll_create1(EPOLL_CLOEXEC);
        if (f->polls[i] < 0 || !add(f->polls[i], f->bells[i], EPOLLIN, true))
            return false;
    }
    return true;
}

void tt_feeder_free(struct tt_feeder *f)
{
    for (int i = 0; i < 2; i++) {
        if (f->bells[i] >= 0)
            close(f->bells[i]);
        if (f->polls[i] >= 0)
            close(f->polls[i]);
    }
    free(f);
}

tutti_status tt_feeder_start(struct tt_feeder **out, struct tt_pool *pool)
{
    pthread_mutexattr_t again;
    struct tt_feeder *f = calloc(1, sizeof *f);
    if (!f)
        return tt_fail_memory("a pool of processes");
    f->pool = pool;
    pthread_mutex_init(&f->drive, NULL);
    pthread_mutexattr_init(&again);
    pthread_mutexattr_settype(&again, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&f->role, &again);
    pthread_mutexattr_destroy(&again);
    f->asleep_until = UINT64_MAX;
    sigset_t all, old;
    sigfillset(&all);
    int error = make_descriptors(f) ? 0 : errno;
    pthread_sigmask(SIG_SETMASK, &all, &old);
    if (!error)
        error = pthread_create(&f->thread, NULL, feeder_main, f);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (error) {
        tt_feeder_free(f);
        return tt_fail(TUTTI_ESYS,
                       "what serves worker processes cannot be started: %s",
                       strerror(error));
    }
    *out = f;
    return TUTTI_OK;
}
