/* Products of matrices beside a loop that says what they are. Run once for each
 * instruction set (TUTTI_ISA). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <pthread.h>

#include <cmocka.h>
#include <tutti.h>
#include <tutti/linalg.h>

#include "algo/parts.h"
#include "fault.h"

#define MOST 70 /* rows and columns */
#define FLOATS 1e-4f

static const tutti_type types[] = {TUTTI_F64, TUTTI_F32, TUTTI_I64,
                                   TUTTI_I32, TUTTI_U64, TUTTI_U32};

static uint64_t any(uint64_t *seed)
{
    uint64_t z = *seed += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* A matrix in memory of its own, of up to 4 times its size. */
struct grid {
    tutti_matrix matrix;
    char *memory;
    size_t bytes;
};

static struct grid grid_new(uint64_t *seed, tutti_type type, size_t rows,
                            size_t columns)
{
    size_t size = tutti_type_size(type);
    ptrdiff_t step = (ptrdiff_t)size * (any(seed) % 3 ? 1 : 2);
    bool by_columns = any(seed) % 3 == 0;
    ptrdiff_t line = step * (ptrdiff_t)((by_columns ? rows : columns) + 1);
    struct grid g = {{NULL, rows, columns, by_columns ? step : line,
                      by_columns ? line : step},
                     NULL,
                     (size_t)line * ((by_columns ? columns : rows) + 1) + 9};
    g.memory = malloc(g.bytes);
    assert_non_null(g.memory);
    memset(g.memory, 0x5a, g.bytes);
    g.matrix.data = g.memory + any(seed) % 2; /* maybe not aligned */
    if (any(seed) % 4 == 0 && rows > 0) {
        g.matrix.data =
            (char *)g.matrix.data + (ptrdiff_t)(rows - 1) * g.matrix.row_stride;
        g.matrix.row_stride = -g.matrix.row_stride;
    }
    if (any(seed) % 4 == 0 && columns > 0) {
        g.matrix.data = (char *)g.matrix.data +
                        (ptrdiff_t)(columns - 1) * g.matrix.column_stride;
        g.matrix.column_stride = -g.matrix.column_stride;
    }
    return g;
}

static char *at(const tutti_matrix *m, size_t i, size_t j)
{
    return (char *)m->data + (ptrdiff_t)i * m->row_stride +
           (ptrdiff_t)j * m->column_stride;
}

static double float_at(tutti_type type, const tutti_matrix *m, size_t i,
                       size_t j)
{
    double wide = 0;
    float narrow = 0;
    if (type == TUTTI_F64)
        memcpy(&wide, at(m, i, j), sizeof wide);
    else
        memcpy(&narrow, at(m, i, j), sizeof narrow);
    return type == TUTTI_F64 ? wide : (double)narrow;
}

static void put_float(tutti_type type, const tutti_matrix *m, size_t i,
                      size_t j, double x)
{
    float narrow = (float)x;
    if (type == TUTTI_F64)
        memcpy(at(m, i, j), &x, sizeof x);
    else
        memcpy(at(m, i, j), &narrow, sizeof narrow);
}

/* Modulo 2^32 where the type is of 4 bytes: the lower half, of the sum too. */
static uint64_t whole_at(size_t size, const tutti_matrix *m, size_t i, size_t j)
{
    uint64_t x = 0;
    memcpy(&x, at(m, i, j), size);
    return x;
}

static void fill(uint64_t *seed, tutti_type type, const tutti_matrix *m)
{
    unsigned bits = (unsigned)(any(seed) % 64);
    for (size_t i = 0; i < m->rows; i++)
        for (size_t j = 0; j < m->columns; j++) {
            int64_t x = (int64_t)any(seed) >> bits;
            if (type == TUTTI_F64 || type == TUTTI_F32)
                put_float(type, m, i, j, (double)(x % 1000) / 8);
            else
                memcpy(at(m, i, j), &x, tutti_type_size(type));
        }
}

static void check_whole(size_t size, const tutti_matrix *c,
                        const tutti_matrix *a, const tutti_matrix *b)
{
    for (size_t i = 0; i < c->rows; i++)
        for (size_t j = 0; j < c->columns; j++) {
            uint64_t sum = 0;
            for (size_t k = 0; k < a->columns; k++)
                sum += whole_at(size, a, i, k) * whole_at(size, b, k, j);
            if (size == 4)
                sum = (uint32_t)sum;
            assert_true(whole_at(size, c, i, j) == sum);
        }
}

/* These numbers are exact in a double, and so are their sums. */
static void check_floats(tutti_type type, const tutti_matrix *c,
                         const tutti_matrix *a, const tutti_matrix *b)
{
    for (size_t i = 0; i < c->rows; i++)
        for (size_t j = 0; j < c->columns; j++) {
            double sum = 0, all = 0;
            for (size_t k = 0; k < a->columns; k++) {
                double x = float_at(type, a, i, k) * float_at(type, b, k, j);
                sum += x;
                all += x < 0 ? -x : x;
            }
            double off = float_at(type, c, i, j) - sum;
            double may = type == TUTTI_F64 ? 0 : all * (double)FLOATS;
            assert_true(off <= may && -off <= may);
        }
}

static void multiply(uint64_t *seed, tutti_type type, const char *on, size_t m,
                     size_t n, size_t k)
{
    struct grid a = grid_new(seed, type, m, k), b = grid_new(seed, type, k, n);
    struct grid c = grid_new(seed, type, m, n);
    tutti_options options = TUTTI_OPTIONS_INIT;
    options.on = on;
    fill(seed, type, &a.matrix);
    fill(seed, type, &b.matrix);
    char *before = malloc(c.bytes);
    assert_non_null(before);
    memcpy(before, c.memory, c.bytes);
    assert_int_equal(tutti_matmul(type, c.matrix, a.matrix, b.matrix, &options),
                     TUTTI_OK);
    size_t size = tutti_type_size(type);
    if (type == TUTTI_F64 || type == TUTTI_F32)
        check_floats(type, &c.matrix, &a.matrix, &b.matrix);
    else
        check_whole(size, &c.matrix, &a.matrix, &b.matrix);
    /* Nothing else was written. */
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            memcpy(at(&c.matrix, i, j),
                   before + (at(&c.matrix, i, j) - c.memory), size);
    assert_memory_equal(before, c.memory, c.bytes);
    free(before);
    free(a.memory);
    free(b.memory);
    free(c.memory);
}

static void multiply_once(uint64_t *seed, tutti_type type, const char *on)
{
    size_t most = any(seed) % 3 ? MOST : 9;
    size_t m = any(seed) % most, n = any(seed) % most, k = any(seed) % most;
    if (any(seed) % 8 == 0)
        k *= 10;
    multiply(seed, type, on, m, n, k);
}

static void any_shape_and_strides(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (int i = 0; i < 600; i++)
        multiply_once(&seed, types[i % 6], i % 5 ? "serial" : "threads:3");
}

/* More than is packed at a time. */
static void long_sums(void **state)
{
    (void)state;
    uint64_t seed = 2;
    for (int i = 0; i < 12; i++)
        multiply(&seed, i % 3 ? TUTTI_I32 : TUTTI_I64,
                 i % 2 ? "serial" : "threads:2", 3, 5, 60001);
    multiply(&seed, TUTTI_F64, "serial", 3, 5, 60001);
}

static tutti_matrix plain(void *data, size_t rows, size_t columns, size_t size)
{
    return (tutti_matrix){data, rows, columns, (ptrdiff_t)(columns * size),
                          (ptrdiff_t)size};
}

/* Sums of the largest numbers of each width, which are where a narrower way is
 * taken, or just not. */
static void at_the_limits(void **state)
{
    (void)state;
    enum { M = 2, N = 3, K = 1100 };
    static int64_t a[M * K], b[K * N], c[M * N];
    static int32_t small_a[M * K], small_b[K * N], small_c[M * N];
    tutti_matrix wide[] = {plain(c, M, N, 8), plain(a, M, K, 8),
                           plain(b, K, N, 8)};
    tutti_matrix narrow[] = {plain(small_c, M, N, 4), plain(small_a, M, K, 4),
                             plain(small_b, K, N, 4)};
    for (unsigned p = 0; p < 64 * 64; p++) {
        /* -2^x, or 2^x - 1 in the odd rows of a */
        int64_t x = (int64_t)(UINT64_MAX << p / 64);
        int64_t y = (int64_t)(UINT64_MAX << p % 64);
        for (size_t i = 0; i < M * K; i++)
            small_a[i] = (int32_t)(a[i] = i / K % 2 ? ~x : x);
        for (size_t i = 0; i < K * N; i++)
            small_b[i] = (int32_t)(b[i] = y);
        assert_int_equal(
            tutti_matmul(TUTTI_I64, wide[0], wide[1], wide[2], NULL), TUTTI_OK);
        assert_int_equal(
            tutti_matmul(TUTTI_I32, narrow[0], narrow[1], narrow[2], NULL),
            TUTTI_OK);
        for (size_t i = 0; i < M * N; i++) {
            uint64_t sum = K * (uint64_t)a[i / N * K] * (uint64_t)y;
            assert_true((uint64_t)c[i] == sum);
            assert_true((uint32_t)small_c[i] == (uint32_t)sum);
        }
    }
}

enum { ROWS = 421, DEPTH = 305, COLUMNS = 550 };

struct product {
    tutti_matrix c, a, b;
};

static struct product product_new(uint64_t seed)
{
    struct product p = {plain(malloc(8 * ROWS * COLUMNS), ROWS, COLUMNS, 8),
                        plain(malloc(8 * ROWS * DEPTH), ROWS, DEPTH, 8),
                        plain(malloc(8 * DEPTH * COLUMNS), DEPTH, COLUMNS, 8)};
    assert_true(p.a.data && p.b.data && p.c.data);
    for (size_t i = 0; i < ROWS * DEPTH; i++)
        ((double *)p.a.data)[i] = (double)any(&seed) / 3;
    for (size_t i = 0; i < DEPTH * COLUMNS; i++)
        ((double *)p.b.data)[i] = (double)any(&seed) / 7;
    return p;
}

static void product_free(struct product *p)
{
    free(p->a.data);
    free(p->b.data);
    free(p->c.data);
}

static void same_bits_at_any_number_of_workers(void **state)
{
    (void)state;
    const char *places[] = {"auto",      "threads:1", "threads:2",
                            "threads:3", "threads:5", "threads:8"};
    struct product p = product_new(3);
    double *first = malloc(8 * ROWS * COLUMNS);
    tutti_options options = TUTTI_OPTIONS_INIT;
    options.on = "serial";
    assert_non_null(first);
    assert_int_equal(tutti_matmul(TUTTI_F64, p.c, p.a, p.b, &options),
                     TUTTI_OK);
    memcpy(first, p.c.data, 8 * ROWS * COLUMNS);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        options.on = places[i];
        memset(p.c.data, 0, 8 * ROWS * COLUMNS);
        assert_int_equal(tutti_matmul(TUTTI_F64, p.c, p.a, p.b, &options),
                         TUTTI_OK);
        assert_memory_equal(first, p.c.data, 8 * ROWS * COLUMNS);
    }
    free(first);
    product_free(&p);
}

