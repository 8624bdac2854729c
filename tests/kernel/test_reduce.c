/* Reductions of kernels, for-each, functions that are compiled already. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <tutti/kernel.h>

#include "scratch.h"

#define MANY 200003

static tutti_kernel *must_make(const char *text)
{
    tutti_kernel *k = NULL;
    if (tutti_kernel_text(&k, text, NULL) != TUTTI_OK)
        fail_msg("%s", tutti_detail());
    return k;
}

static void said(const char *text)
{
    if (!strstr(tutti_detail(), text))
        fail_msg("expected: %s\ngot: %s", text, tutti_detail());
}

/* The order that tutti/kernel.h promises, written down once more. */
static double sum_all(const double *y, size_t n, size_t unit)
{
    size_t blocks = (n + unit - 1) / unit;
    double(*lane)[32] = calloc(blocks, sizeof *lane), sum;
    for (size_t i = 0; i < n; i++)
        lane[i / unit][i % unit % 32] += y[i];
    for (size_t step = 1; step < blocks; step *= 2)
        for (size_t i = 0; i + step < blocks; i += 2 * step)
            for (size_t l = 0; l < 32; l++)
                lane[i][l] += lane[i + step][l];
    for (size_t half = 16; half; half /= 2)
        for (size_t l = 0; l < half; l++)
            lane[0][l] += lane[0][l + half];
    sum = lane[0][0];
    free(lane);
    return sum;
}

static void sums_in_the_promised_order(void **state)
{
    static const char *const places[] = {"serial", "threads:2", "threads:5",
                                         "auto", "processes:2"};
    static double x[MANY], y[MANY];
    (void)state;
    tutti_kernel *k = must_make("double f(double x) { return x * x - 0.3; }");
    for (size_t i = 0; i < MANY; i++) {
        x[i] = (double)(int64_t)(i * 2654435761u % 1000003) / 7 - 60000;
        y[i] = x[i] * x[i] - 0.3;
    }
    size_t counts[] = {1, 31, 2048, 5000, 65536, 65537, MANY};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
        for (size_t p = 0; p < 5; p++) {
            tutti_options options = TUTTI_OPTIONS_INIT;
            double sum = 0, plain = 0, wanted = sum_all(y, counts[c], 512);
            options.on = places[p];
            assert_int_equal(tutti_kernel_reduce(k, &sum, TUTTI_OP_SUM, 0, x, 1,
                                                 counts[c], 0, &options),
                             TUTTI_OK);
            assert_memory_equal(&sum, &wanted, sizeof sum);
            assert_int_equal(tutti_kernel_reduce(NULL, &plain, TUTTI_OP_SUM,
                                                 TUTTI_F64, y, 1, counts[c], 0,
                                                 &options),
                             TUTTI_OK);
            assert_memory_equal(&plain, &wanted, sizeof plain);
            assert_int_equal(tutti_kernel_reduce(k, &sum, TUTTI_OP_SUM, 0, x, 1,
                                                 counts[c], 1024, &options),
                             TUTTI_OK);
            wanted = sum_all(y, counts[c], 1024);
            assert_memory_equal(&sum, &wanted, sizeof sum);
        }
    tutti_kernel_close(k);
}

/* Whoever folds blocks by itself gets the same bits. */
static void folds_blocks_one_by_one(void **state)
{
    enum { N = 5000, UNIT = 512, BLOCKS = (N + UNIT - 1) / UNIT };
    static double x[N], lanes[BLOCKS][32];
    double one, other;
    (void)state;
    tutti_kernel *k = must_make("double f(double x) { return x / 3; }");
    for (int i = 0; i < N; i++)
        x[i] = i * 0.7 - 1000;
    for (size_t b = 0; b < BLOCKS; b++) {
        size_t n = b + 1 < BLOCKS ? UNIT : N - b * UNIT;
        assert_int_equal(
            tutti_kernel_fold(k, lanes[b], TUTTI_OP_SUM, x + b * UNIT, 1, n),
            TUTTI_OK);
    }
    assert_int_equal(tutti_kernel_reduce(NULL, &one, TUTTI_OP_SUM, TUTTI_F64,
                                         lanes, 1, BLOCKS * 32, 32, NULL),
                     TUTTI_OK);
    assert_int_equal(
        tutti_kernel_reduce(k, &other, TUTTI_OP_SUM, 0, x, 1, N, UNIT, NULL),
        TUTTI_OK);
    assert_memory_equal(&one, &other, sizeof one);
    assert_int_equal(tutti_kernel_fold(k, NULL, TUTTI_OP_SUM, x, 1, 5),
                     TUTTI_EARG);
    said("an array is NULL");
    assert_int_equal(tutti_kernel_fold(k, lanes, 0, x, 1, 5), TUTTI_EARG);
    said("no such operation");
    tutti_kernel_close(k);
}

