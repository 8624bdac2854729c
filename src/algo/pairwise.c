/* Products and sums, element by element. */
#include "algo/linalg.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/status.h"

/* Bytes of a task's results. */
#define BLOCK 16384u

/* Bytes that are read and written from which results are stored past the
 * caches: half of the last one, if that is between these. */
#define PAST_LEAST ((size_t)2 << 20)
#define PAST_MOST ((size_t)64 << 20)

struct pairwise {
    size_t size, block; /* bytes of an element; elements of a block */
    size_t n;
    tutti_matrix out, a, b;
    tt_pair kernel;
    bool past;
};

static size_t past_from(void)
{
    static _Atomic size_t known;
    size_t from = known;
    if (from == 0) {
        long cache = sysconf(_SC_LEVEL3_CACHE_SIZE);
        from = cache > 0 ? (size_t)cache / 2 : 0;
        from = from < PAST_LEAST ? PAST_LEAST : from;
        from = from > PAST_MOST ? PAST_MOST : from;
        known = from;
    }
    return from;
}

static void run_block(const struct pairwise *p, size_t block)
{
    _Alignas(64) char a[BLOCK], b[BLOCK];
    size_t first = block * p->block, left = p->n - first;
    size_t n = left < p->block ? left : p->block;
    const void *x = tt_linalg_read(p->a, p->size, first, n, a);
    const void *y = tt_linalg_read(p->b, p->size, first, n, b);
    void *out = tt_linalg_place(p->out, p->size, first, n);
    p->kernel(out ? out : a, x, y, n, out && p->past);
    if (!out)
        tt_linalg_write(p->out, p->size, first, n, a);
}

static size_t run_blocks(void *context, size_t begin, size_t end,
                         unsigned worker)
{
    (void)worker;
    for (size_t block = begin; block < end; block++)
        run_block(context, block);
    return end;
}

static tutti_status run(struct pairwise *p, const tutti_options *options)
{
    /* By columns, if the results lie so. */
    if (tt_linalg_by_columns(p->out)) {
        p->out = tt_linalg_transpose(p->out);
        p->a = tt_linalg_transpose(p->a);
        p->b = tt_linalg_transpose(p->b);
    }
    p->n = p->out.rows * p->out.columns;
    p->block = BLOCK / p->size;
    /* What was read is in the cache. */
    p->past = p->n > PAST_LEAST / 3 / p->size &&
              p->n > past_from() / 3 / p->size &&
              !tt_linalg_same(p->out, p->a) && !tt_linalg_same(p->out, p->b);
    tutti_loop loop = {.n = (p->n + p->block - 1) / p->block,
                       .body = run_blocks,
                       .context = p,
                       .key = (const void *)(uintptr_t)p->kernel};
    return tutti_loop_run(&loop, options);
}

static bool mixes(const struct pairwise *p, tutti_matrix x)
{
    return tt_linalg_overlaps(p->out, x, p->size) && !tt_linalg_same(p->out, x);
}

/* Results that would be read as operands go elsewhere first. */
static tutti_status run_apart(struct pairwise *p, const tutti_options *options)
{
    tutti_matrix out = p->out;
    size_t n = out.rows * out.columns, width = out.columns * p->size;
    p->out.data = malloc(n * p->size);
    p->out.row_stride = (ptrdiff_t)width;
    p->out.column_stride = (ptrdiff_t)p->size;
    if (!p->out.data)
        return tt_fail_memory("results that overlap their operands");
    void *made = p->out.data;
    tutti_status status = run(p, options);
    if (!status)
        tt_linalg_write(out, p->size, 0, n, made);
    free(made);
    return status;
}

static tutti_status check(const char *what, const struct pairwise *p)
{
    const tutti_matrix *const all[] = {&p->out, &p->a, &p->b};
    static const char *const names[] = {"out", "a", "b"};
    for (int i = 0; i < 3; i++) {
        tutti_status status =
            tt_linalg_check_matrix(what, names[i], *all[i], i == 0);
        if (status)
            return status;
        if (all[i]->rows != p->a.rows || all[i]->columns != p->a.columns)
            return tt_fail(TUTTI_EARG,
                           "%s: %s has %zu x %zu elements, a has %zu x %zu",
                           what, names[i], all[i]->rows, all[i]->columns,
                           p->a.rows, p->a.columns);
    }
    return TUTTI_OK;
}

static tutti_status pair(const char *what, enum tt_pair_op op, tutti_type type,
                         struct pairwise *p, const tutti_options *options)
{
    tutti_status status = tt_linalg_check(what, type, options);
    if (!status)
        status = check(what, p);
    if (status)
        return status;
    p->size = tutti_type_size(type);
    p->kernel = tt_linalg_pair(type, op);
    return mixes(p, p->a) || mixes(p, p->b) ? run_apart(p, options)
                                            : run(p, options);
}

tutti_status tutti_multiply(tutti_type type, tutti_matrix out, tutti_matrix a,
                            tutti_matrix b, const tutti_options *options)
{
    struct pairwise p = {.out = out, .a = a, .b = b};
    return pair("tutti_multiply", TT_PAIR_MULTIPLY, type, &p, options);
}

tutti_status tutti_add(tutti_type type, tutti_matrix out, tutti_matrix a,
                       tutti_matrix b, const tutti_options *options)
{
    struct pairwise p = {.out = out, .a = a, .b = b};
    return pair("tutti_add", TT_PAIR_ADD, type, &p, options);
}
