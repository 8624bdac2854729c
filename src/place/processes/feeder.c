/* The feeder thread: orders, events, time. */
#define _GNU_SOURCE /* ppoll, POLLRDHUP */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/thread.h"
#include "place/processes/pool.h"

void tt_feeder_ring(struct tt_feeder *f)
{
    uint64_t one = 1;
    ssize_t n = write(f->bell, &one, sizeof one);
    (void)n; /* the counter is not 0, so the feeder wakes */
}

/* Takes the orders, oldest first. False: the end. */
static bool take_orders(struct tt_feeder *f)
{
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

/* The descriptors to poll: the bell, zygotes, processes, in this order. */
static size_t list_polls(struct tt_feeder *f)
{
    size_t count = 1;
    f->polls[0] = (struct pollfd){.fd = f->bell, .events = POLLIN};
    for (struct tt_zygote *z = f->zygotes; z; z = z->next)
        f->polls[count++] = (struct pollfd){.fd = z->control, .events = POLLIN};
    for (struct tt_process *p = f->processes; p; p = p->next) {
        int fd = p->state < TT_PROCESS_LOST ? p->channel.fd : -1;
        f->polls[count++] = (struct pollfd){.fd = fd, .events = POLLRDHUP};
    }
    return count;
}

bool tt_feeder_room(struct tt_feeder *f)
{
    size_t need = 2; /* the bell and the new one */
    for (struct tt_zygote *z = f->zygotes; z; z = z->next)
        need++;
    for (struct tt_process *p = f->processes; p; p = p->next)
        need++;
    if (need <= f->polls_room)
        return true;
    struct pollfd *polls = realloc(f->polls, 2 * need * sizeof *polls);
    if (!polls)
        return false;
    f->polls = polls;
    f->polls_room = 2 * need;
    return true;
}

/* Sleeps until something comes or is due. */
static bool wait_events(struct tt_feeder *f, size_t count)
{
    uint64_t now = tt_clock();
    struct timespec t = {0}, *most = f->next == UINT64_MAX ? NULL : &t;
    if (f->next != UINT64_MAX && f->next > now) {
        t.tv_sec = (time_t)((f->next - now) / 1000000000u);
        t.tv_nsec = (long)((f->next - now) % 1000000000u);
    }
    int ready = ppoll(f->polls, count, most, NULL);
    f->now = tt_clock();
    return ready > 0;
}

/* What the events do to the lists is done later, by tt_staff_tend(). */
static void handle_events(struct tt_feeder *f)
{
    uint64_t rings;
    size_t i = 1;
    if (f->polls[0].revents) {
        ssize_t n = read(f->bell, &rings, sizeof rings);
        (void)n; /* nothing there: nothing to reset */
    }
    for (struct tt_zygote *z = f->zygotes; z; z = z->next)
        i++;
    for (struct tt_process *p = f->processes; p; p = p->next, i++) {
        if (f->polls[i].revents || tt_channel_ready(&p->channel))
            tt_staff_receive(f, p);
    }
    i = 1;
    for (struct tt_zygote *z = f->zygotes; z; z = z->next, i++)
        if (f->polls[i].revents)
            tt_staff_listen(f, z);
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

/* Lets faces settle what was decoded or lost; they may take their time. */
static void settle(struct tt_feeder *f)
{
    tutti_run *run;
    while ((run = take_unsettled(f))) {
        run->loop.message->settle(run->loop.context);
        tt_run_tell_news(run);
        tt_run_count_out(run);
    }
}

size_t tt_feeder_list(struct tt_feeder *f, const tutti_run *run, long *pids,
                      size_t room)
{
    size_t count = 0;
    pthread_mutex_lock(&f->drive);
    for (struct tt_process *p = f->processes; p; p = p->next) {
        if (!p->seat || p->seat->feed->run != run || p->pid <= 0)
            continue;
        if (count < room)
            pids[count] = p->pid;
        count++;
    }
    pthread_mutex_unlock(&f->drive);
    return count;
}

static void *feeder_main(void *arg)
{
    struct tt_feeder *f = arg;
    tt_thread_prompt();
    f->now = tt_clock();
    while (take_orders(f)) {
        pthread_mutex_lock(&f->drive);
        f->next = UINT64_MAX;
        tt_staff_tend(f);
        tt_feed_tend(f);
        tt_staff_fork(f);
        size_t polls = list_polls(f);
        pthread_mutex_unlock(&f->drive);
        if (wait_events(f, polls)) {
            pthread_mutex_lock(&f->drive);
            handle_events(f);
            pthread_mutex_unlock(&f->drive);
        }
        settle(f);
    }
    tt_staff_end(f);
    free(f->polls);
    return NULL;
}

struct tt_feeder *tt_feeder_start(struct tt_pool *pool)
{
    struct tt_feeder *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    f->pool = pool;
    pthread_mutex_init(&f->drive, NULL);
    f->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (f->bell < 0 || !tt_feeder_room(f))
        goto free_feeder;
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int failed = pthread_create(&f->thread, NULL, feeder_main, f);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (failed)
        goto free_feeder;
    return f;
free_feeder:
    if (f->bell >= 0)
        close(f->bell);
    free(f->polls);
    free(f);
    return NULL;
}
