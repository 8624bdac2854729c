/* Maps of kernels. */
#include "algo/apply.h"

#include <limits.h>
#include <string.h>

#include <tutti/sys/message.h>

#include "algo/fold.h"
#include "kernel/builtin/folds.h"
#include "kernel/builtin/turns.h"
#include "kernel/kernel.h"
#include "loop/run.h"

#define BLOCK TT_SWEEP_BLOCK
#define BLOCK_UNIT 128    /* a block function gets so many, or all there are */
#define POINTS_ROOM 65536 /* bytes of the points */

static const char *const forms[] = {"no form",    "scalar", "block",   "row",
                                    "row to row", "points", "for-each"};

/* Coordinate after coordinate of `n` points that lie one after the other. */
static void transpose(void *to, const void *from, size_t n, size_t width,
                      size_t size)
{
    if (size == sizeof(uint64_t))
        tt_turns()->u64(to, from, n, width);
    else
        tt_turns()->u32(to, from, n, width);
}

/* A point by itself is its row. */
static void call_points(const struct tt_sweep *s, size_t n, const char *items,
                        char *results)
{
    _Alignas(64) char x[POINTS_ROOM];
    size_t most = POINTS_ROOM / s->item_size;
    most = most > BLOCK ? BLOCK : most < 1 ? 1 : most;
    for (size_t m; n > 0; n -= m) {
        m = n < most ? n : most;
        if (m > 1)
            transpose(x, items, m, s->width, tutti_type_size(s->type));
        s->entry(s->function, s->user, m, m > 1 ? x : items, s->width, results,
                 1);
        items += m * s->item_size;
        results += m * s->result_size;
    }
}

static void call(const struct tt_sweep *s, size_t n, const void *items,
                 void *results)
{
    if (s->form == TUTTI_FORM_POINTS)
        call_points(s, n, items, results);
    else
        s->entry(s->function, s->user, n, items, s->width, results,
                 s->results_width);
}

/* The values with numbers [begin, begin + n) of a range. */
static void make_values(const struct tt_sweep *s, void *to, size_t begin,
                        size_t n)
{
    /* Unsigned: the value one past the last may overflow. */
    uint64_t value = (uint64_t)s->first + (uint64_t)s->step * begin;
    uint64_t step = (uint64_t)s->step;
    switch (s->type) {
    case TUTTI_F64:
        for (size_t i = 0; i < n; i++)
            ((double *)to)[i] = (double)(int64_t)(value + step * i);
        break;
    case TUTTI_F32:
        for (size_t i = 0; i < n; i++)
            ((float *)to)[i] = (float)(int64_t)(value + step * i);
        break;
    case TUTTI_I64:
    case TUTTI_U64:
        for (size_t i = 0; i < n; i++)
            ((uint64_t *)to)[i] = value + step * i;
        break;
    case TUTTI_I32:
    case TUTTI_U32:
        for (size_t i = 0; i < n; i++)
            ((uint32_t *)to)[i] = (uint32_t)(value + step * i);
        break;
    }
}

/* Tasks of the next call, of `left` or of `most`: a block function gets all. */
static size_t next_call(const struct tt_sweep *s, size_t left, size_t most)
{
    size_t n = tt_form_is_block(s->form) ? left : tt_run_slice();
    n = n < most ? n : most;
    return n < left ? n : left;
}

/* Each returns end, or where it was stopped. */
static size_t run_range(const struct tt_sweep *s, size_t begin, size_t end,
                        char *results)
{
    _Alignas(64) char values[BLOCK * sizeof(int64_t)];
    bool stopped = false;
    for (size_t n; begin < end && !stopped; begin += n) {
        n = next_call(s, end - begin, BLOCK);
        make_values(s, values, begin, n);
        call(s, n, values, results);
        results += n * s->result_size;
        stopped = tt_run_past(n);
    }
    return begin;
}

static size_t run_items(const struct tt_sweep *s, size_t begin, size_t end,
                        const char *items, char *results)
{
    size_t most = s->form == TUTTI_FORM_POINTS ? BLOCK : SIZE_MAX;
    bool stopped = false;
    for (size_t n; begin < end && !stopped; begin += n) {
        n = next_call(s, end - begin, most);
        call(s, n, items, results);
        items += n * s->item_size;
        results += n * s->result_size;
        stopped = tt_run_past(n);
    }
    return begin;
}

size_t tt_apply_call(const struct tt_sweep *s, size_t begin, size_t end,
                     const char *items, char *results)
{
    return items ? run_items(s, begin, end, items, results)
                 : run_range(s, begin, end, results);
}

