/* Reductions of kernels: blocks of fixed size, each folded in fixed lanes. */
#include "algo/fold.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <tutti/map.h>
#include <tutti/sys/message.h>

#include "kernel/builtin/folds.h"
#include "kernel/kernel.h"
#include "loop/run.h"

#define BLOCK TT_SWEEP_BLOCK
#define BLOCKS 4096 /* at most, where the unit is left to us */
#define KEPT \
    65536 /* so many results are kept: their tasks may be slow ones, \
             and go to workers one by one */

/* A value of any type. */
union value {
    double f64;
    float f32;
    uint64_t u64;
    uint32_t u32;
};

/* What changes nothing. */
static union value nothing(tutti_op op, tutti_type type)
{
    static const union value reals[] = {[TUTTI_OP_SUM] = {.f64 = 0},
                                        [TUTTI_OP_PROD] = {.f64 = 1},
                                        [TUTTI_OP_MIN] = {.f64 = INFINITY},
                                        [TUTTI_OP_MAX] = {.f64 = -INFINITY}};
    bool narrow = tutti_type_size(type) == sizeof(uint32_t);
    bool natural = type == TUTTI_U64 || type == TUTTI_U32;
    uint64_t most = narrow ? UINT32_MAX : UINT64_MAX;
    uint64_t half = most / 2; /* the largest signed one */
    union value v = reals[op];
    if (type == TUTTI_F64)
        return v;
    if (type == TUTTI_F32)
        return (union value){.f32 = (float)v.f64};
    uint64_t whole = op == TUTTI_OP_SUM    ? 0
                     : op == TUTTI_OP_PROD ? 1
                     : op == TUTTI_OP_MIN  ? (natural ? most : half)
                                           : (natural ? 0 : half + 1);
    if (narrow)
        return (union value){.u32 = (uint32_t)whole};
    return (union value){.u64 = whole};
}

union lanes {
    _Alignas(64) char at[TT_FOLD_LANES * sizeof(union value)];
    uint64_t words[TT_FOLD_LANES];
    uint32_t halves[TT_FOLD_LANES];
};

static void fill(union lanes *lanes, const struct tt_sweep *s)
{
    union value zero = nothing(s->op, s->result);
    for (size_t l = 0; l < TT_FOLD_LANES; l++)
        if (s->result_size == sizeof(uint64_t))
            lanes->words[l] = zero.u64;
        else
            lanes->halves[l] = zero.u32;
}

/* The entry of no kernel: the items are the results. */
static void take(tt_kernel_function function, void *user, size_t n,
                 const void *items, size_t width, void *results,
                 size_t out_width)
{
    (void)function, (void)user, (void)out_width;
    memcpy(results, items, n * width);
}

static size_t lanes_size(const struct tt_sweep *s)
{
    return TT_FOLD_LANES * s->result_size;
}

/* Folds the tasks [begin, end), one block, into lanes. False: it was stopped.
 */
static bool fold_block(const struct tt_sweep *s, size_t begin, size_t end,
                       const char *items, void *lanes)
{
    tt_fold fold = tt_folds()->by[s->op][s->result];
    _Alignas(64) char y[BLOCK * sizeof(union value)];
    if (s->entry == take) {
        fold(lanes, items, end - begin);
        return true;
    }
    for (size_t n; begin < end; begin += n) {
        n = end - begin < BLOCK ? end - begin : BLOCK;
        if (tt_apply_call(s, begin, begin + n, items, y) < begin + n)
            return false;
        fold(lanes, y, n);
        items = items ? items + n * s->item_size : NULL;
    }
    return true;
}

struct work {
    const struct tt_sweep *sweep;
    const char *items;
};

static int fold_range(void *lanes, size_t begin, size_t end, void *context)
{
    const struct work *w = context;
    const char *items =
        w->items ? w->items + begin * w->sweep->item_size : NULL;
    return fold_block(w->sweep, begin, end, items, lanes) ? 0 : -1;
}

static void join(void *left, const void *right, void *context)
{
    const struct tt_sweep *s = ((const struct work *)context)->sweep;
    tt_folds()->by[s->op][s->result](left, right, TT_FOLD_LANES);
}

/* The lanes as one value. */
static void finish(const struct tt_sweep *s, void *result, union lanes *lanes)
{
    tt_fold fold = tt_folds()->by[s->op][s->result];
    for (size_t half = TT_FOLD_LANES / 2; half; half /= 2)
        fold(lanes->at, lanes->at + half * s->result_size, half);
    memcpy(result, lanes->at, s->result_size);
}

