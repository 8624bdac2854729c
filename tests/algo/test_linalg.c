/* Sums and products of arrays: exact where they are whole, in the documented
 * order where they are floats, at any stride, in any place. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include <tutti.h>

#include "../seed.h"
#include "kernel/builtin/sums.h"

static const char *const places[] = {NULL, "serial", "threads:1", "threads:3",
                                     "threads:8"};
static const tutti_type types[] = {TUTTI_F64, TUTTI_F32, TUTTI_I64, TUTTI_I32};

static uint64_t stream;

static size_t below(size_t n)
{
    return (size_t)(tt_random(&stream) % n);
}

/* A count that is small, or around a block's, or several blocks'. */
static size_t count(size_t most)
{
    static const size_t marks[] = {1, 8, 32, 64, 128, 2048, 4096, 10000};
    size_t near = marks[below(8)], n = near + below(near) - near / 2;
    n = below(4) ? n : below(20);
    return n < most ? n : most;
}

static void fill(tutti_type type, void *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t bits = tt_random(&stream);
        double value = (double)(int64_t)bits * 0x1p-60;
        if (type == TUTTI_F64)
            ((double *)values)[i] = value;
        else if (type == TUTTI_F32)
            ((float *)values)[i] = (float)value;
        else if (type == TUTTI_I64)
            ((uint64_t *)values)[i] = bits;
        else
            ((uint32_t *)values)[i] = (uint32_t)bits;
    }
}

/* A matrix somewhere in memory of its own, which is to be freed. */
struct laid {
    tutti_matrix m;
    char *memory;
    size_t size;
};

static char *place_of(const struct laid *l, size_t i, size_t j)
{
    return (char *)l->m.data + (ptrdiff_t)i * l->m.row_stride +
           (ptrdiff_t)j * l->m.column_stride;
}

/* Rows or columns side by side or not, forwards or backwards, aligned or not.
 * plain: none of it. */
static struct laid lay(size_t size, size_t rows, size_t columns, bool plain)
{
    bool turned = !plain && below(3) == 0;
    size_t inner = turned ? rows : columns, outer = turned ? columns : rows;
    size_t step = size, pad = 0, shift = 0;
    if (!plain && below(3) == 0)
        step = size * (1 + below(3)) + (below(4) == 0);
    if (!plain && below(2) == 0)
        pad = below(5) * size;
    if (!plain && below(6) == 0)
        shift = 1;
    size_t line = inner * step + pad;
    struct laid l = {{NULL, rows, columns, 0, 0}, NULL, size};
    l.memory = malloc(outer * line + shift + size + 64);
    assert_non_null(l.memory);
    char *at = l.memory + shift;
    ptrdiff_t steps[2] = {(ptrdiff_t)line, (ptrdiff_t)step};
    size_t counts[2] = {outer, inner};
    for (int k = 0; k < 2; k++)
        if (!plain && counts[k] > 0 && below(4) == 0) {
            at += (ptrdiff_t)(counts[k] - 1) * steps[k];
            steps[k] = -steps[k];
        }
    l.m.data = at;
    l.m.row_stride = turned ? steps[1] : steps[0];
    l.m.column_stride = turned ? steps[0] : steps[1];
    return l;
}

static void put(const struct laid *l, const char *values)
{
    for (size_t i = 0; i < l->m.rows; i++)
        for (size_t j = 0; j < l->m.columns; j++, values += l->size)
            memcpy(place_of(l, i, j), values, l->size);
}

static void check(const struct laid *l, const char *values)
{
    for (size_t i = 0; i < l->m.rows; i++)
        for (size_t j = 0; j < l->m.columns; j++, values += l->size)
            assert_memory_equal(place_of(l, i, j), values, l->size);
}

static struct laid lay_out(size_t size, size_t rows, size_t columns,
                           const char *values, bool plain)
{
    struct laid l = lay(size, rows, columns, plain);
    put(&l, values);
    return l;
}

static tutti_array vector(const struct laid *l)
{
    return (tutti_array){l->m.data, l->m.column_stride};
}

