/* The kernels in examples/, against NumPy's numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <tutti/kernel.h>

#include "scratch.h"

static void must_open(tutti_kernel **out, const char *text)
{
    if (tutti_kernel_open(out, text, NULL) != TUTTI_OK)
        fail_msg("%s", tutti_detail());
}

static void norm_gives_lengths(void **state)
{
    tutti_kernel *k;
    double rows[] = {3, 4, 0, 5, 12, 0, 2, 3, 6}, out[3];
    (void)state;
    must_open(&k, EXAMPLES "/norm.c:norm");
    assert_int_equal(tutti_kernel_map(k, out, 1, rows, 3, 3, NULL), TUTTI_OK);
    tutti_kernel_close(k);
    assert_true(out[0] == 5 && out[1] == 13 && out[2] == 7);
}

/* np.random.seed(seed); np.random.randint(0, 10) ** 2, by NumPy 1.24. The
 * seeds from 641 to 56177 take nine numbers and more. */
static const struct {
    int64_t seed, square;
} known[] = {
    {0, 25},          {1, 25},          {2, 64},          {3, 64},
    {4, 49},          {5, 9},           {42, 36},         {123, 4},
    {1234, 9},        {12345, 4},       {641, 64},        {9586, 64},
    {21976, 36},      {54459, 16},      {56177, 4},       {9999999, 25},
    {2147483647, 81}, {2147483648, 16}, {4294967294, 64}, {4294967295, 9},
};
#define KNOWN (sizeof known / sizeof *known)

/* The Mersenne Twister as Matsumoto and Nishimura describe it. */
static int64_t slow_square(uint32_t seed)
{
    uint32_t mt[624];
    mt[0] = seed;
    for (uint32_t i = 1; i < 624; i++)
        mt[i] = 1812433253u * (mt[i - 1] ^ mt[i - 1] >> 30) + i;
    for (uint32_t i = 0; i < 624; i++) {
        uint32_t y = (mt[i] & 1u << 31) | (mt[(i + 1) % 624] & ~(1u << 31));
        mt[i] = mt[(i + 397) % 624] ^ y >> 1 ^ (y % 2 ? 0x9908b0df : 0);
    }
    for (uint32_t i = 0; i < 624; i++) {
        uint32_t y = mt[i];
        y ^= y >> 11;
        y ^= y << 7 & 0x9d2c5680;
        y ^= y << 15 & 0xefc60000;
        y ^= y >> 18;
        if ((y & 15) < 10)
            return (int64_t)(y & 15) * (y & 15);
    }
    return -1;
}

static void random_square_is_numpys(void **state)
{
    tutti_kernel *k;
    int64_t seeds[KNOWN], out[KNOWN];
    (void)state;
    must_open(&k, EXAMPLES "/random_square.c:random_square");
    for (size_t i = 0; i < KNOWN; i++) {
        seeds[i] = known[i].seed;
        assert_int_equal(slow_square((uint32_t)seeds[i]), known[i].square);
    }
    for (size_t n = 0; n <= KNOWN; n++) {
        out[KNOWN - 1] = 77;
        assert_int_equal(tutti_kernel_map(k, out, 1, seeds, 1, n, NULL),
                         TUTTI_OK);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(out[i], known[i].square);
        assert_true(n == KNOWN || out[KNOWN - 1] == 77);
    }
    tutti_kernel_close(k);
}

#define MANY 20011

static void random_square_is_the_slow_one(void **state)
{
    static int64_t out[MANY];
    tutti_kernel *k;
    (void)state;
    must_open(&k, EXAMPLES "/random_square.c:random_square");
    for (int64_t first = 0; first < INT64_C(1) << 32; first += 4294947285) {
        assert_int_equal(tutti_kernel_map_range(k, out, first, 1, MANY, NULL),
                         TUTTI_OK);
        for (int i = 0; i < MANY; i++)
            assert_int_equal(out[i], slow_square((uint32_t)(first + i)));
    }
    int64_t off[] = {-1, INT64_C(1) << 32, INT64_MIN, 5};
    assert_int_equal(tutti_kernel_map(k, out, 1, off, 1, 4, NULL), TUTTI_OK);
    assert_true(out[0] == -1 && out[1] == -1 && out[2] == -1 && out[3] == 9);
    tutti_kernel_close(k);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_open, scratch_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(norm_gives_lengths),
        TEST(random_square_is_numpys),
        TEST(random_square_is_the_slow_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