static void *multiply_again(void *arg)
{
    struct product *p = arg;
    for (int i = 0; i < 5; i++)
        if (tutti_matmul(TUTTI_I64, p->c, p->a, p->b, NULL) != TUTTI_OK)
            return "failed";
    return NULL;
}

static void from_several_threads(void **state)
{
    (void)state;
    pthread_t threads[3];
    struct product p[3];
    tutti_options options = TUTTI_OPTIONS_INIT;
    options.on = "serial";
    for (int i = 0; i < 3; i++) {
        p[i] = product_new((uint64_t)i);
        assert_int_equal(
            pthread_create(&threads[i], NULL, multiply_again, &p[i]), 0);
    }
    int64_t *again = malloc(8 * ROWS * COLUMNS);
    assert_non_null(again);
    for (int i = 0; i < 3; i++) {
        void *failed;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
        assert_int_equal(tutti_matmul(TUTTI_I64, plain(again, ROWS, COLUMNS, 8),
                                      p[i].a, p[i].b, &options),
                         TUTTI_OK);
        assert_memory_equal(again, p[i].c.data, 8 * ROWS * COLUMNS);
        product_free(&p[i]);
    }
    free(again);
}

static void over_an_operand(void **state)
{
    (void)state;
    enum { N = 40 };
    static int64_t a[N * N], b[N * N], c[N * N];
    uint64_t seed = 9;
    for (size_t i = 0; i < N * N; i++) {
        a[i] = (int64_t)any(&seed);
        b[i] = (int64_t)any(&seed);
    }
    tutti_matrix x = plain(a, N, N, 8), y = plain(b, N, N, 8);
    assert_int_equal(tutti_matmul(TUTTI_I64, plain(c, N, N, 8), x, y, NULL),
                     TUTTI_OK);
    assert_int_equal(tutti_matmul(TUTTI_I64, x, x, y, NULL), TUTTI_OK);
    assert_memory_equal(a, c, sizeof a);
}

