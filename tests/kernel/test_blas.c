/* Products of floats by a BLAS that the process has loaded: test_blas LIBRARY
 * used|unused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <dlfcn.h>
#include <pthread.h>

#include <cmocka.h>
#include <tutti.h>
#include <tutti/linalg.h>

#include "kernel/builtin/isa.h"

enum { M = 150, K = 40, N = 30, ALL = 4 };

static int (*calls)(void), (*crowded)(void), (*held)(void);
static bool used;

static double at(const tutti_matrix *m, size_t i, size_t j)
{
    return *(const double *)((const char *)m->data +
                             (ptrdiff_t)i * m->row_stride +
                             (ptrdiff_t)j * m->column_stride);
}

static tutti_matrix by_rows(void *data, size_t rows, size_t columns)
{
    return (tutti_matrix){data, rows, columns, (ptrdiff_t)(columns * 8), 8};
}

static tutti_matrix by_columns(void *data, size_t rows, size_t columns)
{
    return (tutti_matrix){data, rows, columns, 8, (ptrdiff_t)(rows * 8)};
}

static void multiply(tutti_matrix c, tutti_matrix a, tutti_matrix b)
{
    tutti_options options = TUTTI_OPTIONS_INIT;
    options.on = "threads:2";
    assert_int_equal(tutti_matmul(TUTTI_F64, c, a, b, &options), TUTTI_OK);
    for (size_t i = 0; i < M; i++)
        for (size_t j = 0; j < N; j++) {
            double sum = 0;
            for (size_t k = 0; k < K; k++)
                sum += at(&a, i, k) * at(&b, k, j);
            assert_true(at(&c, i, j) == sum);
        }
}

static double x[M * K], y[K * N], z[3][M * N];

static void any_order(void **state)
{
    (void)state;
    int before = calls();
    for (int way = 0; way < 8; way++)
        multiply((way & 1 ? by_rows : by_columns)(z[0], M, N),
                 (way & 2 ? by_rows : by_columns)(x, M, K),
                 (way & 4 ? by_rows : by_columns)(y, K, N));
    assert_int_equal(calls() > before, used);
    assert_int_equal(crowded(), 0);
    assert_int_equal(held(), ALL);
}

static void floats(void **state)
{
    (void)state;
    static float a[K * K], c[K * K];
    for (size_t i = 0; i < K * K; i++)
        a[i] = (float)(i % 7);
    tutti_matrix m = {a, K, K, K * 4, 4}, result = {c, K, K, K * 4, 4};
    assert_int_equal(tutti_matmul(TUTTI_F32, result, m, m, NULL), TUTTI_OK);
    float sum = 0;
    for (size_t k = 0; k < K; k++)
        sum += a[k] * a[k * K];
    assert_true(c[0] == sum);
}

/* What a BLAS cannot take is left to our own kernel. */
static void strides_of_ours(void **state)
{
    (void)state;
    int before = calls();
    tutti_matrix turned = by_rows(x, M, K);
    turned.data = x + (M - 1) * K;
    turned.row_stride = -turned.row_stride;
    multiply(by_rows(z[0], M, N), turned, by_rows(y, K, N));
    turned.row_stride = 0;
    multiply(by_rows(z[0], M, N), turned, by_rows(y, K, N));
    assert_int_equal(calls(), before);
}

static void *multiply_often(void *to)
{
    for (int i = 0; i < 50; i++)
        multiply(by_rows(to, M, N), by_rows(x, M, K), by_rows(y, K, N));
    return NULL;
}

static void from_several_threads(void **state)
{
    (void)state;
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, multiply_often, z[i]), 0);
    pid_t child = fork();
    if (child == 0) {
        alarm(20); /* a lock that a dead thread held would hang */
        multiply_often(z[0]);
        _exit(0);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(crowded(), 0);
    assert_int_equal(held(), ALL);
}

static void find(void *library, const char *name, void *function)
{
    void *symbol = dlsym(library, name);
    if (symbol == NULL)
        fail_msg("%s", name);
    memcpy(function, &symbol, sizeof symbol);
}

int main(int n, char **args)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_order),
        cmocka_unit_test(floats),
        cmocka_unit_test(strides_of_ours),
        cmocka_unit_test(from_several_threads),
    };
    void *library = n == 3 ? dlopen(args[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    if (!library)
        return 2;
    find(library, "fake_calls", &calls);
    find(library, "fake_crowded", &crowded);
    find(library, "fake_threads", &held);
    used = !strcmp(args[2], "used") || tt_isa() == TT_ISA_PLAIN;
    for (size_t i = 0; i < M * K; i++)
        x[i] = (double)(i % 11);
    for (size_t i = 0; i < K * N; i++)
        y[i] = (double)(i % 13);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
