#include <limits.h>
#include <string.h>

#include "kernel/kernel.h"

#define BLOCK 512 /* values of a range that are made at once */

static const char *const forms[] = {"no form", "scalar", "block", "row",
                                    "row to row"};

struct map {
    const tutti_kernel *kernel;
    const char *items;
    char *results;
    size_t width, results_width;
    size_t item_size, result_size; /* bytes of a task's */
    int64_t first, step;           /* of a range */
};

static size_t map_body(void *context, size_t begin, size_t end, unsigned worker)
{
    const struct map *m = context;
    (void)worker;
    m->kernel->entry(m->kernel->function, end - begin,
                     m->items + begin * m->item_size, m->width,
                     m->results + begin * m->result_size, m->results_width);
    return end;
}

/* The values with numbers [begin, begin + n) of a range. */
static void make_values(const struct map *m, void *to, size_t begin, size_t n)
{
    /* Unsigned: the value one past the last may overflow. */
    uint64_t value = (uint64_t)m->first + (uint64_t)m->step * begin;
    uint64_t step = (uint64_t)m->step;
    switch (m->kernel->signature.item) {
    case TUTTI_F64:
        for (size_t i = 0; i < n; i++)
            ((double *)to)[i] = (double)(int64_t)(value + step * i);
        break;
    case TUTTI_F32:
        for (size_t i = 0; i < n; i++)
            ((float *)to)[i] = (float)(int64_t)(value + step * i);
        break;
    case TUTTI_I64:
        for (size_t i = 0; i < n; i++)
            ((int64_t *)to)[i] = (int64_t)(value + step * i);
        break;
    case TUTTI_I32:
        for (size_t i = 0; i < n; i++)
            ((int32_t *)to)[i] = (int32_t)(int64_t)(value + step * i);
        break;
    }
}

static size_t range_body(void *context, size_t begin, size_t end,
                         unsigned worker)
{
    const struct map *m = context;
    _Alignas(64) char values[BLOCK * sizeof(int64_t)];
    (void)worker;
    for (size_t n; begin < end; begin += n) {
        n = end - begin < BLOCK ? end - begin : BLOCK;
        make_values(m, values, begin, n);
        m->kernel->entry(m->kernel->function, n, values, 1,
                         m->results + begin * m->result_size, 1);
    }
    return end;
}

/* A block function works on vectors: its ranges are cut at whole ones, where
 * that leaves a thousand units to share out. */
static size_t unit_of(tutti_form form, size_t n)
{
    size_t unit = 1;
    while (form == TUTTI_FORM_BLOCK && unit < 128 && n / unit >= 2048)
        unit *= 2;
    return unit;
}

static tutti_status run(struct map *m, tutti_body body, size_t n,
                        const tutti_options *options)
{
    const tutti_kernel *k = m->kernel;
    tutti_loop loop = {.n = n, .body = body, .context = m};
    loop.unit = unit_of(k->signature.form, n);
    const void *key;
    memcpy(&key, k->function ? (const void *)&k->function : &k->entry,
           sizeof key);
    loop.key = key;
    return tutti_loop_run(&loop, options);
}

static tutti_status check_widths(const tutti_kernel *k, size_t results_width,
                                 size_t width)
{
    tutti_form form = k->signature.form;
    bool rows = form == TUTTI_FORM_ROW || form == TUTTI_FORM_ROWS;
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

tutti_status tutti_kernel_map(tutti_kernel *kernel, void *results,
                              size_t results_width, const void *items,
                              size_t width, size_t n,
                              const tutti_options *options)
{
    tutti_status status = check_widths(kernel, results_width, width);
    if (status != TUTTI_OK)
        return status;
    if (n > 0 && (items == NULL || results == NULL))
        return tt_fail(TUTTI_EARG, "no array of %s for %zu tasks",
                       items ? "results" : "items", n);
    struct map m = {
        .kernel = kernel,
        .items = items,
        .results = results,
        .width = width,
        .results_width = results_width,
        .item_size = width * tutti_type_size(kernel->signature.item),
        .result_size =
            results_width * tutti_type_size(kernel->signature.result),
    };
    return run(&m, map_body, n, options);
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

tutti_status tutti_kernel_map_range(tutti_kernel *kernel, void *results,
                                    int64_t first, int64_t step, size_t n,
                                    const tutti_options *options)
{
    tutti_status status = check_range(kernel, first, step, n);
    if (status != TUTTI_OK)
        return status;
    if (n > 0 && results == NULL)
        return tt_fail(TUTTI_EARG, "no array of results for %zu tasks", n);
    struct map m = {
        .kernel = kernel,
        .results = results,
        .result_size = tutti_type_size(kernel->signature.result),
        .first = first,
        .step = step,
    };
    return run(&m, range_body, n, options);
}
