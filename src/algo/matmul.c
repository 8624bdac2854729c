#include <tutti/linalg.h>

#include <stdatomic.h>
#include <stdlib.h>

#include "algo/linalg.h"
#include "algo/product.h"
#include "core/status.h"
#include "kernel/blas.h"
#include "loop/run.h"

#define BLOCK 256 /* steps: what of the right operand stays in the L1 cache */
#define SPLIT_BLOCK 128 /* as BLOCK, of two values of k and their ends */
#define BLAS_ROWS 336   /* of a block, or fewer: each packs b anew */

/* The bits that an operand's numbers need beside a sign; see tt_gemm. */
struct scan {
    uint64_t (*bits)(const char *x, ptrdiff_t stride, size_t n);
    tutti_matrix operand[2];
    uint64_t wide; /* from which on nothing is gained by looking further */
    _Atomic uint64_t found[2];
};

static size_t scan_lines(void *context, size_t begin, size_t end,
                         unsigned worker)
{
    struct scan *s = context;
    (void)worker;
    for (; begin < end; begin++) {
        if ((s->found[0] | s->found[1]) >= s->wide)
            return end;
        int right = begin >= s->operand[0].rows;
        const tutti_matrix *m = &s->operand[right];
        size_t line = right ? begin - s->operand[0].rows : begin;
        const char *from =
            (const char *)m->data + (ptrdiff_t)line * m->row_stride;
        uint64_t bits = s->bits(from, m->column_stride, m->columns);
        if (bits & ~s->found[right]) /* else workers would wait for it */
            atomic_fetch_or(&s->found[right], bits);
    }
    return end;
}

static tutti_matrix by_rows(tutti_matrix x)
{
    return tt_linalg_by_columns(x) ? tt_linalg_transpose(x) : x;
}

static tutti_status scan(struct scan *s, const struct tt_product *p,
                         struct tt_parts *parts)
{
    s->operand[0] = by_rows(p->a);
    s->operand[1] = by_rows(p->b);
    tutti_loop loop = {.n = s->operand[0].rows + s->operand[1].rows,
                       .body = scan_lines,
                       .context = s};
    if (!tt_product_small(p))
        return tt_parts_run(parts, &loop, 0);
    scan_lines(s, 0, loop.n, 0);
    return TUTTI_OK;
}

static int length_of(uint64_t bits)
{
    return bits ? 64 - __builtin_clzll(bits) : 0;
}

static void choose(struct tt_product *p, const struct tt_gemm_term *term,
                   size_t block)
{
    p->term = term;
    p->block = block;
}

/* Numbers of bits_a and bits_b bits with a sign: the sum of n of their products
 * is at most n << (bits_a + bits_b). */
static void plan_i64(struct tt_product *p, int bits_a, int bits_b)
{
    const struct tt_gemm *gemm = tt_gemm();
    int narrow = 30 - bits_a - bits_b, exact = 53 - bits_a - bits_b;
    if (bits_a <= 15 && bits_b <= 15 && narrow >= 6)
        choose(p, &gemm->narrow64,
               narrow >= 9 ? BLOCK : (size_t)1 << (narrow - 1));
    else if (exact >= 6)
        choose(p, &gemm->exact64, exact >= 8 ? BLOCK : (size_t)1 << exact);
    else if (gemm->split())
        choose(p, &gemm->split64, SPLIT_BLOCK);
    else
        choose(p, &gemm->wide64, BLOCK);
}

static void plan_i32(struct tt_product *p, int bits_a, int bits_b)
{
    const struct tt_gemm *gemm = tt_gemm();
    bool narrow = bits_a <= 15 && bits_b <= 15;
    choose(p, narrow ? &gemm->narrow32 : &gemm->wide32, BLOCK);
}

static tutti_status run_integers(bool wide, struct tt_product *p,
                                 struct tt_parts *parts)
{
    struct scan s = {.bits = wide ? tt_gemm()->bits64 : tt_gemm()->bits32,
                     .wide = (uint64_t)1 << (wide ? 47 : 15)};
    tutti_status status = scan(&s, p, parts);
    if (status != TUTTI_OK)
        return status;
    (wide ? plan_i64 : plan_i32)(p, length_of(s.found[0]),
                                 length_of(s.found[1]));
    return tt_product_run(p, parts);
}

/* Blocks of rows, which depend on the number of rows alone. */
struct blocks {
    tutti_type type;
    const struct tt_product *p;
    size_t rows;
};

#define STRIP ((size_t)12 << 20) /* numbers of b that rows meet in a call */
#define STRIP_LEAST 256          /* columns */

/* Columns of a call, which depend on b alone: that is where a product can be
 * stopped. */
static size_t strip_columns(const tutti_matrix *b)
{
    size_t columns = STRIP / (b->rows + 1) / STRIP_LEAST * STRIP_LEAST;
    return columns < STRIP_LEAST ? STRIP_LEAST : columns;
}

/* Rows of c from those of a. False: it was stopped. */
static bool multiply_rows(const struct blocks *blocks, tutti_matrix c,
                          const tutti_matrix *a)
{
    tutti_matrix b = blocks->p->b;
    size_t left = c.columns, most = strip_columns(&b);
    bool stopped = false;
    for (; left && !stopped; left -= c.columns) {
        c.columns = b.columns = left < most ? left : most;
        tt_blas_multiply(blocks->type, &c, a, &b);
        c.data = (char *)c.data + (ptrdiff_t)c.columns * c.column_stride;
        b.data = (char *)b.data + (ptrdiff_t)c.columns * b.column_stride;
        stopped = tt_run_past(1);
    }
    return !left;
}