static void bad_arguments(void **state)
{
    (void)state;
    double x[4] = {0};
    tutti_matrix two = plain(x, 2, 2, 8), none = plain(NULL, 2, 2, 8);
    tutti_matrix flat = {x, 2, 2, 0, 8}, tall = plain(x, 4, 1, 8);
    tutti_options options = TUTTI_OPTIONS_INIT;
    assert_int_equal(tutti_matmul(TUTTI_F64, two, two, tall, NULL), TUTTI_EARG);
    assert_non_null(strstr(tutti_detail(), "2 x 2 by 4 x 1 into 2 x 2"));
    assert_int_equal(tutti_matmul(TUTTI_F64, two, tall, two, NULL), TUTTI_EARG);
    assert_int_equal(tutti_matmul(TUTTI_F64, tall, two, two, NULL), TUTTI_EARG);
    assert_int_equal(tutti_matmul(TUTTI_F64, none, two, two, NULL), TUTTI_EARG);
    assert_int_equal(tutti_matmul(TUTTI_F64, two, none, two, NULL), TUTTI_EARG);
    assert_int_equal(tutti_matmul(TUTTI_F64, flat, two, two, NULL), TUTTI_EARG);
    assert_int_equal(tutti_matmul((tutti_type)0, two, two, two, NULL),
                     TUTTI_EARG);
    options.on = "processes";
    assert_int_equal(tutti_matmul(TUTTI_F64, two, two, two, &options),
                     TUTTI_EPLACE);
    options.on = "nowhere";
    assert_int_equal(tutti_matmul(TUTTI_F64, two, two, two, &options),
                     TUTTI_EARG);
}

