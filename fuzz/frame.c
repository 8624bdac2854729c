/* What a worker hears: any bytes are frames or end it with one line, and its
 * answers are frames. An odd first byte: the rest becomes frames with headers
 * in order, so that what lies behind the check is reached too. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/status.h"
#include "wire/link.h"
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
    bool again = *(uint64_t *)arg == loop && parcel->size == 0;
    must(loop != 0 && (*(uint64_t *)arg == 0 || again));
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

static void check_answers(const tutti_bytes *out)
{
    struct tt_frame frame;
    for (size_t at = 0; at < out->size; at += tt_frame_length(&frame)) {
        must(out->size - at >= sizeof frame);
        memcpy(&frame, out->data + at, sizeof frame);
        must(tt_frame_check(&frame) == TUTTI_OK && !frame.blocks);
    }
}

static void make_channel(struct tt_channel *place, struct tt_channel *worker)
{
    int bell = eventfd(0, EFD_CLOEXEC), bells[2] = {bell, bell}, theirs = -1;
    must(bell >= 0 && tt_channel_make(place, bells, &theirs) == TUTTI_OK);
    must(tt_channel_take(worker, theirs) == TUTTI_OK);
    close(bell);
}

static void write_raw(struct tt_channel *place, const uint8_t *data,
                      size_t size)
{
    struct tt_ring_end *ring = &place->link->out;
    tt_ring_write(ring, data, size < TT_RING_SIZE ? size : TT_RING_SIZE);
    tt_ring_tell_head(ring);
}

static tutti_status take_all(struct tt_channel *channel,
                             const tutti_worker *calls, tutti_bytes *out)
{
    struct tt_worker worker;
    struct tt_frame frame;
    tutti_parcel parcel;
    bool there = true, again;
    tutti_status status = tt_worker_begin(&worker, calls, out);
    while (!status && there) {
        check_answers(out);
        status = tt_channel_next(channel, &there, &frame, &parcel);
        must(status || !there || (uintptr_t)parcel.data % 16 == 0);
        if (!status && there)
            do
                status = tt_worker_take(&worker, &frame, &parcel, out, &again);
            while (!status && again);
    }
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t loop = 0;
    tutti_worker calls = {&loop, job, forget, range};
    struct tt_channel place, worker;
    tutti_bytes out = {0};
    if (size == 0)
        return 0;
    make_channel(&place, &worker);
    if (data[0] % 2)
        make_frames(&place.out, data + 1, size - 1);
    else
        write_raw(&place, data + 1, size - 1);
    tt_channel_send(&place, false);
    tt_detail_clear();
    tutti_status status = take_all(&worker, &calls, &out);
    must(!status || (tutti_detail()[0] && !strchr(tutti_detail(), '\n')));
    tutti_bytes_clear(&out);
    tt_channel_fini(&place);
    tt_channel_fini(&worker);
    return 0;
}
