#include <tutti/map.h>

#include <stdlib.h>
#include <string.h>

#include "algo/reduce.h"
#include "core/status.h"

#define PARTIAL_MOST (1u << 20)
#define BLOCKS 4096 /* when the caller leaves the unit to us */

struct reduce {
    const tutti_fold *fold;
    size_t unit;
    char *partials; /* one a block */
    void *context;
    const tt_function *functions; /* two, or NULL: see reduce.h */
};

/* The range has whole blocks, maybe several; only the loop's last is short. */
static size_t fold_blocks(void *context, size_t begin, size_t end,
                          unsigned worker)
{
    const struct reduce *r = context;
    size_t size = r->fold->size;
    (void)worker;
    while (begin < end) {
        char *partial = r->partials + begin / r->unit * size;
        size_t last = r->unit < end - begin ? begin + r->unit : end;
        memcpy(partial, r->fold->identity, size);
        if (r->fold->range(partial, begin, last, r->context) != 0)
            break;
        begin = last;
    }
    return begin;
}

/* Joins neighbours, then neighbours of these, ...: a tree that depends on the
 * number of blocks alone. The result is left in the first partial. */
static void combine(const struct reduce *r, size_t blocks)
{
    size_t size = r->fold->size;
    for (size_t step = 1; step < blocks; step *= 2)
        for (size_t i = 0; i + step < blocks; i += 2 * step)
            r->fold->combine(r->partials + i * size,
                             r->partials + (i + step) * size, r->context);
}

static tutti_status send_fold(const struct reduce *r, size_t n,
                              size_t context_size, const tutti_options *options)
{
    size_t size = r->fold->size;
    const struct tt_travel travel = {
        .kind = TT_TRAVEL_FOLD,
        .what = "tutti_reduce",
        .function = {(tt_function)r->fold->range,
                     r->functions ? r->functions[0] : NULL,
                     r->functions ? r->functions[1] : NULL},
        .context = r->context,
        .context_size = context_size,
        .results = {r->partials, (ptrdiff_t)size},
        .unit = r->unit,
        .constant = r->fold->identity,
        .constant_size = size,
    };
    return tt_travel_run(&travel, n, r->unit, options);
}

/* What the cost of a task is remembered by. */
static const void *key_of(const struct reduce *r)
{
    return r->functions ? (const void *)(uintptr_t)r->functions[0]
                        : (const void *)(uintptr_t)r->fold->range;
}

static tutti_status run_fold(struct reduce *r, size_t n, size_t context_size,
                             const tutti_options *options)
{
    tutti_loop loop = {.n = n,
                       .unit = r->unit,
                       .body = fold_blocks,
                       .context = r,
                       .key = key_of(r)};
    if (tt_travel_needed(options))
        return send_fold(r, n, context_size, options);
    return tutti_loop_run(&loop, options);
}

static tutti_status check(const void *result, const tutti_fold *fold)
{
    if (!result || !fold || !fold->range || !fold->combine || !fold->identity)
        return tt_fail(TUTTI_EARG,
                       "tutti_reduce: result, range, combine and identity are "
                       "needed, one is NULL");
    if (fold->size < 1 || fold->size > PARTIAL_MOST)
        return tt_fail(TUTTI_EARG,
                       "tutti_reduce: a partial result of %zu bytes given, 1 "
                       "to %u expected",
                       fold->size, PARTIAL_MOST);
    return TUTTI_OK;
}

tutti_status tt_reduce(void *result, const tutti_fold *fold, size_t n,
                       size_t unit, void *context, size_t context_size,
                       const tt_function *functions,
                       const tutti_options *options)
{
    tutti_status status = check(result, fold);
    if (status)
        return status;
    if (unit == 0)
        unit = n / BLOCKS + 1;
    size_t blocks = n / unit + (n % unit != 0);
    if (blocks == 0) {
        memcpy(result, fold->identity, fold->size);
        return TUTTI_OK;
    }

    struct reduce r = {fold, unit, NULL, context, functions};
    r.partials = calloc(blocks, fold->size);
    if (!r.partials)
        return tt_fail_memory("the partial results of a reduction");
    status = run_fold(&r, n, context_size, options);
    if (status == TUTTI_OK) {
        combine(&r, blocks);
        memcpy(result, r.partials, fold->size);
    }
    free(r.partials);
    return status;
}

tutti_status tutti_reduce(void *result, const tutti_fold *fold, size_t n,
                          size_t unit, void *context, size_t context_size,
                          const tutti_options *options)
{
    return tt_reduce(result, fold, n, unit, context, context_size, NULL,
                     options);
}
