#include "algo/visit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "algo/apply.h"
#include "algo/travel.h"
#include "core/load.h"
#include "core/status.h"

#define ALIGN 64u

/* Memory of the worker's own, aligned for any type; or a block that came. */
struct room {
    void *data;
    size_t size;
    tutti_block *block;
};

/* The loop that this worker is prepared for, and memory for its ranges. */
static struct {
    struct tt_travel_job job;
    tt_function function[TT_TRAVEL_FUNCTIONS];
    void *library[TT_TRAVEL_FUNCTIONS];
    struct room context, constant, items, results;
    tutti_bytes given; /* the job, unless it came with blocks: its memory is
                        * the tasks' */
} visit;

static void clear(struct room *room)
{
    if (room->block)
        tutti_block_drop(room->block);
    else
        free(room->data);
    *room = (struct room){NULL, 0, NULL};
}

static tutti_status make_room(struct room *room, size_t size)
{
    if (size <= room->size && !room->block)
        return TUTTI_OK;
    clear(room);
    void *data = aligned_alloc(ALIGN, (size + ALIGN - 1) / ALIGN * ALIGN);
    if (!data)
        return tt_fail(TUTTI_EMEM, "no memory for %zu bytes", size);
    *room = (struct room){data, size, NULL};
    return TUTTI_OK;
}

static void hold(struct room *room, tutti_block *block)
{
    clear(room);
    *room =
        (struct room){tutti_block_data(block), tutti_block_size(block), block};
}

static tutti_status keep(struct room *room, const void *data, size_t size)
{
    tutti_status status = make_room(room, size);
    if (!status && size)
        memcpy(room->data, data, size);
    return status;
}

static void forget(void *arg, uint64_t loop)
{
    (void)arg;
    (void)loop;
    for (int i = 0; i < TT_TRAVEL_FUNCTIONS; i++) {
        tt_load_close(visit.library[i]);
        visit.library[i] = NULL;
    }
    clear(&visit.context);
    clear(&visit.constant);
    clear(&visit.items);
    clear(&visit.results);
    tutti_bytes_clear(&visit.given);
}

/* A part of a job, in a block or not. */
struct part {
    const char *data;
    tutti_block *block;
};

/* Takes the part of `size` bytes that is next. */
static bool next_part(struct part *part, size_t size, tutti_parcel *rest)
{
    size_t padded = tt_travel_pad(size);
    bool large = size >= TT_TRAVEL_BLOCK;
    if (large ? !rest->count || tutti_block_size(*rest->blocks) != size
              : padded < size || padded > rest->size)
        return false;
    *part = (struct part){rest->data, large ? *rest->blocks : NULL};
    if (large) {
        rest->blocks++;
        rest->count--;
    } else {
        rest->data = (const char *)rest->data + padded;
        rest->size -= padded;
    }
    return true;
}

static bool is_name(const struct part *part, size_t size)
{
    return !part->block && (size == 0 || !part->data[size - 1]);
}

/* Whether a fold's context has room for its other functions. */
static bool room_for(const struct tt_travel_job *job)
{
    return job->functions <= 1 ||
           job->part[TT_PART_CONTEXT] / sizeof(tt_function) >=
               job->functions - 1;
}

/* Checks a job and tells where its parts are. */
static tutti_status read_job(struct part parts[TT_PARTS], tutti_parcel rest)
{
    struct tt_travel_job *job = &visit.job;
    struct part head;
    bool fine = next_part(&head, sizeof *job, &rest);
    if (fine)
        memcpy(job, head.data, sizeof *job);
    for (int i = 0; i < TT_PARTS && fine; i++)
        fine = next_part(&parts[i], job->part[i], &rest) &&
               (i > TT_PART_FOLDER || is_name(&parts[i], job->part[i]));
    bool folds = fine && job->kind == TT_TRAVEL_FOLD;
    if (fine && job->unit && (!folds || room_for(job)) &&
        job->functions <= TT_TRAVEL_FUNCTIONS &&
        (!folds || job->part[TT_PART_CONSTANT] == job->result.size))
        return TUTTI_OK;
    return tt_fail(TUTTI_ESYS, "it is no job that this libtutti knows");
}

