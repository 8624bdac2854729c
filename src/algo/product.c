#include "algo/product.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/status.h"

#define SMALL 131072.0         /* products of numbers: some 10 us */
#define SLAB ((size_t)4 << 20) /* bytes that are packed at a time, or more */
#define KEEP ((size_t)8 << 20) /* bytes that are kept for the next product */
#define APART 16               /* steps of a row that are packed at a time */
#define HUGE_PAGE ((size_t)2 << 20)
/* A task is a group of tiles, whose packed operands stay in the cache. Groups
 * of small products are smaller, so that there are some. */
#define GROUP_ROWS 48, 192
#define GROUP_COLUMNS 96, 480

/* Rows or columns of the result, by panels as wide as a tile. */
struct side {
    size_t n, width;
    size_t panels, group; /* panels, of these in a group */
    size_t groups;
    char *packed;
};

/* The product for values of k from `first` on. */
struct pass {
    const struct tt_product *p;
    struct side rows, columns;
    size_t first, n; /* values of k */
    size_t steps;    /* that they are packed in */
};

static struct side side_of(size_t n, size_t width, size_t least, size_t most)
{
    struct side s = {.n = n, .width = width};
    size_t lanes = n / 8 < least ? least : n / 8 > most ? most : n / 8;
    s.panels = (n + width - 1) / width;
    s.groups = (s.panels + lanes / width - 1) / (lanes / width);
    s.group = s.groups ? (s.panels + s.groups - 1) / s.groups : 1;
    return s;
}

static size_t lanes_of(const struct side *s, size_t panel)
{
    size_t left = s->n - panel * s->width;
    return left < s->width ? left : s->width;
}

static size_t panel_bytes(const struct pass *pass, const struct side *s)
{
    const struct tt_gemm_term *term = pass->p->term;
    return s->width * pass->steps * term->planes * term->size;
}

/* Steps of a row of the left operand, or the last, which may lack a value. */
static void pack_steps(const struct pass *pass, char *to, const char *from,
                       size_t step, size_t steps)
{
    const struct tt_gemm_term *term = pass->p->term;
    ptrdiff_t next = pass->p->a.column_stride;
    ptrdiff_t stride = next * (ptrdiff_t)term->pair;
    from += (ptrdiff_t)step * stride;
    bool whole = (step + steps) * term->pair <= pass->n;
    term->left(to + step * term->size, pass->steps, from,
               !whole           ? NULL
               : term->pair > 1 ? from + next
                                : from,
               steps, stride);
}

/* Some steps of all rows at a time where steps lie farther apart. */
static void pack_left(const struct pass *pass, char *to, const char *from,
                      size_t rows)
{
    const struct tt_gemm_term *term = pass->p->term;
    const tutti_matrix *a = &pass->p->a;
    size_t row = term->planes * pass->steps * term->size;
    size_t whole = pass->n / term->pair, most = whole;
    if (llabs(a->column_stride) > llabs(a->row_stride))
        most = APART;
    for (size_t i = 0; i < pass->steps;) {
        size_t n = i == whole ? 1 : whole - i < most ? whole - i : most;
        for (size_t r = 0; r < rows; r++)
            pack_steps(pass, to + r * row, from + (ptrdiff_t)r * a->row_stride,
                       i, n);
        i += n;
    }
}

static void pack_right(const struct pass *pass, char *to, const char *from,
                       size_t columns)
{
    const struct tt_gemm_term *term = pass->p->term;
    const tutti_matrix *b = &pass->p->b;
    for (size_t k = 0; k < pass->n; k += term->pair) {
        const char *at = from + (ptrdiff_t)k * b->row_stride;
        const char *next = term->pair == 1   ? at
                           : k + 1 < pass->n ? at + b->row_stride
                                             : NULL;
        term->right(to, term->columns, at, next, columns, b->column_stride);
        to += (size_t)term->planes * term->columns * term->size;
    }
}