static int cancel(void *arg, size_t done, size_t n)
{
    (void)arg, (void)done, (void)n;
    return 1;
}

static size_t fold_slowly(void *kernel, size_t begin, size_t end,
                          unsigned worker)
{
    static double x[2048];
    double lanes[32] = {-1};
    tutti_status status =
        tutti_kernel_fold(kernel, lanes, TUTTI_OP_SUM, x, 1, 2048);
    (void)worker;
    return status == TUTTI_ECANCEL && lanes[0] == -1 ? begin : end;
}

static void a_fold_is_never_half_of_one(void **state)
{
    (void)state;
    tutti_options options = TUTTI_OPTIONS_INIT;
    tutti_kernel *k = must_make("#include <unistd.h>\n"
                                "double f(double x) { usleep(500); "
                                "return x + 1; }");
    tutti_loop loop = {.n = 1, .body = fold_slowly, .context = k};
    options.on = "serial";
    options.progress = cancel;
    assert_int_equal(tutti_loop_run(&loop, &options), TUTTI_ECANCEL);
    tutti_kernel_close(k);
}

static size_t calls;

static double slow(double x)
{
    usleep(500);
    calls++;
    return x;
}

static void a_block_ends_at_the_deadline(void **state)
{
    (void)state;
    tutti_options options = TUTTI_OPTIONS_INIT;
    tutti_kernel *k;
    double sum = -1;
    options.on = "serial";
    options.deadline = 0.05;
    assert_int_equal(
        tutti_kernel_native(&k, (void (*)(void))slow, "double (double)", NULL),
        TUTTI_OK);
    assert_int_equal(tutti_kernel_reduce_range(k, &sum, TUTTI_OP_SUM, 0, 1,
                                               60000, 65536, &options),
                     TUTTI_ETIME);
    assert_true(sum == -1 && calls < 60000);
    tutti_kernel_close(k);
}

/* All operations on all types, over 0 .. n-1 less 3 where that can be. */
static void reduces_all_types(void **state)
{
    static const struct {
        const char *type;
        int64_t first;
    } rows[] = {[TUTTI_F64] = {"double", -3},  [TUTTI_F32] = {"float", -3},
                [TUTTI_I64] = {"int64_t", -3}, [TUTTI_I32] = {"int32_t", -3},
                [TUTTI_U64] = {"uint64_t", 3}, [TUTTI_U32] = {"uint32_t", 3}};
    (void)state;
    for (tutti_type type = TUTTI_F64; type <= TUTTI_U32; type++) {
        char text[200];
        union {
            double f64;
            float f32;
            int64_t i64;
            int32_t i32;
        } v[5];
        int64_t first = rows[type].first, last = first + 99;
        snprintf(text, sizeof text, "%s f(%s x) { return x; }", rows[type].type,
                 rows[type].type);
        tutti_kernel *k = must_make(text);
        for (tutti_op op = TUTTI_OP_SUM; op <= TUTTI_OP_MAX; op++)
            assert_int_equal(tutti_kernel_reduce_range(
                                 k, &v[op], op, first, 1,
                                 op == TUTTI_OP_PROD ? 2 : 100, 0, NULL),
                             TUTTI_OK);
        int64_t got[5], wanted[5] = {0, (first + last) * 50,
                                     first * (first + 1), first, last};
        for (int i = 1; i < 5; i++) {
            got[i] = type == TUTTI_F64   ? (int64_t)v[i].f64
                     : type == TUTTI_F32 ? (int64_t)v[i].f32
                     : type == TUTTI_I64 || type == TUTTI_U64 ? v[i].i64
                                                              : v[i].i32;
            assert_true(got[i] == wanted[i]);
        }
        tutti_kernel_close(k);
    }
}

