#include "algo/travel.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "algo/divert.h"
#include "core/status.h"
#include "sched/caller.h"
#include "wire/bytes.h"

#define ALIGN_MOST 64u
#define BYTES_MOST ((uint64_t)1 << 40) /* of a range */

/* A loop of travelling tasks: the context of its message. */
struct trip {
    const struct tt_travel *travel;
    struct tt_travel_job job;
    char path[TT_TRAVEL_FUNCTIONS][PATH_MAX], folder[PATH_MAX];
};

/* Values are as far apart as they have to be for the alignment that the
 * caller's stride gives them. */
static struct tt_layout lay_out(size_t size, ptrdiff_t stride)
{
    size_t bits = (size_t)stride & -(size_t)stride;
    size_t align = bits && bits < ALIGN_MOST ? bits : ALIGN_MOST;
    return (struct tt_layout){size, (size + align - 1) / align * align};
}

static tutti_status append_part(tutti_bytes *out, const void *data, size_t size)
{
    static const char zeros[16];
    if (size >= TT_TRAVEL_BLOCK)
        return tutti_bytes_attach(out, data, size);
    tutti_status status = tutti_bytes_append(out, data, size);
    if (!status)
        status = tutti_bytes_append(out, zeros, tt_travel_pad(size) - size);
    return status;
}

static tutti_status encode_job(void *context, tutti_bytes *out)
{
    const struct trip *trip = context;
    const struct tt_travel *travel = trip->travel;
    const void *const parts[TT_PARTS] = {
        [TT_PART_PATH] = trip->path[0],
        [TT_PART_SECOND] = trip->path[1],
        [TT_PART_THIRD] = trip->path[2],
        [TT_PART_FOLDER] = trip->folder,
        [TT_PART_CONTEXT] = travel->context,
        [TT_PART_CONSTANT] = travel->constant,
    };
    tutti_status status = append_part(out, &trip->job, sizeof trip->job);
    for (int i = 0; i < TT_PARTS && !status; i++)
        status = append_part(out, parts[i], trip->job.part[i]);
    return status;
}

/* Where task or result `index` of an array is. */
static char *at(const tutti_array *array, size_t index)
{
    return (char *)array->data + (ptrdiff_t)index * array->stride;
}

static tutti_status append_values(tutti_bytes *out, const void *data,
                                  size_t size)
{
    return size < TT_TRAVEL_BLOCK ? tutti_bytes_append(out, data, size)
                                  : tutti_bytes_attach(out, data, size);
}

/* Appends items that do not lie as they are to travel. */
static tutti_status gather(const struct trip *trip, size_t begin, size_t end,
                           size_t size, tutti_bytes *out)
{
    struct tt_layout item = trip->job.item;
    tutti_block *block = NULL;
    tutti_status status = size < TT_TRAVEL_BLOCK
                              ? tt_bytes_reserve(out, size)
                              : tutti_block_alloc(&block, size);
    if (status)
        return status;
    char *data = block ? tutti_block_data(block) : out->data + out->size;
    for (size_t i = begin; i < end; i++, data += item.step) {
        memcpy(data, at(&trip->travel->items, i), item.size);
        memset(data + item.size, 0, item.step - item.size);
    }
    if (block)
        status = tutti_bytes_attach(out, data - size, size);
    else
        out->size += size;
    tutti_block_drop(block);
    return status;
}

static tutti_status encode_range(void *context, size_t begin, size_t end,
                                 uint64_t sitting, tutti_bytes *out)
{
    const struct trip *trip = context;
    const tutti_array *items = &trip->travel->items;
    struct tt_layout item = trip->job.item;
    uint64_t size;
    (void)sitting;
    if (!item.size)
        return TUTTI_OK;
    if (__builtin_mul_overflow(end - begin, item.step, &size) ||
        size > BYTES_MOST)
        return tt_fail(TUTTI_EARG, "items of %zu bytes are too large",
                       (size_t)item.size);
    if (item.size == item.step && items->stride == (ptrdiff_t)item.size)
        return append_values(out, at(items, begin), size);
    return gather(trip, begin, end, size, out);
}

static size_t results_of(const struct trip *trip, size_t begin, size_t end)
{
    size_t unit = trip->job.unit, tasks = end - begin;
    return trip->job.result.size ? tasks / unit + (tasks % unit != 0) : 0;
}

static void store(const struct trip *trip, size_t first, size_t count,
                  const char *from)
{
    const tutti_array *results = &trip->travel->results;
    struct tt_layout result = trip->job.result;
    if (result.size == result.step && results->stride == (ptrdiff_t)result.size)
        memcpy(at(results, first), from, count * result.size);
    else
        for (size_t i = 0; i < count; i++)
            memcpy(at(results, first + i), from + i * result.step, result.size);
}