static size_t pack(void *context, size_t begin, size_t end, unsigned worker)
{
    const struct pass *pass = context;
    const tutti_matrix *a = &pass->p->a, *b = &pass->p->b;
    (void)worker;
    for (; begin < end; begin++) {
        bool left = begin < pass->rows.panels;
        size_t panel = left ? begin : begin - pass->rows.panels;
        const struct side *s = left ? &pass->rows : &pass->columns;
        size_t lanes = lanes_of(s, panel), bytes = panel_bytes(pass, s);
        char *to = s->packed + panel * bytes;
        ptrdiff_t lane = left ? a->row_stride : b->column_stride;
        ptrdiff_t step = left ? a->column_stride : b->row_stride;
        const char *from = (const char *)(left ? a->data : b->data) +
                           (ptrdiff_t)(panel * s->width) * lane +
                           (ptrdiff_t)pass->first * step;
        if (lanes < s->width)
            memset(to, 0, bytes);
        (left ? pack_left : pack_right)(pass, to, from, lanes);
    }
    return end;
}

/* Fetches rows of the result while a tile for them is computed. */
static void touch(const char *to, ptrdiff_t row_stride, size_t rows,
                  size_t bytes)
{
    for (; rows; rows--, to += row_stride)
        for (size_t i = 0; i < bytes; i += 64)
            __builtin_prefetch(to + i, 1);
}

static void compute_tile(const struct pass *pass, size_t row, size_t column,
                         size_t step, size_t steps)
{
    const struct tt_gemm_term *term = pass->p->term;
    const tutti_matrix *c = &pass->p->c;
    size_t rows = lanes_of(&pass->rows, row);
    size_t columns = lanes_of(&pass->columns, column);
    size_t vector = term->columns / TT_GEMM_WIDTH;
    _Alignas(64) char tile[TT_GEMM_TILE];
    char *to = (char *)c->data + (ptrdiff_t)(row * term->rows) * c->row_stride +
               (ptrdiff_t)(column * term->columns) * c->column_stride;
    touch(to, c->row_stride, rows, columns * (size_t)c->column_stride);
    term->run(tile,
              pass->rows.packed + row * panel_bytes(pass, &pass->rows) +
                  step * term->size,
              pass->steps,
              pass->columns.packed +
                  column * panel_bytes(pass, &pass->columns) +
                  step * term->planes * term->columns * term->size,
              steps, (columns + vector - 1) / vector);
    term->store(to, c->row_stride, rows, columns, tile, term->columns,
                pass->first > 0 || step > 0);
}

static size_t end_of(const struct side *s, size_t group)
{
    size_t end = (group + 1) * s->group;
    return end < s->panels ? end : s->panels;
}

static void compute_group(const struct pass *pass, size_t i, size_t j)
{
    const struct side *rows = &pass->rows, *columns = &pass->columns;
    size_t step = 0, steps;
    do {
        steps = pass->steps - step;
        if (steps > pass->p->block)
            steps = pass->p->block;
        for (size_t c = j * columns->group; c < end_of(columns, j); c++)
            for (size_t r = i * rows->group; r < end_of(rows, i); r++)
                compute_tile(pass, r, c, step, steps);
        step += steps;
    } while (step < pass->steps);
}

static size_t compute(void *context, size_t begin, size_t end, unsigned worker)
{
    const struct pass *pass = context;
    size_t groups = pass->columns.groups;
    (void)worker;
    for (; begin < end; begin++)
        compute_group(pass, begin / groups, begin % groups);
    return end;
}

/* Sets the first pass up; returns the bytes that it packs, 0 for more than
 * there can be. */
static size_t prepare(struct pass *pass)
{
    const struct tt_product *p = pass->p;
    const struct tt_gemm_term *term = p->term;
    pass->rows = side_of(p->c.rows, term->rows, GROUP_ROWS);
    pass->columns = side_of(p->c.columns, term->columns, GROUP_COLUMNS);
    size_t steps = p->a.columns / term->pair + p->a.columns % term->pair;
    size_t step, bytes;
    if (__builtin_add_overflow(pass->rows.panels * term->rows,
                               pass->columns.panels * term->columns, &step) ||
        __builtin_mul_overflow(step, term->planes * term->size, &step))
        return 0;
    size_t most = step ? SLAB / step / p->block * p->block : steps;
    most = most < p->block ? p->block : most;
    pass->steps = steps < most ? steps : most;
    if (__builtin_mul_overflow(step, pass->steps, &bytes) ||
        __builtin_add_overflow(bytes, 2 * 64, &bytes))
        return 0;
    return bytes / 64 * 64;
}

