/* Results only: map and reduce give what a plain loop gives. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "conformance.h"

#define N 20011

static int square(const void *item, void *result, void *context)
{
    int64_t x;
    (void)context;
    memcpy(&x, item, sizeof x);
    x = x * x + 1;
    memcpy(result, &x, sizeof x);
    return 0;
}

/* Items of |in| bytes, results of |out|; negative: from the last on. */
static void check_map(ptrdiff_t in, ptrdiff_t out, size_t n)
{
    size_t in_size = in ? (size_t)labs(in) : 8, out_size = (size_t)labs(out);
    char *x = malloc(in_size * n + 8), *y = calloc(n, out_size);
    assert_true(x && y);
    for (size_t i = 0; i < n; i++)
        memcpy(x + (in ? in_size * i : 0), &(int64_t){(int64_t)i - 99}, 8);
    char *x0 = in < 0 ? x + in_size * (n - 1) : x;
    char *y0 = out < 0 ? y + out_size * (n - 1) : y;
    tutti_options options = conform_options();
    options.item_size = in ? 0 : in_size;
    assert_int_equal(tutti_map(square, (tutti_array){x0, in},
                               (tutti_array){y0, out}, n, NULL, 0, &options),
                     TUTTI_OK);
    for (size_t i = 0; i < n; i++) {
        int64_t want, got;
        square(x0 + (ptrdiff_t)i * in, &want, NULL);
        memcpy(&got, y0 + (ptrdiff_t)i * out, 8);
        if (got != want)
            fail_msg("strides %td, %td: result %zu is %lld, not %lld", in, out,
                     i, (long long)got, (long long)want);
    }
    free(x);
    free(y);
}

static void map_over_strides(void **state)
{
    (void)state;
    static const ptrdiff_t strides[] = {8, -8, 24, -24, 9};
    for (size_t i = 0; i < 5; i++)
        for (size_t k = 0; k < 5; k++)
            check_map(strides[i], strides[k], i == k ? N : 300);
    check_map(0, 8, N);
    check_map(65536, -65536, 50);
    check_map(8, 8, 1);
}

/* Concatenation: does not commute. */
struct text {
    size_t length;
    char bytes[2000];
};

static int write_range(void *partial, size_t begin, size_t end, void *context)
{
    struct text *text = partial;
    (void)context;
    for (; begin < end; begin++)
        text->bytes[text->length++] = (char)('a' + begin * begin % 23);
    return 0;
}

static void append(void *left, const void *right, void *context)
{
    struct text *l = left;
    const struct text *r = right;
    (void)context;
    memcpy(l->bytes + l->length, r->bytes, r->length);
    l->length += r->length;
}

static void reduce_keeps_the_order(void **state)
{
    (void)state;
    static const struct text empty = {0};
    const tutti_fold fold = {sizeof empty, &empty, write_range, append};
    static const size_t units[] = {0, 1, 3, 64, 5000};
    tutti_options options = conform_options();
    for (size_t n = 0; n < 1700; n = 3 * n + 1)
        for (size_t u = 0; u < 5; u++) {
            struct text want = {0}, got;
            write_range(&want, 0, n, NULL);
            assert_int_equal(
                tutti_reduce(&got, &fold, n, units[u], NULL, 0, &options),
                TUTTI_OK);
            assert_int_equal(got.length, n);
            assert_memory_equal(got.bytes, want.bytes, n);
        }
}

static int sum_range(void *partial, size_t begin, size_t end, void *context)
{
    (void)context;
    for (; begin < end; begin++)
        *(double *)partial += sin((double)begin) * 1e3 / (1.0 + (double)begin);
    return 0;
}

static void add(void *left, const void *right, void *context)
{
    (void)context;
    *(double *)left += *(const double *)right;
}

static void float_sums_have_the_same_bits(void **state)
{
    (void)state;
    static const double zero;
    const tutti_fold fold = {sizeof zero, &zero, sum_range, add};
    static const size_t units[] = {0, 1, 100, N};
    for (size_t u = 0; u < 4; u++) {
        double want, got;
        tutti_options options = TUTTI_OPTIONS_INIT;
        options.on = "serial";
        assert_int_equal(
            tutti_reduce(&want, &fold, N, units[u], NULL, 0, &options), 0);
        options.on = conform_on;
        for (options.workers = 0; options.workers <= 8; options.workers++) {
            assert_int_equal(
                tutti_reduce(&got, &fold, N, units[u], NULL, 0, &options), 0);
            assert_memory_equal(&got, &want, sizeof got);
        }
    }
}

CONFORM_PART(results) = {
    cmocka_unit_test(map_over_strides),
    cmocka_unit_test(reduce_keeps_the_order),
    cmocka_unit_test(float_sums_have_the_same_bits),
};
const size_t conform_results_count =
    sizeof conform_results / sizeof *conform_results;