/* The documented order: lanes, blocks, neighbours, neighbours of these. */
#define ORDER(name, type, lanes_of) \
    static type name##_block(const type *a, const type *b, size_t n) \
    { \
        type lanes[lanes_of] = {0}; \
        for (size_t i = 0; i < n; i++) \
            lanes[i % lanes_of] += b ? a[i] * b[i] : a[i]; \
        for (size_t half = lanes_of / 2; half; half /= 2) \
            for (size_t l = 0; l < half; l++) \
                lanes[l] += lanes[l + half]; \
        return lanes[0]; \
    } \
    static type name(const type *a, const type *b, size_t n) \
    { \
        size_t block = TT_SUM_BLOCK / sizeof(type); \
        size_t blocks = n / block + (n % block != 0); \
        type *sums = calloc(blocks + 1, sizeof *sums); \
        assert_non_null(sums); \
        for (size_t k = 0; k < blocks; k++) \
            sums[k] = \
                name##_block(a + k * block, b ? b + k * block : NULL, \
                             n - k * block < block ? n - k * block : block); \
        for (size_t step = 1; step < blocks; step *= 2) \
            for (size_t k = 0; k + step < blocks; k += 2 * step) \
                sums[k] += sums[k + step]; \
        type sum = sums[0]; \
        free(sums); \
        return sum; \
    }

ORDER(ordered_f64, double, TT_SUM_LANES)
ORDER(ordered_f32, float, TT_SUM_LANES_F32)
ORDER(ordered_i64, uint64_t, 1)
ORDER(ordered_i32, uint32_t, 1)

static void order(tutti_type type, void *out, const void *a, const void *b,
                  size_t n)
{
    if (type == TUTTI_F64)
        *(double *)out = ordered_f64(a, b, n);
    else if (type == TUTTI_F32)
        *(float *)out = ordered_f32(a, b, n);
    else if (type == TUTTI_I64)
        *(uint64_t *)out = ordered_i64(a, b, n);
    else
        *(uint32_t *)out = ordered_i32(a, b, n);
}

static int64_t wide_sum(const int32_t *x, size_t n)
{
    int64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i];
    return sum;
}

static tutti_options anywhere(void)
{
    tutti_options options = TUTTI_OPTIONS_INIT;
    options.on = places[below(5)];
    return options;
}

static void sums_are_in_order(void **state)
{
    (void)state;
    for (int k = 0; k < 300; k++) {
        tutti_type type = types[k % 4];
        tutti_options options = anywhere();
        size_t size = tutti_type_size(type), rows = 1 + below(3);
        size_t n = count(10000);
        char *values = malloc(rows * n * size + 1);
        fill(type, values, rows * n);
        /* The order follows memory: one that columns do not change. */
        struct laid x = lay_out(size, rows, n, values, rows > 1);
        uint64_t sum = 0, expected = 0;
        order(type, &expected, values, NULL, rows * n);
        if (type == TUTTI_I32)
            expected = (uint64_t)wide_sum((int32_t *)values, rows * n);
        assert_int_equal(tutti_sum(type, &sum, x.m, &options), TUTTI_OK);
        assert_int_equal(sum, expected);
        tutti_matrix turned = {x.m.data, x.m.columns, x.m.rows,
                               x.m.column_stride, x.m.row_stride};
        assert_int_equal(tutti_sum(type, &sum, turned, &options), TUTTI_OK);
        assert_int_equal(sum, expected);
        free(x.memory);
        free(values);
    }
}