/* What a task costs is remembered by kernel and size. */
static const void *key_of(uintptr_t what, size_t steps)
{
    return (const void *)(what + 64 - (unsigned)__builtin_clzll(steps | 1));
}

static tutti_status run_loops(struct pass *pass, struct tt_parts *parts,
                              double share)
{
    tutti_loop loop = {.n = pass->rows.panels + pass->columns.panels,
                       .body = pack,
                       .context = pass,
                       .key = key_of((uintptr_t)pack, pass->steps)};
    tutti_status status = tt_parts_run(parts, &loop, 0);
    if (status != TUTTI_OK)
        return status;
    loop.n = pass->rows.groups * pass->columns.groups;
    loop.body = compute;
    loop.key = key_of((uintptr_t)pass->p->term, pass->steps);
    return tt_parts_run(parts, &loop, share);
}

struct whole {
    struct pass first;
    struct tt_parts *parts; /* NULL: it is all done here */
    char *packed;
};

static tutti_status run_pass(struct pass *pass, const struct whole *w)
{
    size_t left = pass->rows.panels * panel_bytes(pass, &pass->rows);
    double all = (double)pass->p->a.columns;
    pass->rows.packed = w->packed;
    pass->columns.packed = w->packed + (left + 63) / 64 * 64;
    if (w->parts)
        return run_loops(pass, w->parts, all > 0 ? (double)pass->n / all : 1);
    pack(pass, 0, pass->rows.panels + pass->columns.panels, 0);
    compute(pass, 0, pass->rows.groups * pass->columns.groups, 0);
    return TUTTI_OK;
}

static tutti_status run_passes(const struct whole *w)
{
    struct pass pass = w->first;
    size_t k = pass.p->a.columns, pair = pass.p->term->pair;
    size_t most = pass.steps * pair;
    tutti_status status;
    do {
        pass.n = k - pass.first < most ? k - pass.first : most;
        pass.steps = (pass.n + pair - 1) / pair;
        status = run_pass(&pass, w);
        pass.first += pass.n;
    } while (status == TUTTI_OK && pass.first < k);
    return status;
}

static size_t run_small(void *context, size_t begin, size_t end,
                        unsigned worker)
{
    (void)begin;
    (void)worker;
    return run_passes(context) == TUTTI_OK ? end : begin;
}

double tt_product_work(const struct tt_product *p)
{
    return (double)p->c.rows * (double)p->c.columns *
           (double)(p->a.columns + 1);
}

bool tt_product_small(const struct tt_product *p)
{
    return tt_product_work(p) < SMALL;
}

/* Where the last product was packed, for the next: its pages are there. */
struct slab {
    size_t bytes;
    _Alignas(64) char data[];
};

static struct slab *_Atomic spare;

static struct slab *slab_take(size_t bytes)
{
    struct slab *s = atomic_exchange(&spare, NULL);
    if (s && s->bytes >= bytes)
        return s;
    free(s);
    if (bytes > SIZE_MAX - sizeof *s - HUGE_PAGE)
        return NULL;
    size_t all = bytes + sizeof *s;
    size_t align = all < HUGE_PAGE ? 64 : HUGE_PAGE;
    all = (all + align - 1) / align * align;
    s = aligned_alloc(align, all);
    if (!s)
        return NULL;
    if (align == HUGE_PAGE)
        madvise(s, all, MADV_HUGEPAGE); /* else small ones will do */
    s->bytes = all - sizeof *s;
    return s;
}

static void slab_give(struct slab *s)
{
    free(s->bytes <= KEEP ? atomic_exchange(&spare, s) : s);
}

tutti_status tt_product_run(const struct tt_product *p, struct tt_parts *parts)
{
    struct whole w = {.first.p = p, .parts = parts};
    size_t bytes = prepare(&w.first);
    struct slab *slab = bytes ? slab_take(bytes) : NULL;
    if (!slab)
        return tt_fail_memory("the operands of a product of matrices");
    w.packed = slab->data;
    tutti_status status;
    if (tt_product_small(p)) {
        w.parts = NULL;
        tutti_loop loop = {.n = 1, .body = run_small, .context = &w};
        status = tt_parts_run(parts, &loop, 1);
    } else {
        status = run_passes(&w);
    }
    slab_give(slab);
    return status;
}
