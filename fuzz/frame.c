/* What a worker hears: any bytes are frames or end it with one line, and its
 * answers are frames. An odd first byte: the rest becomes frames with headers
 * in order, so that what lies behind the check is reached too. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/status.h"
#include "wire/stream.h"
#include "wire/worker.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
    if (!holds)
        abort();
}

static int job(void *arg, uint64_t loop, const tutti_parcel *parcel,
               tutti_bytes *error)
{
    must(*(uint64_t *)arg == 0 && loop != 0);
    if (parcel->size && *(const char *)parcel->data == 'r')
        return 1 | (int)tutti_bytes_append(error, parcel->data, parcel->size);
    *(uint64_t *)arg = loop;
    return 0;
}

static void forget(void *arg, uint64_t loop)
{
    must(*(uint64_t *)arg == loop);
    *(uint64_t *)arg = 0;
}

static int range(void *arg, uint64_t loop, size_t begin, size_t end,
                 unsigned worker, const tutti_parcel *parcel, tutti_bytes *out,
                 size_t *ran)
{
    must(*(uint64_t *)arg == loop && loop != 0);
    (void)begin;
    (void)worker;
    (void)ran;
    return end == 99 || tutti_bytes_append(out, parcel->data, parcel->size);
}

/* Kind, loop, begin, end, bytes of payload, payload; again. */
static void make_frames(tutti_bytes *out, const uint8_t *data, size_t size)
{
    while (size >= 5) {
        struct tt_frame frame = {
            .kind = data[0], .loop = data[1], .begin = data[2], .end = data[3]};
        size_t payload = data[4] < size - 5 ? data[4] : size - 5;
        must(tt_frame_put(out, frame, data + 5, payload) == TUTTI_OK);
        data += 5 + payload;
        size -= 5 + payload;
    }
}

static void check_answers(tutti_bytes *out)
{
    struct tt_stream answers = {.in = *out, .fd = -1};
    struct tt_frame frame;
    const void *data;
    bool there = true;
    while (there) {
        must(tt_stream_next(&answers, &there, &frame, &data) == TUTTI_OK);
        must(!there || (uintptr_t)data % 16 == 0);
    }
    must(answers.taken == out->size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t loop = 0;
    tutti_worker calls = {&loop, job, forget, range};
    struct tt_stream stream = {.fd = -1};
    struct tt_worker worker;
    struct tt_frame frame;
    const void *payload;
    bool there = true;
    tutti_bytes out = {0};
    if (size == 0)
        return 0;
    if (data[0] % 2)
        make_frames(&stream.in, data + 1, size - 1);
    else
        must(tutti_bytes_append(&stream.in, data + 1, size - 1) == TUTTI_OK);
    tt_detail_clear();
    tutti_status status = tt_worker_begin(&worker, &calls, &out);
    while (!status && there) {
        check_answers(&out);
        status = tt_stream_next(&stream, &there, &frame, &payload);
        if (!status && there)
            status = tt_worker_take(&worker, &frame, payload, &out);
    }
    must(!status || (tutti_detail()[0] && !strchr(tutti_detail(), '\n')));
    tutti_bytes_clear(&out);
    tutti_bytes_clear(&stream.in);
    return 0;
}