/* Folds here, or in threads. */
static tutti_status fold(const struct tt_sweep *s, void *result,
                         const void *items, size_t n,
                         const tutti_options *options)
{
    union lanes zero, lanes;
    fill(&zero, s);
    const tutti_fold how = {lanes_size(s), zero.at, fold_range, join};
    struct work work = {s, items};
    tutti_status status =
        tutti_reduce(lanes.at, &how, n, s->unit, &work, 0, options);
    if (status == TUTTI_OK)
        finish(s, result, &lanes);
    return status;
}

/* Joins the lanes of blocks, neighbours first, as tutti_reduce() does. */
static void fold_lanes(const struct tt_sweep *s, void *result, char *all,
                       size_t blocks)
{
    union lanes lanes;
    struct work work = {s, NULL};
    size_t size = lanes_size(s);
    for (size_t step = 1; step < blocks; step *= 2)
        for (size_t i = 0; i + step < blocks; i += 2 * step)
            join(all + i * size, all + (i + step) * size, &work);
    memcpy(lanes.at, all, size);
    finish(s, result, &lanes);
}

/* Folds values that are there, no loop: they are few. */
static tutti_status fold_here(const struct tt_sweep *s, void *result,
                              const void *values, size_t n)
{
    size_t size = lanes_size(s), blocks = n / s->unit + (n % s->unit != 0);
    struct work work = {s, values};
    union lanes zero;
    char *all = malloc(blocks * size);
    if (all == NULL)
        return tt_fail_memory("the partial results of a reduction");
    fill(&zero, s);
    for (size_t b = 0; b < blocks; b++) {
        memcpy(all + b * size, zero.at, size);
        fold_range(all + b * size, b * s->unit,
                   b + 1 < blocks ? (b + 1) * s->unit : n, &work);
    }
    fold_lanes(s, result, all, blocks);
    free(all);
    return TUTTI_OK;
}

/* The results of tasks as items. */
static struct tt_sweep values_of(const struct tt_sweep *s)
{
    struct tt_sweep values = *s;
    values.entry = take;
    values.width = values.item_size = s->result_size;
    return values;
}

size_t tt_fold_away(const struct tt_sweep *s, size_t begin, size_t end,
                    const char *items, char *results)
{
    union lanes zero;
    fill(&zero, s);
    for (size_t n; begin < end; begin += n, results += lanes_size(s)) {
        n = end - begin < s->unit ? end - begin : s->unit;
        tutti_worker_at(begin);
        memcpy(results, zero.at, lanes_size(s));
        fold_block(s, begin, begin + n, items, results);
        items = items ? items + n * s->item_size : NULL;
    }
    return end;
}

/* In other processes: the lanes of blocks come back. */
static tutti_status fold_far(const struct tt_sweep *s, void *result,
                             const void *items, size_t n,
                             const tutti_options *options)
{
    size_t blocks = n / s->unit + (n % s->unit != 0);
    char *all = malloc(blocks * lanes_size(s));
    if (all == NULL)
        return tt_fail_memory("the partial results of a reduction");
    tutti_status status = tt_apply_send(s, items, all, n, s->unit, options);
    if (status == TUTTI_OK)
        fold_lanes(s, result, all, blocks);
    free(all);
    return status;
}

/* By way of an array of the tasks' results. */
static tutti_status fold_kept(const struct tt_sweep *s, void *result,
                              const void *items, size_t n,
                              const tutti_options *options)
{
    struct tt_sweep map = *s, known = values_of(s);
    map.op = 0;
    void *values = malloc(n * s->result_size);
    if (values == NULL)
        return tt_fail_memory("the values of a reduction");
    tutti_status status = tt_apply_map(&map, items, values, n, options);
    if (status == TUTTI_OK)
        status = fold_here(&known, result, values, n);
    free(values);
    return status;
}

static tutti_status choose_unit(struct tt_sweep *s, size_t n, size_t unit)
{
    if (unit % BLOCK != 0 && unit != TT_FOLD_LANES)
        return tt_fail(TUTTI_EARG,
                       "tutti_kernel_reduce: a unit of %zu tasks given, a "
                       "multiple of %d, or %d, expected",
                       unit, BLOCK, TT_FOLD_LANES);
    s->unit = unit ? unit : BLOCK;
    while (unit == 0 && n / s->unit > BLOCKS && s->unit < KEPT)
        s->unit *= 2;
    return TUTTI_OK;
}

