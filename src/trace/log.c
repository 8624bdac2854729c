#include "trace/log.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/settings.h"

/* The process's recent loops. `guard` guards all three and is a leaf: nothing
 * is called while it is held. Loops and events are numbered from 0 and stand
 * at their number modulo the room. */
static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
static struct {
    uint64_t loops, events;
    struct tt_kept loop[TT_LOG_LOOPS];
    struct tt_event event[TT_LOG_EVENTS];
} ring;

static _Thread_local struct tt_last *last;
static pthread_key_t last_key; /* frees `last` when its thread ends */
static bool last_keyed;

static void before_fork(void)
{
    pthread_mutex_lock(&guard);
}

static void after_fork(void)
{
    pthread_mutex_unlock(&guard);
}

/* The parent's loops are the parent's. */
static void after_fork_child(void)
{
    ring.loops = ring.events = 0;
    pthread_mutex_unlock(&guard);
}

/* A thread may run loops again in later destructors of its own. */
static void last_free(void *block)
{
    last = NULL;
    free(block);
}

static void begin(void)
{
    last_keyed = pthread_key_create(&last_key, last_free) == 0;
    pthread_atfork(before_fork, after_fork, after_fork_child);
}

/* The library may be unloaded before its threads end. */
__attribute__((destructor)) static void end(void)
{
    if (last_keyed)
        pthread_key_delete(last_key);
}

const struct tt_last *tt_trace_last(void)
{
    return last;
}

/* This thread's block with room for `events`; smaller, or NULL, when there is
 * no memory. */
static struct tt_last *last_make(size_t events)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    static atomic_uint callers;
    if (last && last->room >= events)
        return last;
    pthread_once(&once, begin);
    size_t room = 8;
    while (room < events)
        room *= 2;
    struct tt_last *made =
        realloc(last, sizeof *made + room * sizeof made->events[0]);
    if (!made)
        return last;
    if (!last)
        made->loop.caller =
            atomic_fetch_add_explicit(&callers, 1, memory_order_relaxed) + 1;
    made->room = room;
    last = made;
    if (last_keyed)
        pthread_setspecific(last_key, made);
    return made;
}

/* Appends a lane's events, and the time before it was there. */
static void take_lane(struct tt_last *to, const struct tt_lane *lane)
{
    struct tt_kept *loop = &to->loop;
    size_t left = to->room - loop->count, want = lane->used;
    if (left && lane->start >= loop->began + TT_LANE_SHORT) {
        to->events[loop->count++] = (struct tt_event){
            .from = loop->began,
            .to = lane->start,
            .busy = lane->start - loop->began,
            .ranges = 1,
            .kind = TT_IDLE,
            .worker = lane->worker,
        };
        left--;
    }
    size_t got = want < left ? want : left;
    memcpy(to->events + loop->count, lane->events, got * sizeof to->events[0]);
    loop->count += got;
    loop->dropped += want - got;
}

/* Appends a loop to the ring; `guard` is held. */
static void ring_put(const struct tt_last *from)
{
    struct tt_kept *loop = &ring.loop[ring.loops++ % TT_LOG_LOOPS];
    size_t at = ring.events % TT_LOG_EVENTS;
    size_t count = from->loop.count, head = TT_LOG_EVENTS - at;
    if (head > count)
        head = count;
    *loop = from->loop;
    loop->first = ring.events;
    memcpy(ring.event + at, from->events, head * sizeof from->events[0]);
    memcpy(ring.event, from->events + head,
           (count - head) * sizeof from->events[0]);
    ring.events += count;
}

void tt_trace_end(const tutti_report *report, struct tt_lane *const *lanes,
                  unsigned count, uint64_t began, uint64_t ended)
{
    bool on = tt_settings()->trace;
    size_t events = 0;
    /* One of a lane's share is for the time before it was there. */
    unsigned share = count ? TT_LOG_SHARE / count : 0;
    share = share > 2 ? share - 1 : 1;
    for (unsigned i = 0; i < count; i++) {
        if (!lanes[i] || !on)
            continue;
        tt_lane_squeeze(lanes[i], share);
        events += lanes[i]->used + 1u;
    }
    struct tt_last *to =
        last_make(events < TT_LOG_SHARE ? events : TT_LOG_SHARE);
    if (!to)
        return;
    to->loop.report = *report;
    to->loop.began = began;
    to->loop.ended = ended;
    to->loop.count = to->loop.dropped = 0;
    to->loop.traced = on;
    if (!on)
        return;
    for (unsigned i = 0; i < count; i++)
        if (lanes[i])
            take_lane(to, lanes[i]);
    pthread_mutex_lock(&guard);
    ring_put(to);
    pthread_mutex_unlock(&guard);
}

void tt_trace_recent(struct tt_recent *out)
{
    pthread_mutex_lock(&guard);
    uint64_t loops = ring.loops;
    uint64_t i = loops > TT_LOG_LOOPS ? loops - TT_LOG_LOOPS : 0;
    out->loops = out->events = 0;
    /* Oldest first: a loop whose first event was overwritten is gone. */
    for (; i < loops; i++) {
        const struct tt_kept *loop = &ring.loop[i % TT_LOG_LOOPS];
        if (ring.events - loop->first > TT_LOG_EVENTS)
            continue;
        struct tt_kept *to = &out->loop[out->loops++];
        *to = *loop;
        to->first = out->events;
        for (size_t k = 0; k < loop->count; k++)
            out->event[out->events++] =
                ring.event[(loop->first + k) % TT_LOG_EVENTS];
    }
    out->forgotten = loops - out->loops;
    pthread_mutex_unlock(&guard);
}