static void wraps_and_spreads_nan(void **state)
{
    uint64_t large[] = {UINT64_MAX, 3, UINT64_MAX - 1}, whole;
    int32_t small[] = {INT32_MAX, 2, INT32_MIN}, half;
    double real[40], value;
    (void)state;
    assert_int_equal(tutti_kernel_reduce(NULL, &whole, TUTTI_OP_SUM, TUTTI_U64,
                                         large, 1, 3, 0, NULL),
                     TUTTI_OK);
    assert_true(whole == 0);
    assert_int_equal(tutti_kernel_reduce(NULL, &whole, TUTTI_OP_MAX, TUTTI_U64,
                                         large, 1, 3, 0, NULL),
                     TUTTI_OK);
    assert_true(whole == UINT64_MAX);
    assert_int_equal(tutti_kernel_reduce(NULL, &half, TUTTI_OP_PROD, TUTTI_I32,
                                         small, 1, 2, 0, NULL),
                     TUTTI_OK);
    assert_true(half == -2);
    assert_int_equal(tutti_kernel_reduce(NULL, &half, TUTTI_OP_MIN, TUTTI_I32,
                                         small, 1, 3, 0, NULL),
                     TUTTI_OK);
    assert_true(half == INT32_MIN);
    for (int at = 0; at < 40; at++) {
        for (int i = 0; i < 40; i++)
            real[i] = i == at ? (double)NAN : i;
        for (tutti_op op = TUTTI_OP_MIN; op <= TUTTI_OP_MAX; op++) {
            assert_int_equal(tutti_kernel_reduce(NULL, &value, op, TUTTI_F64,
                                                 real, 1, 40, 0, NULL),
                             TUTTI_OK);
            assert_true(isnan(value));
        }
    }
}

static void refuses_reductions(void **state)
{
    double x[4] = {1, 2, 3, 4}, y = 7;
    (void)state;
    tutti_kernel *rows = must_make(
        "void f(const double *row, int n, double *out) { *out = *row; }");
    assert_int_equal(
        tutti_kernel_reduce(rows, &y, TUTTI_OP_SUM, 0, x, 2, 2, 0, NULL),
        TUTTI_EARG);
    said("gives rows");
    assert_int_equal(tutti_kernel_reduce(NULL, &y, TUTTI_OP_MIN, TUTTI_F64, x,
                                         1, 0, 0, NULL),
                     TUTTI_EARG);
    said("the min of no values");
    assert_int_equal(
        tutti_kernel_reduce(NULL, &y, 9, TUTTI_F64, x, 1, 4, 0, NULL),
        TUTTI_EARG);
    said("no such operation");
    assert_int_equal(
        tutti_kernel_reduce(NULL, &y, TUTTI_OP_SUM, 0, x, 1, 4, 0, NULL),
        TUTTI_EARG);
    said("no such type");
    assert_int_equal(tutti_kernel_reduce(NULL, &y, TUTTI_OP_SUM, TUTTI_F64, x,
                                         1, 4, 100, NULL),
                     TUTTI_EARG);
    said("a multiple of 512, or 32");
    assert_int_equal(tutti_kernel_reduce(NULL, &y, TUTTI_OP_SUM, TUTTI_F64,
                                         NULL, 1, 4, 0, NULL),
                     TUTTI_EARG);
    said("no array of items");
    assert_true(y == 7);
    assert_int_equal(tutti_kernel_reduce(NULL, &y, TUTTI_OP_SUM, TUTTI_F64,
                                         NULL, 1, 0, 0, NULL),
                     TUTTI_OK);
    assert_true(y == 0);
    tutti_kernel_close(rows);
}