static tutti_status keep_part(struct room *room, const struct part *part,
                              size_t size)
{
    if (!part->block)
        return keep(room, part->data, size);
    hold(room, tutti_block_keep(part->block));
    return TUTTI_OK;
}

/* What tasks may have changed: the folder, and their context. */
static tutti_status enter(const struct part part[TT_PARTS])
{
    const uint64_t *size = visit.job.part;
    tutti_status status = TUTTI_OK;
    if (size[TT_PART_FOLDER] && chdir(part[TT_PART_FOLDER].data))
        status = tt_fail(TUTTI_EPLACE, "it cannot enter %.300s",
                         part[TT_PART_FOLDER].data);
    if (!status)
        status = keep_part(&visit.context, &part[TT_PART_CONTEXT],
                           size[TT_PART_CONTEXT]);
    if (!status)
        status = keep_part(&visit.constant, &part[TT_PART_CONSTANT],
                           size[TT_PART_CONSTANT]);
    return status;
}

/* A fold finds its other functions where its context begins. */
static void give_functions(void)
{
    char *to = visit.context.data;
    for (size_t i = 1; i < visit.job.functions; i++)
        memcpy(to + (i - 1) * sizeof(tt_function), &visit.function[i],
               sizeof(tt_function));
}

static bool gives_functions(void)
{
    return visit.job.kind == TT_TRAVEL_FOLD && visit.job.functions > 1;
}

static tutti_status prepare_again(void)
{
    struct part part[TT_PARTS];
    tutti_status status =
        read_job(part, (tutti_parcel){.data = visit.given.data,
                                      .size = visit.given.size});
    if (!status)
        status = enter(part);
    if (!status && gives_functions())
        give_functions();
    return status;
}

static tutti_status prepare(const tutti_parcel *parcel)
{
    struct part part[TT_PARTS];
    const uint64_t *size = visit.job.part;
    tutti_status status = read_job(part, *parcel);
    if (!status)
        status = enter(part);
    for (size_t i = 0; i < visit.job.functions && !status; i++) {
        int path = TT_PART_PATH + (int)i;
        status = tt_object_find(&visit.function[i], &visit.library[i],
                                &visit.job.home[i],
                                size[path] ? part[path].data : "");
    }
    if (!status && gives_functions())
        give_functions();
    visit.given.size = 0;
    if (!status && !parcel->count)
        status = tutti_bytes_append(&visit.given, parcel->data, parcel->size);
    return status;
}

static int take_job(void *arg, uint64_t loop, const tutti_parcel *parcel,
                    tutti_bytes *error)
{
    tutti_status status = parcel->size ? prepare(parcel) : prepare_again();
    if (!status)
        return 0;
    const char *why = tutti_detail();
    status = tutti_bytes_append(error, why, strlen(why));
    forget(arg, loop);
    return -1;
}

/* The items of a range where their alignment is right. */
static tutti_status place_items(const char **out, const tutti_parcel *parcel,
                                size_t tasks)
{
    struct tt_layout item = visit.job.item;
    uint64_t need;
    *out = visit.job.part[TT_PART_CONSTANT] ? visit.constant.data : NULL;
    if (!item.size)
        return TUTTI_OK;
    const char *data = parcel->data;
    size_t size = parcel->size;
    if (parcel->count) {
        data = tutti_block_data(*parcel->blocks);
        size = tutti_block_size(*parcel->blocks);
    }
    if (__builtin_mul_overflow(tasks, item.step, &need) || need != size)
        return tt_fail(TUTTI_ESYS, "%zu bytes for %zu items", size, tasks);
    *out = data;
    if ((uintptr_t)data % ALIGN == 0 || item.step % 32 != 0)
        return TUTTI_OK;
    tutti_status status = keep(&visit.items, data, need);
    *out = visit.items.data;
    return status;
}

static void *context(void)
{
    return visit.job.part[TT_PART_CONTEXT] ? visit.context.data : NULL;
}

