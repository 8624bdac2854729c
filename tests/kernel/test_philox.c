/* Points against their definition, on every instruction set of this CPU. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/builtin/lattice.h"
#include "kernel/builtin/philox.h"

#define ROOM 1024

static const double box[] = {0,    1, -1,  2,    3,   3.5, -7,  -6,   1e-9,
                             2e-9, 0, 1e6, -1e6, 1e6, 0,   0.1, -0.3, 0.7};
#define SIDES 9

#ifdef __x86_64__
#define TABLES(name) \
    { \
        &name##_plain, &name##_avx2, &name##_avx512 \
    }
#else
#define TABLES(name) \
    { \
        &name##_plain \
    }
#endif
static const struct tt_philox *philox[] = TABLES(tt_philox);
static const struct tt_lattice *lattice[] = TABLES(tt_lattice);

/* The definition in philox.h. */
static double uniform(uint64_t seed, unsigned bits, uint64_t i, unsigned d)
{
    uint32_t w[4];
    if (bits == 53) {
        unsigned h = 2 * (d % 2);
        tt_philox_block(w, i, d / 2, TT_PHILOX_53, seed);
        return (double)(((uint64_t)w[h] << 21) + (w[h + 1] >> 11)) * 0x1p-53;
    }
    tt_philox_block(w, 16 * (i / 32) + i % 16, d / 2, TT_PHILOX_32, seed);
    return (w[2 * (i / 16 % 2) + d % 2] + 0.5) * 0x1p-32;
}

static void check_block(const char *line)
{
    uint32_t v[10], words[4];
    assert_int_equal(sscanf(line, "block %x %x %x %x %x %x %x %x %x %x", &v[0],
                            &v[1], &v[2], &v[3], &v[4], &v[5], &v[6], &v[7],
                            &v[8], &v[9]),
                     10);
    tt_philox_block(words, v[0] | (uint64_t)v[1] << 32, v[2], v[3],
                    v[4] | (uint64_t)v[5] << 32);
    assert_memory_equal(words, v + 6, sizeof words);
}

static void check_point(const char *line)
{
    unsigned long long seed, i;
    unsigned bits, d;
    double u;
    assert_int_equal(
        sscanf(line, "point %llu %u %llu %u %la", &seed, &bits, &i, &d, &u), 5);
    assert_true(uniform(seed, bits, i, d) == u);
}

static void answers_are_the_known_ones(void **state)
{
    char line[200];
    int lines = 0;
    FILE *file = fopen(ANSWERS, "r");
    (void)state;
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        if (line[0] == '#')
            continue;
        line[0] == 'b' ? check_block(line) : check_point(line);
        lines++;
    }
    fclose(file);
    assert_int_equal(lines, 45);
}

/* First samples: also where the upper word of the counter changes. */
static const uint64_t firsts[] = {0, 128, ((uint64_t)1 << 32) - 256,
                                  ((uint64_t)1 << 33) - 128,
                                  ((uint64_t)1 << 62) + 4096};

static void check_points(const struct tt_philox *table,
                         const struct tt_philox_points *p, uint64_t first)
{
    static double out[SIDES * ROOM];
    table->points(out, ROOM, p, first, 600);
    for (unsigned d = 0; d < p->n; d++)
        for (unsigned j = 0; j < 600; j++) {
            double low = box[2 * d], width = box[2 * d + 1] - low;
            volatile double x = width * uniform(p->seed, p->bits, first + j, d);
            assert_true(out[d * ROOM + j] == low + x);
        }
}

static void points_are_as_defined(void **state)
{
    (void)state;
    for (enum tt_isa isa = TT_ISA_PLAIN; isa <= tt_isa(); isa++)
        for (unsigned n = 1; n <= SIDES; n++)
            for (unsigned bits = 32; bits <= 53; bits += 21)
                for (size_t f = 0; f < sizeof firsts / sizeof *firsts; f++) {
                    const struct tt_philox_points p = {0x123456789abcdef0u,
                                                       bits, n, box};
                    check_points(philox[isa], &p, firsts[f]);
                }
}

/* The definition in lattice.h. */
static double folded(const struct tt_lattice_points *p, uint64_t k, unsigned d)
{
    uint32_t w[4];
    unsigned h = 2 * (d % 2);
    uint64_t i = k & (((uint64_t)1 << p->m) - 1), t = 0;
    tt_philox_block(w, k >> p->m, d / 2, TT_PHILOX_SHIFT, p->seed);
    if (p->m)
        t = (i * tt_lattice_vector[d]) << (64 - p->m);
    t += ((uint64_t)w[h] << 32) + w[h + 1];
    double v = (double)(t >> 11) * 0x1p-53 - 0.5;
    volatile double twice = 2 * (p->box[2 * d + 1] - p->box[2 * d]);
    volatile double x = twice * (v < 0 ? -v : v);
    return p->box[2 * d + 1] - x;
}

static void check_lattice(const struct tt_lattice *table,
                          const struct tt_lattice_points *p, uint64_t first,
                          size_t count)
{
    static double out[SIDES * ROOM];
    table->points(out, ROOM, p, first, count);
    for (unsigned d = 0; d < p->n; d++)
        for (size_t j = 0; j < count; j++)
            assert_true(out[d * ROOM + j] == folded(p, first + j, d));
}

static void lattices_are_as_defined(void **state)
{
    (void)state;
    for (enum tt_isa isa = TT_ISA_PLAIN; isa <= tt_isa(); isa++)
        for (unsigned m = 0; m <= TT_LATTICE_MOST; m++)
            for (unsigned n = 1; n <= SIDES; n++) {
                const struct tt_lattice_points p = {77 + m, m, n, box};
                size_t count = m < 10 ? (size_t)1 << m : 600;
                check_lattice(lattice[isa], &p, (uint64_t)5 << m, count);
                if (m > 10)
                    check_lattice(lattice[isa], &p, ((uint64_t)9 << m) - 600,
                                  600);
            }
}

/* In one dimension an unshifted lattice of 2^m points has each multiple of
 * 2^-m: z is odd. */
static void generators_are_odd(void **state)
{
    (void)state;
    assert_int_equal(tt_lattice_dimensions, 250);
    for (unsigned d = 0; d < tt_lattice_dimensions; d++) {
        assert_true(tt_lattice_vector[d] % 2 == 1);
        assert_true(tt_lattice_vector[d] >> TT_LATTICE_MOST == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_the_known_ones),
        cmocka_unit_test(points_are_as_defined),
        cmocka_unit_test(lattices_are_as_defined),
        cmocka_unit_test(generators_are_odd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