/* Points come a coordinate after the other, at most 512 of them. */
static void maps_points(void **state)
{
    enum { N = 1500 };
    static double x[N * 3], y[N];
    static float wide[2 * 20000], sums[2];
    (void)state;
    tutti_kernel *k = must_make(
        ""
        "void f(int n, size_t m, const double *x, double *out) {\n"
        "    for (size_t i = 0; i < m; i++) {\n"
        "        out[i] = m > 512;\n"
        "        for (int d = 0; d < n; d++) out[i] += x[d * m + i] * (d + 1);"
        "\n}}");
    for (int i = 0; i < N * 3; i++)
        x[i] = i;
    assert_int_equal(tutti_kernel_map(k, y, 1, x, 3, N, NULL), TUTTI_OK);
    for (int i = 0; i < N; i++)
        assert_true(y[i] == 18 * i + 8);
    assert_int_equal(tutti_kernel_map(k, y, 2, x, 3, N, NULL), TUTTI_EARG);
    tutti_kernel_close(k);
    k = must_make(
        "void f(int n, size_t m, const float *x, float *out) {\n"
        "    for (size_t i = 0; i < m; i++) {\n"
        "        out[i] = 0;\n"
        "        for (int d = 0; d < n; d++) out[i] += x[d * m + i]; }}");
    for (int i = 0; i < 2 * 20000; i++)
        wide[i] = i < 20000 ? 1 : 2;
    assert_int_equal(tutti_kernel_map(k, sums, 1, wide, 20000, 2, NULL),
                     TUTTI_OK);
    assert_true(sums[0] == 20000 && sums[1] == 40000);
    tutti_kernel_close(k);
}

static void turns_points_of_any_width(void **state)
{
    enum { N = 1100, MOST = 6 };
    static const char *const types[] = {"double", "float"};
    static double x[N * MOST], y[N];
    static float narrow[N * MOST], z[N];
    char text[300];
    (void)state;
    for (int i = 0; i < N * MOST; i++)
        narrow[i] = (float)(x[i] = i);
    for (int t = 0; t < 2; t++) {
        snprintf(text, sizeof text,
                 "void f(int n, size_t m, const %s *x, %s *out) {\n"
                 "    for (size_t i = 0; i < m; i++) {\n"
                 "        out[i] = 0;\n"
                 "        for (int d = 0; d < n; d++)\n"
                 "            out[i] += x[d * m + i] * (d + 1); }}",
                 types[t], types[t]);
        tutti_kernel *k = must_make(text);
        for (int width = 1; width <= MOST; width++) {
            assert_int_equal(tutti_kernel_map(k, t ? (void *)z : (void *)y, 1,
                                              t ? (void *)narrow : (void *)x,
                                              (size_t)width, N, NULL),
                             TUTTI_OK);
            for (int i = 0; i < N; i++) {
                double sum = 0;
                for (int d = 0; d < width; d++)
                    sum += (i * width + d) * (d + 1);
                assert_true((t ? (double)z[i] : y[i]) == sum);
            }
        }
        tutti_kernel_close(k);
    }
}

static void runs_for_each_index(void **state)
{
    enum { N = 5000 };
    static double x[N], y[N];
    double a = 3;
    const void *arguments[] = {&a, x, y};
    tutti_options options = TUTTI_OPTIONS_INIT;
    (void)state;
    tutti_kernel *k =
        must_make(""
                  "void f(size_t i, double a, const double *x, double *y)\n"
                  "{ y[i] = a * x[i] + y[i]; }");
    for (int i = 0; i < N; i++)
        x[i] = y[i] = i;
    options.on = "threads:3";
    assert_int_equal(tutti_kernel_for(k, N, arguments, 3, &options), TUTTI_OK);
    for (int i = 0; i < N; i++)
        assert_true(y[i] == 4 * i);
    assert_int_equal(tutti_kernel_for(k, N, arguments, 2, NULL), TUTTI_EARG);
    said("2 arguments after i, 3 expected");
    assert_int_equal(tutti_kernel_for(k, N, NULL, 3, NULL), TUTTI_EARG);
    said("argument 1 is NULL");
    options.on = "processes";
    assert_int_equal(tutti_kernel_for(k, N, arguments, 3, &options),
                     TUTTI_EPLACE);
    said("arrays of this process");
    arguments[1] = NULL;
    assert_int_equal(tutti_kernel_for(k, N, arguments, 3, NULL), TUTTI_EARG);
    said("argument 2 is NULL");
    assert_int_equal(tutti_kernel_map(k, y, 1, x, 1, N, NULL), TUTTI_EARG);
    said("no result to map to");
    tutti_kernel_close(k);
    /* The block form is one, too. */
    k = must_make("void f(size_t i, const int *x, int *y)\n"
                  "{ y[i] = x[i] + 1; }");
    int one[3] = {1, 2, 3}, two[3];
    assert_int_equal(
        tutti_kernel_for(k, 3, (const void *[]){one, two}, 2, NULL), TUTTI_OK);
    assert_true(two[0] == 2 && two[1] == 3 && two[2] == 4);
    tutti_kernel_close(k);
}

