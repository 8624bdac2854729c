#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/builtin/moments.h"

#define MOST 5000

static const struct tt_spread *tables[] = {
    &tt_spread_plain,
#ifdef __x86_64__
    &tt_spread_avx2,
    &tt_spread_avx512,
#endif
};

static double y[MOST], w[MOST];

static int fill(void **state)
{
    (void)state;
    for (size_t i = 0; i < MOST; i++) {
        y[i] = 1e6 + (double)(i * 2654435761u % 1000003) / 3e5;
        w[i] = (double)((i + 1) * 40503u % 1009) / 1009;
    }
    return 0;
}

static struct tt_moments moments(const struct tt_spread *s, bool weighted,
                                 size_t n, size_t chunk)
{
    struct tt_tally t;
    struct tt_moments m;
    s->begin(&t, y, n < chunk ? n : chunk);
    for (size_t i = 0; i < n; i += chunk) {
        size_t now = n - i < chunk ? n - i : chunk;
        if (weighted)
            s->add_weighted(&t, w + i, y + i, now);
        else
            s->add(&t, y + i, now);
    }
    s->end(&m, &t, weighted ? 0 : (double)n);
    return m;
}

/* In long double, two passes. */
static struct tt_moments exact(bool weighted, size_t n)
{
    long double weight = 0, sum = 0, m2 = 0;
    for (size_t i = 0; i < n; i++) {
        weight += weighted ? w[i] : 1;
        sum += (weighted ? w[i] : 1) * (long double)y[i];
    }
    for (size_t i = 0; i < n; i++)
        m2 += (weighted ? w[i] : 1) * (y[i] - sum / weight) *
              (y[i] - sum / weight);
    return (struct tt_moments){(double)weight, (double)(sum / weight),
                               (double)m2};
}

static void assert_near(double a, double b, double part)
{
    assert_true(a - b <= part * b && b - a <= part * b);
}

static void moments_are_right(void **state)
{
    (void)state;
    for (int weighted = 0; weighted < 2; weighted++)
        for (size_t n = 2; n < MOST; n += 1 + n / 7) {
            struct tt_moments m = moments(tt_spread(), weighted, n, 128);
            struct tt_moments e = exact(weighted, n);
            assert_near(m.weight, e.weight, 1e-14);
            assert_near(m.mean, e.mean, 4e-15);
            assert_near(m.m2, e.m2, 1e-9);
        }
}

/* Neither the instruction set nor how they come changes a bit. */
static void moments_have_one_order(void **state)
{
    (void)state;
    for (enum tt_isa isa = TT_ISA_PLAIN; isa <= tt_isa(); isa++)
        for (int weighted = 0; weighted < 2; weighted++)
            for (size_t n = 1; n < MOST; n += 1 + n / 7)
                for (size_t chunk = 128; chunk <= 1024; chunk *= 2) {
                    struct tt_moments a =
                        moments(tables[isa], weighted, n, chunk);
                    struct tt_moments b = moments(tables[0], weighted, n, 128);
                    assert_memory_equal(&a, &b, sizeof a);
                }
}

static void joined_is_whole(void **state)
{
    (void)state;
    struct tt_moments left = {0, 0, 0}, part;
    struct tt_tally t;
    for (size_t i = 0; i < MOST; i += 100) {
        tt_spread()->begin(&t, y + i, 100);
        tt_spread()->add(&t, y + i, 100);
        tt_spread()->end(&part, &t, 100);
        tt_spread()->join(&left, &part);
    }
    struct tt_moments none = {0, 0, 0}, e = exact(false, MOST);
    tt_spread()->join(&left, &none);
    assert_near(left.weight, e.weight, 0);
    assert_near(left.mean, e.mean, 1e-14);
    assert_near(left.m2, e.m2, 1e-9);
}

static void equal_numbers_have_no_spread(void **state)
{
    struct tt_tally t;
    struct tt_moments m;
    double c[100];
    (void)state;
    for (int i = 0; i < 100; i++)
        c[i] = 0.1;
    tt_spread()->begin(&t, c, 100);
    tt_spread()->add(&t, c, 100);
    tt_spread()->end(&m, &t, 100);
    assert_true(m.mean == 0.1 && m.m2 == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments_are_right),
        cmocka_unit_test(moments_have_one_order),
        cmocka_unit_test(joined_is_whole),
        cmocka_unit_test(equal_numbers_have_no_spread),
    };
    return cmocka_run_group_tests(tests, fill, NULL);
}