size_t tt_apply_away(const tt_function functions[2], const void *context,
                     size_t begin, size_t end, const char *items, char *results)
{
    struct tt_sweep s;
    memcpy(&s, context, sizeof s);
    s.entry = (tt_kernel_entry)functions[0];
    s.function = functions[1];
    if (s.op)
        return tt_fold_away(&s, begin, end, items, results);
    /* One by one, so that a crash has its task; a block has them all. */
    for (size_t n; begin < end; begin += n, results += n * s.result_size) {
        n = tt_form_is_block(s.form) ? end - begin : 1;
        tutti_worker_at(begin);
        (void)tt_apply_call(&s, begin, begin + n, items, results);
        items = items ? items + n * s.item_size : NULL;
    }
    return end;
}

/* A block function works on vectors, and may pad to them: called for a few
 * values at a time it would lose to one call for all. */
static size_t unit_of(tutti_form form)
{
    return tt_form_is_block(form) ? BLOCK_UNIT : 1;
}

tutti_status tt_apply_send(const struct tt_sweep *sweep, const void *items,
                           void *results, size_t n, size_t unit,
                           const tutti_options *options)
{
    struct tt_sweep context = *sweep;
    size_t size = (sweep->op ? TT_FOLD_LANES : 1) * sweep->result_size;
    struct tt_travel travel = {
        .kind = TT_TRAVEL_KERNEL,
        .what = sweep->op ? "tutti_kernel_reduce" : "tutti_kernel_map",
        .function = {(tt_function)sweep->entry, sweep->function},
        .context = &context,
        .context_size = sizeof context,
        .items = {(void *)(uintptr_t)items, (ptrdiff_t)sweep->item_size},
        .results = {results, (ptrdiff_t)size},
        .unit = sweep->op ? unit : 0,
    };
    if (sweep->user)
        return tt_fail(TUTTI_EPLACE,
                       "%s: the function's user pointer means nothing in "
                       "other processes: name a place of this one",
                       travel.what);
    return tt_travel_run(&travel, n, unit, options);
}

/* What the cost of a task is remembered by. */
static const void *key_of(const struct tt_sweep *sweep)
{
    const void *key;
    memcpy(&key,
           sweep->function ? (const void *)&sweep->function : &sweep->entry,
           sizeof key);
    return key;
}

struct map {
    const struct tt_sweep *sweep;
    const char *items; /* NULL: those of the range */
    char *results;
};

static size_t run_body(void *context, size_t begin, size_t end, unsigned worker)
{
    const struct map *m = context;
    const struct tt_sweep *s = m->sweep;
    (void)worker;
    return tt_apply_call(s, begin, end,
                         m->items ? m->items + begin * s->item_size : NULL,
                         m->results + begin * s->result_size);
}

tutti_status tt_apply_map(const struct tt_sweep *sweep, const void *items,
                          void *results, size_t n, const tutti_options *options)
{
    struct map map = {sweep, items, results};
    size_t unit = unit_of(sweep->form);
    if (n > 0 && tt_travel_needed(options))
        return tt_apply_send(sweep, items, results, n, unit, options);
    tutti_loop loop = {.n = n,
                       .unit = unit,
                       .body = run_body,
                       .context = &map,
                       .key = key_of(sweep)};
    return tutti_loop_run(&loop, options);
}

static tutti_status check_widths(const tutti_kernel *k, size_t results_width,
                                 size_t width)
{
    tutti_form form = k->signature.form;
    bool rows = form == TUTTI_FORM_ROW || form == TUTTI_FORM_ROWS ||
                form == TUTTI_FORM_POINTS;
    if (form == TUTTI_FORM_EACH)
        return tt_fail(TUTTI_EARG,
                       "%.200s has no result to map to: run it for each index "
                       "(tutti_kernel_for)",
                       k->signature.text);
    if (width < 1 || width > (rows ? INT_MAX : 1))
        return tt_fail(TUTTI_EARG,
                       "%.200s is of the %s form: it takes %s, got rows of "
                       "%zu",
                       k->signature.text, forms[form],
                       rows ? "rows of 1 to 2147483647 values"
                            : "one value a task",
                       width);
    if (results_width < 1 || (form != TUTTI_FORM_ROWS && results_width != 1))
        return tt_fail(TUTTI_EARG,
                       "%.200s is of the %s form: it gives %s, got a width of "
                       "%zu",
                       k->signature.text, forms[form],
                       form == TUTTI_FORM_ROWS ? "one value or more a task"
                                               : "one value a task",
                       results_width);
    return TUTTI_OK;
}

/* All but what depends on where the items come from. */
static struct tt_sweep sweep_of(const tutti_kernel *k, size_t results_width)
{
    const struct tt_signature *s = &k->signature;
    return (struct tt_sweep){
        .entry = k->entry,
        .function = k->function,
        .user = k->user,
        .form = s->form,
        .type = s->item,
        .result = s->result,
        .width = 1,
        .results_width = results_width,
        .result_size = results_width * tutti_type_size(s->result),
    };
}