static double scaled(int n, double *row, void *user)
{
    return row[0] * *(double *)user + n;
}

static double shifted(double x, void *user)
{
    return x + *(double *)user;
}

static uint32_t negated(uint32_t x)
{
    return ~x;
}

static void set(size_t i, double a, double *y)
{
    y[i] = a * (double)i;
}

#define NATIVE(f) ((void (*)(void))(f))

static void takes_functions_as_they_are(void **state)
{
    double by = 10, x[] = {1, 2, 3, 4}, y[2];
    uint32_t bits[] = {0, UINT32_MAX, 5}, flipped[3];
    tutti_kernel *k;
    tutti_kernel_info info;
    tutti_options options = TUTTI_OPTIONS_INIT;
    (void)state;
    assert_int_equal(tutti_kernel_native(&k, NATIVE(scaled),
                                         "double (int, double *, void *)", &by),
                     TUTTI_OK);
    tutti_kernel_describe(k, &info);
    assert_string_equal(info.signature,
                        "double f(int n, double *row, void *user)");
    assert_int_equal(tutti_kernel_map(k, y, 1, x, 2, 2, NULL), TUTTI_OK);
    assert_true(y[0] == 12 && y[1] == 32);
    options.on = "processes:2";
    assert_int_equal(tutti_kernel_map(k, y, 1, x, 2, 2, &options),
                     TUTTI_EPLACE);
    said("user pointer");
    tutti_kernel_close(k);
    assert_int_equal(tutti_kernel_native(&k, NATIVE(shifted),
                                         "double(*)(double x, void *user)",
                                         &by),
                     TUTTI_OK);
    assert_int_equal(tutti_kernel_map(k, y, 1, x, 1, 2, NULL), TUTTI_OK);
    assert_true(y[0] == 11 && y[1] == 12);
    tutti_kernel_close(k);
    assert_int_equal(tutti_kernel_native(&k, NATIVE(negated),
                                         "unsigned negated(unsigned)", NULL),
                     TUTTI_OK);
    tutti_kernel_describe(k, &info);
    assert_string_equal(info.name, "negated");
    assert_int_equal(tutti_kernel_map(k, flipped, 1, bits, 1, 3, NULL),
                     TUTTI_OK);
    assert_true(flipped[0] == UINT32_MAX && flipped[1] == 0);
    tutti_kernel_close(k);
    assert_int_equal(tutti_kernel_native(&k, NATIVE(set),
                                         "void (size_t, double, double *)",
                                         NULL),
                     TUTTI_OK);
    assert_int_equal(tutti_kernel_for(k, 2, (const void *[]){&by, y}, 2, NULL),
                     TUTTI_OK);
    assert_true(y[0] == 0 && y[1] == 10);
    tutti_kernel_close(k);
}

static void refuses_false_signatures(void **state)
{
    static const char *const bad[] = {"",          "double", "double (short)",
                                      "double (*", "*",      "(double)"};
    tutti_kernel *k = NULL;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(tutti_kernel_native(&k, NATIVE(negated), bad[i], NULL),
                         TUTTI_EARG);
    assert_int_equal(tutti_kernel_native(&k, NULL, "int (int)", NULL),
                     TUTTI_EARG);
    said("a function is needed");
    assert_null(k);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_open, scratch_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sums_in_the_promised_order),
        TEST(folds_blocks_one_by_one),
        TEST(a_fold_is_never_half_of_one),
        TEST(a_block_ends_at_the_deadline),
        TEST(reduces_all_types),
        cmocka_unit_test(wraps_and_spreads_nan),
        TEST(refuses_reductions),
        TEST(maps_points),
        TEST(turns_points_of_any_width),
        TEST(runs_for_each_index),
        TEST(takes_functions_as_they_are),
        cmocka_unit_test(refuses_false_signatures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