/* Each of these returns the task that failed, or `end`. */
static size_t run_map(size_t begin, size_t end, const char *item, char *result)
{
    tutti_map_fn f = (tutti_map_fn)visit.function[0];
    for (; begin < end; begin++) {
        tutti_worker_at(begin);
        if (f(item, result, context()) != 0)
            break;
        item += visit.job.item.step;
        result += visit.job.result.step;
    }
    return begin;
}

static size_t run_for(size_t begin, size_t end)
{
    tutti_for_fn f = (tutti_for_fn)visit.function[0];
    for (; begin < end; begin++) {
        tutti_worker_at(begin);
        if (f(begin, context()) != 0)
            break;
    }
    return begin;
}

static size_t run_fold(size_t begin, size_t end, char *partial)
{
    int (*range)(void *, size_t, size_t, void *) =
        (int (*)(void *, size_t, size_t, void *))visit.function[0];
    size_t unit = visit.job.unit;
    for (; begin < end; partial += visit.job.result.step) {
        size_t last = unit < end - begin ? begin + unit : end;
        memcpy(partial, visit.constant.data, visit.job.result.size);
        tutti_worker_at(begin);
        if (range(partial, begin, last, context()) != 0)
            break;
        begin = last;
    }
    return begin;
}

static size_t run_tasks(size_t begin, size_t end, const char *items)
{
    switch (visit.job.kind) {
    case TT_TRAVEL_MAP:
        return run_map(begin, end, items, visit.results.data);
    case TT_TRAVEL_FOR:
        return run_for(begin, end);
    case TT_TRAVEL_KERNEL:
        return tt_apply_away(visit.function, context(), begin, end, items,
                             visit.results.data);
    default:
        return run_fold(begin, end, visit.results.data);
    }
}

static size_t results_of(size_t tasks)
{
    uint64_t unit = visit.job.unit;
    return visit.job.result.size ? tasks / unit + (tasks % unit != 0) : 0;
}

static tutti_status answer(tutti_bytes *out, size_t begin, size_t end,
                           size_t ended)
{
    static const char zeros[16];
    const char *why = ended < end ? tutti_detail() : "";
    size_t size = strlen(why);
    struct tt_travel_answer head = {ended < end ? ended : UINT64_MAX, size};
    tutti_status status = tutti_bytes_append(out, &head, sizeof head);
    if (!status)
        status = tutti_bytes_append(out, why, size);
    if (!status)
        status = tutti_bytes_append(out, zeros, tt_travel_pad(size) - size);
    size = results_of(ended - begin) * visit.job.result.step;
    if (status || !size)
        return status;
    return visit.results.block
               ? tutti_bytes_attach(out, visit.results.data, size)
               : tutti_bytes_append(out, visit.results.data, size);
}

/* Memory for the results, which begin as zeros. */
static tutti_status clear_results(size_t tasks)
{
    uint64_t size;
    if (__builtin_mul_overflow(results_of(tasks), visit.job.result.step, &size))
        return tt_fail(TUTTI_ESYS, "results of too many bytes");
    tutti_status status = TUTTI_OK;
    tutti_block *block = NULL;
    if (size < TT_TRAVEL_BLOCK)
        status = make_room(&visit.results, size);
    else
        status = tutti_block_alloc(&block, size);
    if (block)
        hold(&visit.results, block);
    if (!status && size)
        memset(visit.results.data, 0, size);
    return status;
}

static int run_range(void *arg, uint64_t loop, size_t begin, size_t end,
                     unsigned worker, const tutti_parcel *parcel,
                     tutti_bytes *out, size_t *ran)
{
    const char *items;
    size_t ended = begin; /* no memory fails the first task */
    (void)arg, (void)loop, (void)worker, (void)ran;
    tt_detail_clear();
    if (place_items(&items, parcel, end - begin) == TUTTI_OK &&
        clear_results(end - begin) == TUTTI_OK)
        ended = run_tasks(begin, end, items);
    tutti_status status = answer(out, begin, end, ended);
    if (visit.results.block)
        clear(&visit.results); /* it is in the answer */
    fflush(NULL); /* what the tasks printed, should the worker die */
    return status ? -1 : 0;
}

const tutti_worker tt_visit = {
    .job = take_job, .forget = forget, .range = run_range};
