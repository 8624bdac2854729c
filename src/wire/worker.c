#include "wire/worker.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "core/budget.h"
#include "core/clock.h"
#include "core/status.h"
#include "core/thread.h"
#include "wire/channel.h"

tutti_status tt_worker_begin(struct tt_worker *worker,
                             const tutti_worker *calls, tutti_bytes *out)
{
    *worker = (struct tt_worker){.calls = calls};
    struct tt_frame hello = {.kind = TT_FRAME_HELLO,
                             .begin = (uint64_t)getpid()};
    return tt_frame_put(out, hello, NULL, 0);
}

static void forget(struct tt_worker *worker)
{
    if (worker->loop)
        worker->calls->forget(worker->calls->arg, worker->loop);
    worker->loop = 0;
}

static tutti_status prepare(struct tt_worker *worker,
                            const struct tt_frame *frame,
                            const tutti_parcel *parcel, tutti_bytes *out)
{
    struct tt_frame answer = {
        .kind = TT_FRAME_PREPARED, .loop = frame->loop, .end = ++worker->jobs};
    tutti_bytes error = {0};
    if (!frame->loop)
        return tt_fail(TUTTI_ESYS, "asked to prepare for no loop");
    bool again = frame->begin && !parcel->size;
    bool lacks = again && worker->loop != frame->loop;
    if (!again || lacks)
        forget(worker);
    if (frame->worker)
        tt_thread_roam();
    answer.from = tt_clock();
    bool refuses = lacks || worker->calls->job(worker->calls->arg, frame->loop,
                                               parcel, &error);
    answer.to = tt_clock();
    if (refuses) {
        answer.kind = TT_FRAME_REFUSED;
        forget(worker);
    } else {
        worker->loop = frame->loop;
    }
    worker->refused = refuses ? frame->loop : 0;
    tutti_status status = TUTTI_OK;
    if (refuses || !again)
        status = tt_frame_put(out, answer, error.data, error.size);
    tutti_bytes_clear(&error);
    return status;
}

static tutti_status run(struct tt_worker *worker, struct tt_frame *frame,
                        const tutti_parcel *parcel, tutti_bytes *out,
                        bool *again)
{
    struct tt_frame answer = *frame;
    struct tt_mark mark;
    if (frame->loop && frame->loop == worker->refused)
        return TUTTI_OK;
    if (!worker->loop || frame->loop != worker->loop)
        return tt_fail(TUTTI_ESYS,
                       "asked for tasks of loop %" PRIu64
                       ", prepared for %" PRIu64,
                       frame->loop, worker->loop);
    size_t tasks = frame->end - frame->begin, ran = tasks;
    tutti_status status = tt_frame_open(out, &mark);
    if (status)
        return status;
    answer.kind = TT_FRAME_DONE;
    answer.from = tt_clock();
    int gives =
        worker->calls->range(worker->calls->arg, frame->loop, frame->begin,
                             frame->end, frame->worker, parcel, out, &ran);
    if (gives && gives != TUTTI_RANGE_GIVES)
        return tt_fail(TUTTI_ETASK, "the worker was told to end");
    if (ran > tasks || (ran == 0 && tasks && !gives))
        return tt_fail(TUTTI_ETASK, "the worker ran %zu of %zu tasks", ran,
                       tasks);
    answer.to = tt_clock();
    answer.end = frame->begin = frame->begin + ran;
    *again = ran < tasks && !gives;
    if (ran < tasks && gives)
        answer.kind = TT_FRAME_PART;
    return tt_frame_close(out, mark, answer);
}

tutti_status tt_worker_take(struct tt_worker *worker, struct tt_frame *frame,
                            const tutti_parcel *parcel, tutti_bytes *out,
                            bool *again)
{
    *again = false;
    switch (frame->kind) {
    case TT_FRAME_JOB:
        return prepare(worker, frame, parcel, out);
    case TT_FRAME_FORGET:
        if (frame->loop == worker->loop)
            forget(worker);
        return TUTTI_OK;
    case TT_FRAME_RANGE:
        return run(worker, frame, parcel, out, again);
    default:
        return tt_fail(TUTTI_ESYS,
                       "a message of kind %" PRIu32 " is not for a worker",
                       frame->kind);
    }
}

/* Serving */

/* The channel of this process, for all its threads. */
static struct serving {
    pthread_mutex_t guard; /* guards sending, and: */
    struct tt_channel *channel;
    uint64_t loop; /* asked for; 0: none */
} serving = {.guard = PTHREAD_MUTEX_INITIALIZER};

static _Thread_local _Atomic uint64_t *at_word;

/* What a task forks is no worker. No other thread is in the middle of sending
 * then. */
static void before_fork(void)
{
    pthread_mutex_lock(&serving.guard);
}

