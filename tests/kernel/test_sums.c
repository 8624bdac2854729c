#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kernel/builtin/sums.h"

/* The instruction sets that this CPU has. */
static const struct tt_sums *tables[] = {
    &tt_sums_plain,
#ifdef __x86_64__
    &tt_sums_avx2,
    &tt_sums_avx512,
#endif
};

/* The order, as sums.h says it. */
static double sum_in_lanes(const double *x, size_t n)
{
    double lanes[TT_SUM_LANES] = {0};
    for (size_t i = 0; i < n; i++)
        lanes[i % TT_SUM_LANES] += x[i];
    for (size_t half = TT_SUM_LANES / 2; half; half /= 2)
        for (size_t l = 0; l < half; l++)
            lanes[l] += lanes[l + half];
    return lanes[0];
}

static void sums_have_one_order(void **state)
{
    (void)state;
    static double x[5000];
    for (size_t i = 0; i < 5000; i++)
        x[i] = (double)(i * 2654435761u % 1000003) / 3;
    for (enum tt_isa isa = TT_ISA_PLAIN; isa <= tt_isa(); isa++)
        for (size_t n = 0; n < 5000; n += 1 + n / 7)
            assert_true(tables[isa]->f64(x, n) == sum_in_lanes(x, n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_have_one_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
