#include "wire/worker.h"

#include <inttypes.h>
#include <unistd.h>

#include "core/budget.h"
#include "core/clock.h"
#include "core/status.h"
#include "core/thread.h"
#include "wire/stream.h"

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
                            const struct tt_frame *frame, const void *data,
                            tutti_bytes *out)
{
    struct tt_frame answer = {.kind = TT_FRAME_PREPARED, .loop = frame->loop};
    tutti_bytes error = {0};
    tutti_parcel parcel = {.data = data, .size = frame->size};
    if (!frame->loop)
        return tt_fail(TUTTI_ESYS, "asked to prepare for no loop");
    forget(worker);
    tt_thread_roam();
    answer.from = tt_clock();
    if (worker->calls->job(worker->calls->arg, frame->loop, &parcel, &error))
        answer.kind = TT_FRAME_REFUSED;
    else
        worker->loop = frame->loop;
    answer.to = tt_clock();
    tutti_status status = tt_frame_put(out, answer, error.data, error.size);
    tutti_bytes_clear(&error);
    return status;
}

static tutti_status run(struct tt_worker *worker, const struct tt_frame *frame,
                        const void *data, tutti_bytes *out)
{
    struct tt_frame answer = *frame;
    size_t mark;
    if (!worker->loop || frame->loop != worker->loop)
        return tt_fail(TUTTI_ESYS,
                       "asked for tasks of loop %" PRIu64
                       ", prepared for %" PRIu64,
                       frame->loop, worker->loop);
    tutti_parcel parcel = {.data = data, .size = frame->size};
    size_t ran = frame->end - frame->begin;
    tutti_status status = tt_frame_open(out, &mark);
    if (status)
        return status;
    answer.kind = TT_FRAME_DONE;
    answer.from = tt_clock();
    if (worker->calls->range(worker->calls->arg, frame->loop, frame->begin,
                             frame->end, frame->worker, &parcel, out, &ran))
        return tt_fail(TUTTI_ETASK, "the worker was told to end");
    answer.to = tt_clock();
    return tt_frame_close(out, mark, answer);
}

tutti_status tt_worker_take(struct tt_worker *worker,
                            const struct tt_frame *frame, const void *data,
                            tutti_bytes *out)
{
    switch (frame->kind) {
    case TT_FRAME_JOB:
        return prepare(worker, frame, data, out);
    case TT_FRAME_FORGET:
        if (frame->loop == worker->loop)
            forget(worker);
        return TUTTI_OK;
    case TT_FRAME_RANGE:
        return run(worker, frame, data, out);
    default:
        return tt_fail(TUTTI_ESYS,
                       "a message of kind %" PRIu32 " is not for a worker",
                       frame->kind);
    }
}

void tutti_worker_at(size_t index)
{
    (void)index;
}

void tutti_worker_say(tutti_voice voice, const char *text, size_t size)
{
    ssize_t n = write(voice == TUTTI_SAYS_OUT ? 1 : 2, text, size);
    (void)n;
}

/* Handles all whole frames that are there; each answer leaves before the next
 * frame is looked at, so that what was computed survives a crash. */
static tutti_status take_all(struct tt_worker *worker, struct tt_stream *stream)
{
    for (;;) {
        struct tt_frame frame;
        const void *data;
        bool there;
        tutti_status status = tt_stream_next(stream, &there, &frame, &data);
        if (status || !there)
            return status;
        status = tt_worker_take(worker, &frame, data, &stream->out);
        if (status)
            return status;
        tt_stream_send(stream, true);
    }
}

int tutti_worker_serve(int channel, const tutti_worker *calls)
{
    struct tt_stream stream;
    struct tt_worker worker;
    tt_budget_inside = 1;
    tt_thread_keep();
    tt_stream_init(&stream, channel);
    tutti_status status = tt_worker_begin(&worker, calls, &stream.out);
    tt_stream_send(&stream, true);
    while (!status && !stream.ended) {
        status = tt_stream_receive(&stream, true);
        if (!status)
            status = take_all(&worker, &stream);
    }
    if (!status && tt_stream_torn(&stream))
        status = tt_fail(TUTTI_ESYS, "the channel ended within a message");
    tt_stream_fini(&stream);
    forget(&worker);
    return status ? -1 : 0;
}