static size_t multiply_blocks(void *context, size_t begin, size_t end,
                              unsigned worker)
{
    const struct blocks *blocks = context;
    (void)worker;
    for (; begin < end; begin++) {
        tutti_matrix c = blocks->p->c, a = blocks->p->a;
        size_t first = begin * blocks->rows, rows = c.rows - first;
        c.rows = a.rows = rows < blocks->rows ? rows : blocks->rows;
        c.data = (char *)c.data + (ptrdiff_t)first * c.row_stride;
        a.data = (char *)a.data + (ptrdiff_t)first * a.row_stride;
        if (!multiply_rows(blocks, c, &a))
            break;
    }
    return begin;
}

/* An even number of blocks, as most machines have of cores, or one. A block is
 * one itself: python/tutti/_pieces.py has the same rule. */
static size_t block_rows(size_t rows)
{
    size_t blocks = (rows + BLAS_ROWS - 1) / BLAS_ROWS;
    blocks += blocks > 1 && blocks % 2;
    return (rows + blocks - 1) / blocks;
}

static bool blas_takes(const struct tt_product *p, size_t size)
{
    return !tt_product_small(p) && tt_blas_takes(&p->c, size) &&
           tt_blas_takes(&p->a, size) && tt_blas_takes(&p->b, size) &&
           tt_blas_found(tt_product_work(p));
}

static tutti_status run_floats(tutti_type type, struct tt_product *p,
                               struct tt_parts *parts)
{
    if (!blas_takes(p, tutti_type_size(type))) {
        choose(p, type == TUTTI_F64 ? &tt_gemm()->f64 : &tt_gemm()->f32, BLOCK);
        return tt_product_run(p, parts);
    }
    struct blocks blocks = {type, p, block_rows(p->c.rows)};
    tutti_loop loop = {.n = p->c.rows / blocks.rows +
                            (p->c.rows % blocks.rows != 0),
                       .body = multiply_blocks,
                       .context = &blocks};
    return tt_parts_run(parts, &loop, 1);
}

static tutti_status run(tutti_type type, struct tt_product *p,
                        const tutti_options *options)
{
    struct tt_parts parts;
    tt_parts_begin(&parts, options, p->c.rows);
    if (type == TUTTI_I64 || type == TUTTI_I32)
        return run_integers(type == TUTTI_I64, p, &parts);
    return run_floats(type, p, &parts);
}

/* Where the result shares memory with an operand, or its rows do not lie side
 * by side. */
static tutti_status run_apart(tutti_type type, struct tt_product *p,
                              const tutti_options *options)
{
    size_t size = tutti_type_size(type);
    tutti_matrix c = p->c;
    p->c.column_stride = (ptrdiff_t)size;
    p->c.row_stride = (ptrdiff_t)(c.columns * size);
    p->c.data = malloc(c.rows * c.columns * size);
    if (!p->c.data)
        return tt_fail_memory("a product that is copied to where it belongs");
    tutti_status status = run(type, p, options);
    if (status == TUTTI_OK)
        tt_linalg_write(c, size, 0, c.rows * c.columns, p->c.data);
    free(p->c.data);
    return status;
}

static tutti_status check(tutti_type type, const struct tt_product *p,
                          const tutti_options *options)
{
    const char *what = "tutti_matmul";
    const tutti_matrix *a = &p->a, *b = &p->b, *c = &p->c;
    tutti_status status = tt_linalg_check(what, type, options);
    if (status == TUTTI_OK)
        status = tt_linalg_check_matrix(what, "c", *c, true);
    if (status == TUTTI_OK)
        status = tt_linalg_check_matrix(what, "a", *a, false);
    if (status == TUTTI_OK)
        status = tt_linalg_check_matrix(what, "b", *b, false);
    if (status != TUTTI_OK)
        return status;
    if (a->columns != b->rows || c->rows != a->rows || c->columns != b->columns)
        return tt_fail(TUTTI_EARG,
                       "tutti_matmul: %zu x %zu by %zu x %zu into %zu x %zu "
                       "given, m x k by k x n into m x n expected",
                       a->rows, a->columns, b->rows, b->columns, c->rows,
                       c->columns);
    return TUTTI_OK;
}

tutti_status tutti_matmul(tutti_type type, tutti_matrix c, tutti_matrix a,
                          tutti_matrix b, const tutti_options *options)
{
    struct tt_product p = {.c = c, .a = a, .b = b};
    type = type == TUTTI_U64 ? TUTTI_I64 : type == TUTTI_U32 ? TUTTI_I32 : type;
    tutti_status status = check(type, &p, options);
    if (status != TUTTI_OK || c.rows == 0 || c.columns == 0)
        return status;
    if (c.rows == 1 || tt_linalg_by_columns(c)) {
        p.c = tt_linalg_transpose(c);
        p.a = tt_linalg_transpose(b);
        p.b = tt_linalg_transpose(a);
    }
    if (p.c.columns == 1)
        return tutti_matvec(type, (tutti_array){p.c.data, p.c.row_stride}, p.a,
                            (tutti_array){p.b.data, p.b.row_stride}, options);
    size_t size = tutti_type_size(type);
    if ((p.c.columns > 1 && p.c.column_stride != (ptrdiff_t)size) ||
        tt_linalg_overlaps(p.c, p.a, size) ||
        tt_linalg_overlaps(p.c, p.b, size))
        return run_apart(type, &p, options);
    return run(type, &p, options);
}