tutti_status tt_apply_rows(struct tt_sweep *out, const tutti_kernel *kernel,
                           size_t results_width, size_t width)
{
    tutti_status status = check_widths(kernel, results_width, width);
    if (status != TUTTI_OK)
        return status;
    *out = sweep_of(kernel, results_width);
    out->width = width;
    out->item_size = width * tutti_type_size(out->type);
    return TUTTI_OK;
}

static tutti_status begin(struct tt_sweep *sweep, const tutti_kernel *kernel,
                          const void *results, size_t results_width,
                          const void *items, size_t width, size_t n)
{
    tutti_status status = tt_apply_rows(sweep, kernel, results_width, width);
    if (status == TUTTI_OK && n > 0 && (items == NULL || results == NULL))
        status = tt_fail(TUTTI_EARG, "no array of %s for %zu tasks",
                         items ? "results" : "items", n);
    return status;
}

tutti_status tutti_kernel_map(tutti_kernel *kernel, void *results,
                              size_t results_width, const void *items,
                              size_t width, size_t n,
                              const tutti_options *options)
{
    struct tt_sweep sweep;
    tutti_status status =
        begin(&sweep, kernel, results, results_width, items, width, n);
    if (status != TUTTI_OK)
        return status;
    return tt_apply_map(&sweep, items, results, n, options);
}

tutti_status tutti_kernel_call(tutti_kernel *kernel, void *results,
                               size_t results_width, const void *items,
                               size_t width, size_t n)
{
    struct tt_sweep sweep;
    tutti_status status =
        begin(&sweep, kernel, results, results_width, items, width, n);
    if (status == TUTTI_OK && n > 0)
        call(&sweep, n, items, results);
    return status;
}

/* Whether all of first, first + step, ..., last are whole in `type`. */
static bool fits(tutti_type type, int64_t first, int64_t step, int64_t last)
{
    uint64_t a = first < 0 ? -(uint64_t)first : (uint64_t)first;
    uint64_t b = last < 0 ? -(uint64_t)last : (uint64_t)last;
    uint64_t most = a > b ? a : b, bits = (uint64_t)first | (uint64_t)step;
    int zeros = bits ? __builtin_ctzll(bits) : 0;
    switch (type) {
    case TUTTI_I64:
        return true;
    case TUTTI_I32:
        return first == (int32_t)first && last == (int32_t)last;
    case TUTTI_U64:
        return first >= 0 && last >= 0;
    case TUTTI_U32:
        return first == (uint32_t)first && last == (uint32_t)last;
    case TUTTI_F64:
        return most >> zeros <= (uint64_t)1 << 53;
    case TUTTI_F32:
        return most >> zeros <= (uint64_t)1 << 24;
    }
    return false;
}

static tutti_status check_range(const tutti_kernel *k, int64_t first,
                                int64_t step, size_t n)
{
    const struct tt_signature *s = &k->signature;
    int64_t way, last;
    if (s->form != TUTTI_FORM_SCALAR && s->form != TUTTI_FORM_BLOCK)
        return tt_fail(TUTTI_EARG,
                       "%.200s takes rows: a range has single values; give an "
                       "array",
                       s->text);
    if (n == 0)
        return TUTTI_OK;
    if (__builtin_mul_overflow(n - 1, step, &way) ||
        __builtin_add_overflow(first, way, &last))
        return tt_fail(TUTTI_EARG,
                       "%zu values from %lld in steps of %lld go beyond 64 "
                       "bits",
                       n, (long long)first, (long long)step);
    if (fits(s->item, first, n > 1 ? step : 0, last))
        return TUTTI_OK;
    return tt_fail(TUTTI_EARG,
                   "%.200s: the range %lld to %lld in steps of %lld goes "
                   "beyond what %s holds exactly",
                   s->text, (long long)first, (long long)last, (long long)step,
                   tutti_type_name(s->item));
}

tutti_status tt_apply_range(struct tt_sweep *out, const tutti_kernel *kernel,
                            int64_t first, int64_t step, size_t n)
{
    tutti_status status = check_range(kernel, first, step, n);
    if (status != TUTTI_OK)
        return status;
    *out = sweep_of(kernel, 1);
    out->first = first;
    out->step = step;
    return TUTTI_OK;
}

tutti_status tutti_kernel_map_range(tutti_kernel *kernel, void *results,
                                    int64_t first, int64_t step, size_t n,
                                    const tutti_options *options)
{
    struct tt_sweep sweep;
    tutti_status status = tt_apply_range(&sweep, kernel, first, step, n);
    if (status != TUTTI_OK)
        return status;
    if (n > 0 && results == NULL)
        return tt_fail(TUTTI_EARG, "no array of results for %zu tasks", n);
    return tt_apply_map(&sweep, NULL, results, n, options);
}