static tutti_status reduce(struct tt_sweep *s, void *result, tutti_op op,
                           const void *items, size_t n, size_t unit,
                           const tutti_options *options)
{
    static const char *const names[] = {
        [TUTTI_OP_MIN] = "min", [TUTTI_OP_MAX] = "max"};
    if (op < TUTTI_OP_SUM || op > TUTTI_OP_MAX || result == NULL)
        return tt_fail(TUTTI_EARG, "tutti_kernel_reduce: %s",
                       result ? "no such operation" : "the result is NULL");
    if (n == 0 && op >= TUTTI_OP_MIN)
        return tt_fail(TUTTI_EARG, "the %s of no values: there is none",
                       names[op]);
    s->op = op;
    tutti_status status = choose_unit(s, n, unit);
    if (status != TUTTI_OK)
        return status;
    bool few = n <= KEPT || s->unit == TT_FOLD_LANES;
    if (n > 0 && few && s->entry == take)
        return fold_here(s, result, items, n);
    if (n > 0 && n <= KEPT)
        return fold_kept(s, result, items, n, options);
    if (n > 0 && tt_travel_needed(options))
        return fold_far(s, result, items, n, options);
    return fold(s, result, items, n, options);
}

static tutti_status check_form(const tutti_kernel *kernel)
{
    if (kernel->signature.form != TUTTI_FORM_ROWS)
        return TUTTI_OK;
    return tt_fail(TUTTI_EARG,
                   "%.200s gives rows: only single values can be reduced",
                   kernel->signature.text);
}

static tutti_status sweep_values(struct tt_sweep *out, tutti_type type)
{
    size_t size = tutti_type_size(type);
    if (size == 0)
        return tt_fail(TUTTI_EARG, "tutti_kernel_reduce: no such type");
    *out = (struct tt_sweep){.entry = take,
                             .form = TUTTI_FORM_BLOCK,
                             .type = type,
                             .result = type,
                             .width = size,
                             .results_width = 1,
                             .item_size = size,
                             .result_size = size};
    return TUTTI_OK;
}

tutti_status tutti_kernel_reduce(tutti_kernel *kernel, void *result,
                                 tutti_op op, tutti_type type,
                                 const void *items, size_t width, size_t n,
                                 size_t unit, const tutti_options *options)
{
    struct tt_sweep sweep;
    tutti_status status = kernel ? check_form(kernel) : TUTTI_OK;
    if (status == TUTTI_OK)
        status = kernel ? tt_apply_rows(&sweep, kernel, 1, width)
                        : sweep_values(&sweep, type);
    if (status != TUTTI_OK)
        return status;
    if (n > 0 && items == NULL)
        return tt_fail(TUTTI_EARG, "no array of items for %zu tasks", n);
    return reduce(&sweep, result, op, items, n, unit, options);
}

tutti_status tutti_kernel_reduce_range(tutti_kernel *kernel, void *result,
                                       tutti_op op, int64_t first, int64_t step,
                                       size_t n, size_t unit,
                                       const tutti_options *options)
{
    struct tt_sweep sweep;
    tutti_status status = tt_apply_range(&sweep, kernel, first, step, n);
    if (status != TUTTI_OK)
        return status;
    return reduce(&sweep, result, op, NULL, n, unit, options);
}

tutti_status tutti_kernel_fold(tutti_kernel *kernel, void *lanes, tutti_op op,
                               const void *items, size_t width, size_t n)
{
    struct tt_sweep sweep;
    tutti_status status = check_form(kernel);
    if (status == TUTTI_OK)
        status = tt_apply_rows(&sweep, kernel, 1, width);
    if (status != TUTTI_OK)
        return status;
    if (op < TUTTI_OP_SUM || op > TUTTI_OP_MAX || lanes == NULL ||
        (n > 0 && items == NULL))
        return tt_fail(TUTTI_EARG, "tutti_kernel_fold: %s",
                       lanes && (items || n == 0) ? "no such operation"
                                                  : "an array is NULL");
    union lanes made;
    sweep.op = op;
    fill(&made, &sweep);
    if (!fold_block(&sweep, 0, n, items, made.at))
        return tt_fail(TUTTI_ECANCEL, TT_RUN_CANCELLED);
    memcpy(lanes, made.at, lanes_size(&sweep));
    return TUTTI_OK;
}