static void in_parent(void)
{
    pthread_mutex_unlock(&serving.guard);
}

static void in_child(void)
{
    at_word = NULL;
    serving.channel = NULL;
    pthread_mutex_unlock(&serving.guard);
}

__attribute__((constructor)) static void watch_forks(void)
{
    pthread_atfork(before_fork, in_parent, in_child);
}

void tutti_worker_at(size_t index)
{
    if (at_word)
        atomic_store_explicit(at_word, index, memory_order_relaxed);
}

/* Sends the frames in `answer`, and leaves it empty. They are made apart:
 * others may say something meanwhile. `quiet`: when a frame is there, whose
 * answer wakes the place. */
static void deliver(tutti_bytes *answer, uint64_t loop, bool quiet)
{
    pthread_mutex_lock(&serving.guard);
    quiet = quiet && tt_channel_ready(serving.channel);
    tutti_bytes empty = serving.channel->out;
    serving.channel->out = *answer;
    *answer = empty;
    serving.loop = loop;
    if (quiet)
        tt_channel_lay(serving.channel);
    else
        tt_channel_send(serving.channel, true);
    pthread_mutex_unlock(&serving.guard);
}

void tutti_worker_say(tutti_voice voice, const char *text, size_t size)
{
    struct tt_frame frame = {.kind = TT_FRAME_SAID, .worker = voice};
    pthread_mutex_lock(&serving.guard);
    bool sent = false;
    if (serving.channel && serving.loop) {
        frame.loop = serving.loop;
        sent =
            tt_frame_put(&serving.channel->out, frame, text, size) == TUTTI_OK;
        tt_channel_send(serving.channel, true);
    }
    pthread_mutex_unlock(&serving.guard);
    while (!sent && size) {
        ssize_t n = write(voice == TUTTI_SAYS_OUT ? 1 : 2, text, size);
        if (n < 0 && errno != EINTR)
            return;
        text += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
}

static void set_channel(struct tt_channel *channel)
{
    pthread_mutex_lock(&serving.guard);
    serving.channel = channel;
    serving.loop = 0;
    at_word = channel ? tt_channel_at_word(channel) : NULL;
    pthread_mutex_unlock(&serving.guard);
}

/* Does what a frame asks for; each answer leaves at once, so that what was
 * computed survives a crash. */
static tutti_status answer_frame(struct tt_worker *worker,
                                 struct tt_frame *frame,
                                 const tutti_parcel *parcel,
                                 tutti_bytes *answer)
{
    tutti_status status;
    bool again, job = frame->kind == TT_FRAME_JOB;
    if (job)
        deliver(answer, frame->loop, false);
    do {
        status = tt_worker_take(worker, frame, parcel, answer, &again);
        if (job && worker->loop)
            tt_channel_prepare(serving.channel, worker->jobs);
        if (!again)
            tt_channel_done(serving.channel);
        if (!status)
            deliver(answer, worker->loop, job && worker->loop);
    } while (!status && again);
    return status;
}

/* Waits for a frame. Others may be in the middle of sending before. */
static void rest(struct tt_channel *channel)
{
    pthread_mutex_lock(&serving.guard);
    tt_channel_look(channel);
    pthread_mutex_unlock(&serving.guard);
    tt_channel_wait(channel);
}

/* Serves until the channel ends. */
static tutti_status serve(struct tt_worker *worker, struct tt_channel *channel,
                          tutti_bytes *answer)
{
    tutti_status status = TUTTI_OK;
    while (!status && !channel->ended) {
        struct tt_frame frame;
        tutti_parcel parcel;
        bool there;
        status = tt_channel_next(channel, &there, &frame, &parcel);
        if (!status && there)
            status = answer_frame(worker, &frame, &parcel, answer);
        else if (!status && !channel->ended)
            rest(channel);
    }
    if (!status && tt_channel_torn(channel))
        status = tt_fail(TUTTI_ESYS, "the channel ended within a message");
    return status;
}

int tutti_worker_serve(int fd, const tutti_worker *calls)
{
    struct tt_channel channel;
    struct tt_worker worker;
    tutti_bytes answer = {0};
    tt_budget_inside = 1;
    tt_budget_nested = true;
    tt_thread_keep();
    tutti_status status = tt_channel_take(&channel, fd);
    if (status)
        return -1;
    set_channel(&channel);
    status = tt_worker_begin(&worker, calls, &answer);
    if (!status)
        deliver(&answer, 0, false);
    if (!status)
        status = serve(&worker, &channel, &answer);
    set_channel(NULL);
    tt_channel_fini(&channel);
    tutti_bytes_clear(&answer);
    forget(&worker);
    return status ? -1 : 0;
}