struct told {
    size_t calls, last, n;
    bool back, cancel;
};

static int tell(void *arg, size_t done, size_t n)
{
    struct told *told = arg;
    told->back = told->back || done < told->last;
    told->calls++;
    told->last = done;
    told->n = n;
    return told->cancel;
}

static tutti_options telling(struct told *told, const char *on)
{
    tutti_options options = TUTTI_OPTIONS_INIT;
    options.on = on;
    options.progress = tell;
    options.progress_arg = told;
    return options;
}

static void one_call_of_many_loops(void **state)
{
    (void)state;
    struct product p = product_new(4);
    struct told told = {0};
    tutti_report report = TUTTI_REPORT_INIT;
    tutti_options options = telling(&told, "threads:2");
    options.report = &report;
    assert_int_equal(tutti_matmul(TUTTI_I64, p.c, p.a, p.b, &options),
                     TUTTI_OK);
    assert_true(told.calls > 0 && !told.back);
    assert_int_equal(told.last, ROWS);
    assert_int_equal(told.n, ROWS);
    assert_string_equal(report.place, "threads:2");
    assert_int_equal(report.done, report.n);
    assert_true(report.n > 0 && report.user > 0 && report.wall > 0);
    options.deadline = 1e-9;
    assert_int_equal(tutti_matmul(TUTTI_I64, p.c, p.a, p.b, &options),
                     TUTTI_ETIME);
    options.deadline = 100;
    assert_int_equal(tutti_matmul(TUTTI_I64, p.c, p.a, p.b, &options),
                     TUTTI_OK);
    p.a.columns = p.b.rows = 0;
    assert_int_equal(tutti_matmul(TUTTI_I64, p.c, p.a, p.b, &options),
                     TUTTI_OK);
    assert_int_equal(told.last, ROWS);
    product_free(&p);
}