static void products_are_in_order(void **state)
{
    (void)state;
    for (int k = 0; k < 400; k++) {
        tutti_type type = types[k % 4];
        tutti_options options = anywhere();
        size_t size = tutti_type_size(type), columns = count(30000);
        size_t rows = count(1 + 100000 / (columns + 1));
        char *values = malloc(rows * columns * size + 1);
        char *factors = malloc(columns * size + 1);
        char *expected = malloc(rows * size + 1);
        fill(type, values, rows * columns);
        fill(type, factors, columns);
        struct laid a = lay_out(size, rows, columns, values, below(3) == 0);
        struct laid x = lay_out(size, 1, columns, factors, below(2) == 0);
        struct laid y = lay(size, 1, rows, below(2) == 0);
        for (size_t i = 0; i < rows; i++)
            order(type, expected + i * size, values + i * columns * size,
                  factors, columns);
        assert_int_equal(
            tutti_matvec(type, vector(&y), a.m, vector(&x), &options),
            TUTTI_OK);
        check(&y, expected);
        if (rows > 0) {
            uint64_t dot = 0, want = 0;
            tutti_array row = {a.m.data, a.m.column_stride};
            memcpy(&want, expected, size);
            assert_int_equal(
                tutti_dot(type, &dot, row, vector(&x), columns, &options),
                TUTTI_OK);
            assert_int_equal(dot, want);
        }
        free(a.memory);
        free(x.memory);
        free(y.memory);
        free(values);
        free(factors);
        free(expected);
    }
}

/* A row that is long enough to be cut, with few others. */
static void long_rows_are_in_order(void **state)
{
    (void)state;
    size_t n = 40 * 2048 + 3;
    double *a = malloc(3 * n * sizeof *a), *x = malloc(n * sizeof *x);
    double y[3], expected[3];
    fill(TUTTI_F64, a, 3 * n);
    fill(TUTTI_F64, x, n);
    for (size_t rows = 1; rows <= 3; rows += 2)
        for (int p = 0; p < 5; p++) {
            tutti_options options = TUTTI_OPTIONS_INIT;
            options.on = places[p];
            tutti_matrix m = {a, rows, n, (ptrdiff_t)(n * sizeof *a),
                              sizeof *a};
            for (size_t i = 0; i < rows; i++)
                expected[i] = ordered_f64(a + i * n, x, n);
            assert_int_equal(
                tutti_matvec(TUTTI_F64, (tutti_array){y, sizeof *y}, m,
                             (tutti_array){x, sizeof *x}, &options),
                TUTTI_OK);
            assert_memory_equal(y, expected, rows * sizeof *y);
        }
    free(a);
    free(x);
}

