#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/builtin/dots.h"
#include "kernel/builtin/pairs.h"

/* The instruction sets that this CPU has. */
static const struct tt_dots *dots[] = {
    &tt_dots_plain,
#ifdef __x86_64__
    &tt_dots_avx2,
    &tt_dots_avx512,
#endif
};
static const struct tt_pairs *pairs[] = {
    &tt_pairs_plain,
#ifdef __x86_64__
    &tt_pairs_avx2,
    &tt_pairs_avx512,
#endif
};

#define EACH_ISA(isa) \
    for (enum tt_isa isa = TT_ISA_PLAIN; isa <= tt_isa(); isa++)
#define MOST 3000

/* The order, as sums.h says it. */
#define IN_LANES(name, type, count) \
    static type name(const type *a, const type *b, size_t n) \
    { \
        type lanes[count] = {0}; \
        for (size_t i = 0; i < n; i++) \
            lanes[i % count] += a[i] * b[i]; \
        for (size_t half = count / 2; half; half /= 2) \
            for (size_t l = 0; l < half; l++) \
                lanes[l] += lanes[l + half]; \
        return lanes[0]; \
    }

IN_LANES(lanes_f64, double, TT_SUM_LANES)
IN_LANES(lanes_f32, float, TT_SUM_LANES_F32)
IN_LANES(lanes_i64, uint64_t, 1)
IN_LANES(lanes_i32, uint32_t, 1)

static uint64_t random_at(size_t i)
{
    return (i + 1) * 0x9e3779b97f4a7c15u;
}

#define FILL(to, type, i, from) \
    ((to)[i] = (type)((type)(from) / (type)((from) % 7 + 1)))

#define TEST_DOTS(name, type) \
    static void name##_have_one_order(void **state) \
    { \
        (void)state; \
        static type a[MOST], b[MOST]; \
        for (size_t i = 0; i < MOST; i++) { \
            FILL(a, type, i, random_at(i)); \
            FILL(b, type, i, random_at(i + MOST)); \
        } \
        EACH_ISA(isa) \
        for (size_t n = 0; n < MOST; n += 1 + n / 7) { \
            type sum = dots[isa]->name(a, b, n); \
            type expected = lanes_##name(a, b, n); \
            assert_memory_equal(&sum, &expected, sizeof sum); \
        } \
    } \
    static void name##_by_columns_are_the_same(void **state) \
    { \
        (void)state; \
        static type a[MOST * 5], row[MOST], x[MOST]; \
        static const size_t rows[] = {1, 3, 5}; \
        for (size_t i = 0; i < MOST * 5; i++) \
            FILL(a, type, i, random_at(i)); \
        for (size_t i = 0; i < MOST; i++) \
            FILL(x, type, i, random_at(i + 5 * MOST)); \
        EACH_ISA(isa) \
        for (size_t n = 0; n < MOST; n += 1 + n / 3) \
            for (size_t k = 0; k < 3; k++) { \
                type sums[5]; \
                dots[isa]->columns_##name(sums, a, 5, x, rows[k], n); \
                for (size_t r = 0; r < rows[k]; r++) { \
                    for (size_t c = 0; c < n; c++) \
                        row[c] = a[c * 5 + r]; \
                    type expected = lanes_##name(row, x, n); \
                    assert_memory_equal(sums + r, &expected, sizeof expected); \
                } \
            } \
    }

TEST_DOTS(f64, double)
TEST_DOTS(f32, float)
TEST_DOTS(i64, uint64_t)
TEST_DOTS(i32, uint32_t)

/* Columns that come backwards; as many rows as go at once. */
static void columns_may_go_backwards(void **state)
{
    (void)state;
    static double a[40 * TT_DOT_ROWS], row[40], x[40];
    for (size_t i = 0; i < 40 * TT_DOT_ROWS; i++)
        FILL(a, double, i, random_at(i));
    for (size_t i = 0; i < 40; i++)
        FILL(x, double, i, random_at(i));
    EACH_ISA(isa)
    {
        double sums[TT_DOT_ROWS];
        dots[isa]->columns_f64(sums, a + 39 * TT_DOT_ROWS, -TT_DOT_ROWS, x,
                               TT_DOT_ROWS, 40);
        for (size_t r = 0; r < TT_DOT_ROWS; r++) {
            for (size_t c = 0; c < 40; c++)
                row[c] = a[(39 - c) * TT_DOT_ROWS + r];
            assert_true(sums[r] == lanes_f64(row, x, 40));
        }
    }
}

#define TEST_PAIRS(name, type) \
    static void name##_pairs_are_right(void **state) \
    { \
        (void)state; \
        static type a[300], b[300], out[300 + 16]; \
        for (size_t i = 0; i < 300; i++) { \
            FILL(a, type, i, random_at(i)); \
            FILL(b, type, i, random_at(i + 300)); \
        } \
        EACH_ISA(isa) \
        for (int past = 0; past < 2; past++) \
            for (size_t n = 0; n < 300; n += 1 + n / 3) \
                for (size_t at = 0; at < 16; at += 3) { \
                    memset(out, 77, sizeof out); \
                    type guard = out[0]; \
                    pairs[isa]->name[TT_PAIR_MULTIPLY](out + at, a, b, n, \
                                                       past); \
                    for (size_t i = 0; i < n; i++) \
                        assert_true(out[at + i] == a[i] * b[i]); \
                    assert_true(out[at + n] == guard); \
                    pairs[isa]->name[TT_PAIR_ADD](out + at, a, b, n, past); \
                    for (size_t i = 0; i < n; i++) \
                        assert_true(out[at + i] == a[i] + b[i]); \
                    assert_true(out[at + n] == guard); \
                    memcpy(out, a, sizeof a); \
                    pairs[isa]->name[TT_PAIR_ADD](out, out, out, n, past); \
                    for (size_t i = 0; i < n; i++) \
                        assert_true(out[i] == a[i] + a[i]); \
                } \
    }

TEST_PAIRS(f64, double)
TEST_PAIRS(f32, float)
TEST_PAIRS(i64, uint64_t)
TEST_PAIRS(i32, uint32_t)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(f64_have_one_order),
        cmocka_unit_test(f32_have_one_order),
        cmocka_unit_test(i64_have_one_order),
        cmocka_unit_test(i32_have_one_order),
        cmocka_unit_test(f64_by_columns_are_the_same),
        cmocka_unit_test(f32_by_columns_are_the_same),
        cmocka_unit_test(i64_by_columns_are_the_same),
        cmocka_unit_test(i32_by_columns_are_the_same),
        cmocka_unit_test(columns_may_go_backwards),
        cmocka_unit_test(f64_pairs_are_right),
        cmocka_unit_test(f32_pairs_are_right),
        cmocka_unit_test(i64_pairs_are_right),
        cmocka_unit_test(i32_pairs_are_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
