#include "algo/product.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "core/status.h"

#define SMALL 131072.0         /* products of numbers: some 10 us */
#define SLAB ((size_t)4 << 20) /* bytes that are packed at a time, or more */
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

/* A term, for k from `first` on. */
struct pass {
    const struct tt_product *p;
    const struct tt_gemm_term *term;
    struct side rows, columns;
    size_t first, n; /* values of k */
    size_t steps;    /* the elements that they are packed in */
    size_t most;     /* values of k in a pass */
    bool add;        /* to what is in c */
};

static struct side side_of(size_t n, size_t width, size_t least, size_t most)
{
    struct side s = {.n = n, .width = width};
    size_t lanes = n / 4 < least ? least : n / 4 > most ? most : n / 4;
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

static char *packed_at(const struct pass *pass, const struct side *s,
                       size_t panel, size_t step)
{
    return s->packed +
           (panel * pass->steps + step) * s->width * pass->term->size;
}

static size_t pack(void *context, size_t begin, size_t end, unsigned worker)
{
    const struct pass *pass = context;
    const struct tt_gemm_term *term = pass->term;
    const tutti_matrix *a = &pass->p->a, *b = &pass->p->b;
    (void)worker;
    for (; begin < end; begin++) {
        bool left = begin < pass->rows.panels;
        size_t panel = left ? begin : begin - pass->rows.panels;
        const struct side *s = left ? &pass->rows : &pass->columns;
        ptrdiff_t lane = left ? a->row_stride : b->column_stride;
        ptrdiff_t step = left ? a->column_stride : b->row_stride;
        const char *from = (const char *)(left ? a->data : b->data) +
                           (ptrdiff_t)(panel * s->width) * lane +
                           (ptrdiff_t)pass->first * step;
        (left ? term->left : term->right)(packed_at(pass, s, panel, 0),
                                          s->width, from, lanes_of(s, panel),
                                          lane, pass->n, step);
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
    const struct tt_gemm_term *term = pass->term;
    const tutti_matrix *c = &pass->p->c;
    _Alignas(64) char tile[TT_GEMM_TILE];
    char *to = (char *)c->data +
               (ptrdiff_t)(row * pass->rows.width) * c->row_stride +
               (ptrdiff_t)(column * pass->columns.width) * c->column_stride;
    touch(to, c->row_stride, lanes_of(&pass->rows, row),
          pass->columns.width * (size_t)c->column_stride);
    term->run(tile, packed_at(pass, &pass->rows, row, step),
              packed_at(pass, &pass->columns, column, step), steps);
    term->store(to, c->row_stride, lanes_of(&pass->rows, row),
                lanes_of(&pass->columns, column), tile, pass->columns.width,
                term->shift, pass->add || step > 0);
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

/* Sets the pass up for its term; returns the bytes that it packs, 0 for more
 * than there can be. */
static size_t prepare(struct pass *pass)
{
    const struct tt_product *p = pass->p;
    const struct tt_gemm_term *term = pass->term;
    pass->rows = side_of(p->c.rows, term->rows, GROUP_ROWS);
    pass->columns = side_of(p->c.columns, term->columns, GROUP_COLUMNS);
    size_t steps = p->a.columns / term->pair + p->a.columns % term->pair;
    size_t step, bytes;
    if (__builtin_add_overflow(pass->rows.panels * term->rows,
                               pass->columns.panels * term->columns, &step) ||
        __builtin_mul_overflow(step, term->size, &step))
        return 0;
    size_t most = step ? SLAB / step / p->block * p->block : steps;
    most = most < p->block ? p->block : most;
    pass->steps = steps < most ? steps : most;
    pass->most = pass->steps * term->pair;
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
    loop.key = key_of((uintptr_t)pass->term, pass->steps);
    return tt_parts_run(parts, &loop, share);
}

struct whole {
    const struct tt_product *p;
    struct tt_parts *parts; /* NULL: it is all done here */
    char *packed;
};

static tutti_status run_pass(struct pass *pass, const struct whole *w)
{
    const struct tt_gemm_term *term = pass->term;
    size_t rows = pass->rows.panels * term->rows * pass->steps * term->size;
    pass->rows.packed = w->packed;
    pass->columns.packed = w->packed + (rows + 63) / 64 * 64;
    if (w->parts)
        return run_loops(pass, w->parts,
                         (double)pass->n / (double)pass->p->a.columns /
                             (double)pass->p->count);
    pack(pass, 0, pass->rows.panels + pass->columns.panels, 0);
    compute(pass, 0, pass->rows.groups * pass->columns.groups, 0);
    return TUTTI_OK;
}

static tutti_status run_passes(const struct whole *w)
{
    const struct tt_product *p = w->p;
    size_t k = p->a.columns;
    tutti_status status = TUTTI_OK;
    for (size_t t = 0; t < p->count && status == TUTTI_OK; t++) {
        struct pass pass = {.p = p, .term = p->terms[t], .add = t > 0};
        prepare(&pass);
        do {
            pass.n = k - pass.first < pass.most ? k - pass.first : pass.most;
            pass.steps = (pass.n + pass.term->pair - 1) / pass.term->pair;
            status = run_pass(&pass, w);
            pass.first += pass.n;
            pass.add = true;
        } while (status == TUTTI_OK && pass.first < k);
    }
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

/* The pages of what is packed are many, and touched in turn. */
static char *allocate(size_t bytes)
{
    size_t align = bytes < HUGE_PAGE ? 64 : HUGE_PAGE;
    if (bytes > SIZE_MAX - align)
        return NULL;
    bytes = (bytes + align - 1) / align * align;
    char *data = aligned_alloc(align, bytes);
    if (data && align == HUGE_PAGE)
        madvise(data, bytes, MADV_HUGEPAGE); /* else small ones will do */
    return data;
}

tutti_status tt_product_run(const struct tt_product *p, struct tt_parts *parts)
{
    struct whole w = {p, parts, NULL};
    size_t bytes = 64;
    for (size_t t = 0; t < p->count; t++) {
        struct pass pass = {.p = p, .term = p->terms[t]};
        size_t more = prepare(&pass);
        bytes = more == 0 || more > bytes ? more : bytes;
        if (more == 0)
            break;
    }
    w.packed = bytes ? allocate(bytes) : NULL;
    if (!w.packed)
        return tt_fail_memory("the operands of a product of matrices");
    tutti_status status;
    if (tt_product_small(p)) {
        w.parts = NULL;
        tutti_loop loop = {.n = 1, .body = run_small, .context = &w};
        status = tt_parts_run(parts, &loop, 1);
    } else {
        status = run_passes(&w);
    }
    free(w.packed);
    return status;
}