static tutti_status decode_range(void *context, size_t begin, size_t end,
                                 const tutti_parcel *parcel, size_t *failed)
{
    const struct trip *trip = context;
    struct tt_travel_answer answer;
    size_t size = parcel->size, count;
    const char *data = parcel->data;
    if (size < sizeof answer)
        goto wrong;
    memcpy(&answer, data, sizeof answer);
    data += sizeof answer;
    size -= sizeof answer;
    if (answer.why > TT_DETAIL_SIZE || tt_travel_pad(answer.why) > size)
        goto wrong;
    if (answer.failed != UINT64_MAX) {
        if (answer.failed < begin || answer.failed >= end)
            goto wrong;
        tutti_task_fail("%.*s", (int)answer.why, data);
        *failed = end = answer.failed;
    }
    data += tt_travel_pad(answer.why);
    size -= tt_travel_pad(answer.why);
    count = results_of(trip, begin, end);
    if (parcel->count) {
        data = tutti_block_data(parcel->blocks[0]);
        size = tutti_block_size(parcel->blocks[0]);
    }
    if (size != count * trip->job.result.step)
        goto wrong;
    if (count)
        store(trip, begin / trip->job.unit, count, data);
    return TUTTI_OK;
wrong:
    return tt_fail(TUTTI_ESYS, "%zu bytes came for the results of [%zu, %zu)",
                   parcel->size, begin, end);
}

/* The bytes of an item or a result: those given, else those of a stride. */
static tutti_status size_of(size_t *out, const struct tt_travel *travel,
                            const char *noun, size_t given, ptrdiff_t stride)
{
    *out = given ? given : (size_t)(stride < 0 ? -stride : stride);
    if (*out > BYTES_MOST)
        return tt_fail(TUTTI_EARG,
                       "%s: %ss of %zu bytes are too large to be "
                       "sent to other processes",
                       travel->what, noun, *out);
    if (*out)
        return TUTTI_OK;
    return tt_fail(TUTTI_EARG,
                   "%s: %ss cannot be sent to other processes: their stride "
                   "is 0; give options.%s_size",
                   travel->what, noun, noun);
}

static tutti_status check_context(const struct tt_travel *travel)
{
    if (!travel->context || travel->context_size)
        return TUTTI_OK;
    return tt_fail(TUTTI_EARG,
                   "%s: the context cannot be sent to other processes: "
                   "context_size is 0; give its bytes, which must mean the "
                   "same there (no pointers)",
                   travel->what);
}

/* One item for all tasks goes with the job. */
static tutti_status lay_out_items(struct trip *trip, struct tt_travel *travel)
{
    size_t size;
    tutti_status status =
        size_of(&size, travel, "item", travel->item_size, travel->items.stride);
    if (status)
        return status;
    if (travel->items.stride) {
        trip->job.item = lay_out(size, travel->items.stride);
    } else {
        travel->constant = travel->items.data;
        travel->constant_size = size;
    }
    return TUTTI_OK;
}

static tutti_status lay_out_results(struct trip *trip,
                                    const struct tt_travel *travel)
{
    size_t size;
    tutti_status status = size_of(&size, travel, "result", travel->result_size,
                                  travel->results.stride);
    if (!status)
        trip->job.result = lay_out(size, travel->results.stride);
    return status;
}

/* With the zero; nothing of an empty one. */
static size_t name_size(const char *name)
{
    return *name ? strlen(name) + 1 : 0;
}

/* Finds out all that a job says. */
static tutti_status prepare(struct trip *trip, struct tt_travel *travel,
                            const char *const **command)
{
    struct tt_travel_job *job = &trip->job;
    trip->travel = travel;
    job->kind = travel->kind;
    job->unit = travel->unit ? travel->unit : 1;
    tutti_status status = check_context(travel);
    if (!status && travel->items.data)
        status = lay_out_items(trip, travel);
    if (!status && travel->results.data)
        status = lay_out_results(trip, travel);
    while (job->functions < TT_TRAVEL_FUNCTIONS &&
           travel->function[job->functions])
        job->functions++;
    for (size_t i = 0; i < job->functions && !status; i++)
        status =
            tt_object_tell(&job->home[i], trip->path[i], travel->function[i]);
    if (!status)
        status = tt_divert_command(command);
    if (!getcwd(trip->folder, sizeof trip->folder))
        trip->folder[0] = '\0';
    job->part[TT_PART_PATH] = name_size(trip->path[0]);
    job->part[TT_PART_SECOND] = name_size(trip->path[1]);
    job->part[TT_PART_THIRD] = name_size(trip->path[2]);
    job->part[TT_PART_FOLDER] = name_size(trip->folder);
    job->part[TT_PART_CONTEXT] = travel->context ? travel->context_size : 0;
    job->part[TT_PART_CONSTANT] = travel->constant_size;
    return status;
}

bool tt_travel_needed(const tutti_options *options)
{
    return tt_caller_sends(options);
}

tutti_status tt_travel_run(const struct tt_travel *given, size_t n, size_t unit,
                           const tutti_options *options)
{
    struct tt_travel travel = *given;
    tutti_message message = {.encode_job = encode_job,
                             .encode_range = encode_range,
                             .decode_range = decode_range,
                             .keeps = true};
    struct trip *trip = calloc(1, sizeof *trip);
    if (!trip)
        return tt_fail_memory("a loop in other processes");
    const void *key =
        (const void *)(uintptr_t)travel.function[travel.function[1] != NULL];
    tutti_loop loop = {
        .n = n, .unit = unit, .context = trip, .key = key, .message = &message};
    tutti_status status = prepare(trip, &travel, &message.command);
    if (!status)
        status = tutti_loop_run(&loop, options);
    free(trip);
    return status;
}