static size_t slow(void *context, size_t begin, size_t end, unsigned worker)
{
    (void)begin;
    (void)worker;
    *(struct told *)context = (struct told){.cancel = true};
    struct timespec wait = {.tv_nsec = 200000000};
    nanosleep(&wait, NULL);
    return end;
}

static void a_part_may_be_cancelled(void **state)
{
    (void)state;
    struct told told = {0};
    struct tt_parts parts;
    tutti_options options = telling(&told, "serial");
    tt_parts_begin(&parts, &options, 10);
    tutti_loop loop = {.n = 4, .body = slow, .context = &told};
    assert_int_equal(tt_parts_run(&parts, &loop, 0.5), TUTTI_ECANCEL);
}

static size_t nothing(void *context, size_t begin, size_t end, unsigned worker)
{
    (void)context, (void)begin, (void)worker;
    return end;
}

/* Parts may be too short to be cancelled themselves. */
static void no_part_begins_when_cancelled(void **state)
{
    (void)state;
    struct told told = {.cancel = true};
    struct tt_parts parts;
    tutti_options options = telling(&told, "serial");
    tt_parts_begin(&parts, &options, 10);
    tutti_loop loop = {.n = 4, .body = nothing};
    assert_int_equal(tt_parts_run(&parts, &loop, 0.5), TUTTI_OK);
    assert_int_equal(tt_parts_run(&parts, &loop, 0.5), TUTTI_ECANCEL);
    assert_int_equal(told.calls, 1);
}

static tutti_status multiply_square(void *arg)
{
    size_t n = *(size_t *)arg;
    static int64_t x[300 * 300];
    tutti_matrix a = plain(x, n, n, 8);
    tutti_options options = TUTTI_OPTIONS_INIT;
    options.on = "serial";
    return tutti_matmul(TUTTI_I64, a, a, a, &options);
}

static void each_allocation_fails(void **state)
{
    (void)state;
    size_t n = 60, more = 300;
    assert_int_equal(multiply_square(&n), TUTTI_OK);
    /* What that one packed in is too small. */
    assert_true(tt_fault_each(multiply_square, &more) >= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* first: what a large product packed in would be kept for it */
        cmocka_unit_test(each_allocation_fails),
        cmocka_unit_test(any_shape_and_strides),
        cmocka_unit_test(long_sums),
        cmocka_unit_test(at_the_limits),
        cmocka_unit_test(same_bits_at_any_number_of_workers),
        cmocka_unit_test(from_several_threads),
        cmocka_unit_test(over_an_operand),
        cmocka_unit_test(bad_arguments),
        cmocka_unit_test(one_call_of_many_loops),
        cmocka_unit_test(a_part_may_be_cancelled),
        cmocka_unit_test(no_part_begins_when_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