/* More than a near cache holds, up to the end of what may be read. */
static void far_matrices_are_in_order(void **state)
{
    (void)state;
    size_t rows = 176, n = 4096, size = rows * n * sizeof(double);
    char *memory =
        mmap(NULL, size + 65536, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    assert_int_equal(mprotect(memory, size, PROT_READ | PROT_WRITE), 0);
    double *a = (double *)memory, *x = malloc(n * sizeof *x), y[176], sum = 0;
    double expected[176], all = 0;
    tutti_matrix m = {a, rows, n, (ptrdiff_t)(n * sizeof *a), sizeof *a};
    fill(TUTTI_F64, a, rows * n);
    fill(TUTTI_F64, x, n);
    order(TUTTI_F64, &all, a, NULL, rows * n);
    for (size_t i = 0; i < rows; i++)
        expected[i] = ordered_f64(a + i * n, x, n);
    for (int p = 0; p < 5; p++) {
        tutti_options options = TUTTI_OPTIONS_INIT;
        options.on = places[p];
        assert_int_equal(tutti_sum(TUTTI_F64, &sum, m, &options), TUTTI_OK);
        assert_memory_equal(&sum, &all, sizeof all);
        assert_int_equal(tutti_matvec(TUTTI_F64, (tutti_array){y, sizeof *y}, m,
                                      (tutti_array){x, sizeof *x}, &options),
                         TUTTI_OK);
        assert_memory_equal(y, expected, sizeof y);
    }
    free(x);
    munmap(memory, size + 65536);
}

static void pair(tutti_type type, bool add, void *out, const void *a,
                 const void *b)
{
#define DO(t) \
    *(t *)out = (t)(add ? *(const t *)a + *(const t *)b \
                        : *(const t *)a * *(const t *)b)
    if (type == TUTTI_F64)
        DO(double);
    else if (type == TUTTI_F32)
        DO(float);
    else if (type == TUTTI_I64)
        DO(uint64_t);
    else
        DO(uint32_t);
#undef DO
}

static tutti_status run_pair(tutti_type type, bool add, tutti_matrix out,
                             tutti_matrix a, tutti_matrix b,
                             const tutti_options *options)
{
    return add ? tutti_add(type, out, a, b, options)
               : tutti_multiply(type, out, a, b, options);
}

static void pairs_are_right(void **state)
{
    (void)state;
    for (int k = 0; k < 400; k++) {
        tutti_type type = types[k % 4];
        tutti_options options = anywhere();
        size_t size = tutti_type_size(type), columns = count(30000);
        size_t rows = count(1 + 60000 / (columns + 1)), n = rows * columns;
        bool add = below(2);
        char *left = malloc(n * size + 1), *right = malloc(n * size + 1);
        char *expected = malloc(n * size + 1);
        fill(type, left, n);
        fill(type, right, n);
        for (size_t i = 0; i < n; i++)
            pair(type, add, expected + i * size, left + i * size,
                 right + i * size);
        struct laid a = lay_out(size, rows, columns, left, below(3) == 0);
        struct laid b = lay_out(size, rows, columns, right, below(3) == 0);
        struct laid out = lay(size, rows, columns, below(3) == 0);
        assert_int_equal(run_pair(type, add, out.m, a.m, b.m, &options),
                         TUTTI_OK);
        check(&out, expected);
        /* In the place of an operand. */
        assert_int_equal(run_pair(type, add, b.m, a.m, b.m, &options),
                         TUTTI_OK);
        check(&b, expected);
        free(a.memory);
        free(b.memory);
        free(out.memory);
        free(left);
        free(right);
        free(expected);
    }
}

/* What is larger than the cache is stored past it. */
static void large_products_are_right(void **state)
{
    (void)state;
    size_t n = 3000001;
    double *x = malloc((2 * n + 1) * sizeof *x), *out = x + n + 1, two = 2;
    fill(TUTTI_F64, x, n);
    tutti_matrix a = {x, 1, n, 0, sizeof *x}, to = {out, 1, n, 0, sizeof *x};
    tutti_matrix b = {&two, 1, n, 0, 0};
    for (int p = 0; p < 5; p += 2) {
        tutti_options options = TUTTI_OPTIONS_INIT;
        options.on = places[p];
        memset(out, 0, n * sizeof *out);
        assert_int_equal(tutti_multiply(TUTTI_F64, to, a, b, &options),
                         TUTTI_OK);
        for (size_t i = 0; i < n; i++)
            if (out[i] != 2 * x[i])
                fail_msg("element %zu", i);
    }
    free(x);
}

/* Results that share memory with operands, shifted. */
static void overlaps_are_as_if_apart(void **state)
{
    (void)state;
    int64_t x[20000], expected[10000], y[100], rows[100 * 100];
    tutti_matrix a = {x, 1, 10000, 0, 8}, out = {x + 1, 1, 10000, 0, 8};
    for (size_t i = 0; i < 20000; i++)
        x[i] = (int64_t)i * 3;
    for (size_t i = 0; i < 10000; i++)
        expected[i] = x[i] + x[i];
    assert_int_equal(tutti_add(TUTTI_I64, out, a, a, NULL), TUTTI_OK);
    assert_memory_equal(x + 1, expected, sizeof expected);
    for (size_t i = 0; i < 10000; i++) {
        rows[i] = (int64_t)(i * i % 1001);
        if (i < 100)
            y[i] = (int64_t)i - 50, expected[i] = 0;
    }
    for (size_t i = 0; i < 10000; i++)
        expected[i / 100] += rows[i] * y[i % 100];
    tutti_matrix m = {rows, 100, 100, 800, 8};
    tutti_array v = {y, 8}, column = {rows + 1, 800};
    assert_int_equal(tutti_matvec(TUTTI_I64, column, m, v, NULL), TUTTI_OK);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(rows[1 + i * 100], expected[i]);
}

static void nothing_is_no_failure(void **state)
{
    (void)state;
    double y[2] = {7, 7}, sum = 7;
    tutti_array none = {NULL, 0};
    tutti_matrix m = {NULL, 0, 5, 40, 8};
    assert_int_equal(tutti_sum(TUTTI_F64, &sum, m, NULL), TUTTI_OK);
    assert_true(sum == 0);
    sum = 7;
    assert_int_equal(tutti_dot(TUTTI_F64, &sum, none, none, 0, NULL), TUTTI_OK);
    assert_true(sum == 0);
    assert_int_equal(tutti_add(TUTTI_F64, m, m, m, NULL), TUTTI_OK);
    m = (tutti_matrix){NULL, 2, 0, 0, 8};
    assert_int_equal(
        tutti_matvec(TUTTI_F64, (tutti_array){y, 8}, m, none, NULL), TUTTI_OK);
    assert_true(y[0] == 0 && y[1] == 0);
}

static void told(tutti_status status, tutti_status expected, const char *line)
{
    assert_int_equal(status, expected);
    assert_non_null(strstr(tutti_detail(), line));
}

static void bad_arguments_are_told(void **state)
{
    (void)state;
    double x[4] = {0};
    tutti_matrix m = {x, 2, 2, 16, 8}, none = {NULL, 2, 2, 16, 8};
    tutti_matrix one = {x, 2, 2, 0, 8}, wide = {x, 1, 4, 32, 8};
    tutti_matrix huge = {x, SIZE_MAX / 2, 4, 0, 0};
    tutti_array v = {x, 8}, still = {x, 0}, null = {NULL, 8};
    tutti_options options = TUTTI_OPTIONS_INIT;
    told(tutti_sum((tutti_type)99, x, m, NULL), TUTTI_EARG,
         "tutti_sum: type 99");
    told(tutti_sum(TUTTI_F64, NULL, m, NULL), TUTTI_EARG, "result is NULL");
    told(tutti_sum(TUTTI_F64, x, none, NULL), TUTTI_EARG, "x is NULL, 2 x 2");
    told(tutti_sum(TUTTI_F64, x, huge, NULL), TUTTI_EARG, "too many");
    told(tutti_dot(TUTTI_F64, NULL, v, v, 4, NULL), TUTTI_EARG,
         "result is NULL");
    told(tutti_dot(TUTTI_F64, x, v, null, 4, NULL), TUTTI_EARG, "b is NULL");
    told(tutti_matvec(TUTTI_F64, null, m, v, NULL), TUTTI_EARG, "y is NULL");
    told(tutti_matvec(TUTTI_F64, still, m, v, NULL), TUTTI_EARG,
         "y has a stride of 0");
    told(tutti_multiply(TUTTI_F64, one, m, m, NULL), TUTTI_EARG,
         "tutti_multiply: out has a stride of 0");
    told(tutti_add(TUTTI_F64, m, m, wide, NULL), TUTTI_EARG,
         "b has 1 x 4 elements, a has 2 x 2");
    options.on = "processes";
    told(tutti_add(TUTTI_F64, m, m, m, &options), TUTTI_EPLACE,
         "other processes do not see");
    options.on = "nowhere";
    told(tutti_add(TUTTI_F64, m, m, m, &options), TUTTI_EARG, "nowhere");
}

static int stop(void *arg, size_t done, size_t n)
{
    (void)arg, (void)done, (void)n;
    return 1;
}

static void a_cancelled_sum_is_not_written(void **state)
{
    (void)state;
    double x = 1, sum = 7;
    tutti_matrix m = {&x, 1, (size_t)1 << 34, 0, 0};
    tutti_options options = TUTTI_OPTIONS_INIT;
    options.progress = stop;
    assert_int_equal(tutti_sum(TUTTI_F64, &sum, m, &options), TUTTI_ECANCEL);
    assert_true(sum == 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_in_order),
        cmocka_unit_test(products_are_in_order),
        cmocka_unit_test(long_rows_are_in_order),
        cmocka_unit_test(far_matrices_are_in_order),
        cmocka_unit_test(pairs_are_right),
        cmocka_unit_test(large_products_are_right),
        cmocka_unit_test(overlaps_are_as_if_apart),
        cmocka_unit_test(nothing_is_no_failure),
        cmocka_unit_test(bad_arguments_are_told),
        cmocka_unit_test(a_cancelled_sum_is_not_written),
    };
    stream = tt_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
