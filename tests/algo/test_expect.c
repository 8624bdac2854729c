#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include <tutti.h>
#include <tutti/sys/expect.h>

#include "../kernel/scratch.h"
#include "fault.h"
#include "seed.h"

static const char norm_text[] =
    "double norm(int n, const double *x) {\n"
    "    double s = 0;\n"
    "    for (int d = 0; d < n; d++) s += x[d] * x[d];\n"
    "    return s; }\n";

static double unit_box[20] = {0, 1, 0, 1, 0, 1, 0, 1, 0, 1,
                              0, 1, 0, 1, 0, 1, 0, 1, 0, 1};

static tutti_kernel *kernel(const char *text)
{
    tutti_kernel *k;
    if (tutti_kernel_text(&k, text, NULL) != TUTTI_OK)
        fail_msg("%s", tutti_detail());
    return k;
}

static tutti_expectation expect(tutti_kernel *f, size_t n,
                                const tutti_expect_options *how, const char *on,
                                unsigned workers)
{
    tutti_options options = TUTTI_OPTIONS_INIT;
    tutti_expectation e;
    options.on = on;
    options.workers = workers;
    if (tutti_expect(&e, f, unit_box, n, how, &options) != TUTTI_OK)
        fail_msg("%s", tutti_detail());
    return e;
}

static void the_norm_is_a_third(void **state)
{
    tutti_kernel *f = kernel(norm_text);
    (void)state;
    for (size_t n = 1; n <= 10; n++)
        for (unsigned bits = 32; bits <= 53; bits += 21) {
            tutti_expect_options how = TUTTI_EXPECT_OPTIONS_INIT;
            how.samples = 300000;
            how.bits = bits;
            tutti_expectation e = expect(f, n, &how, "serial", 0);
            double variance = (double)n * 4 / 45;
            assert_true(fabs(e.value - (double)n / 3) < 5 * e.standard_error);
            assert_true(fabs(e.variance / variance - 1) < 0.02);
            assert_true(fabs(e.standard_error / sqrt(variance / 300000) - 1) <
                        0.01);
            assert_int_equal(e.samples, 300000);
            assert_true(e.density == 1 && e.density_error == 0);
        }
    tutti_kernel_close(f);
}

/* Of 200 seeds, about 5 % are off by two standard errors: 10, give or take 3.
 */
static void check_cover(tutti_kernel *f, size_t n, double truth,
                        tutti_expect_method method, uint64_t samples)
{
    int off = 0, far = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        tutti_expect_options how = TUTTI_EXPECT_OPTIONS_INIT;
        how.samples = samples;
        how.seed = seed;
        how.method = method;
        tutti_expectation e = expect(f, n, &how, "serial", 0);
        off += fabs(e.value - truth) > 2 * e.standard_error;
        far += fabs(e.value - truth) > 5 * e.standard_error;
    }
    /* 16 shifts have the tails of Student's distribution. */
    assert_in_range(off, 1, method == TUTTI_EXPECT_PLAIN ? 20 : 28);
    assert_in_range(far, 0, method == TUTTI_EXPECT_PLAIN ? 0 : 2);
}

static void error_bars_cover(void **state)
{
    tutti_kernel *f = kernel(norm_text);
    tutti_kernel *g = kernel("#include <math.h>\ndouble g(const double *x, int "
                             "n) { double s = 0; for (int d = 0; d < n; d++) "
                             "s += x[d] * x[d]; return exp(-s); }");
    (void)state;
    check_cover(f, 2, 2. / 3, TUTTI_EXPECT_PLAIN, 20000);
    check_cover(f, 5, 5. / 3, TUTTI_EXPECT_LATTICE, 5000);
    double side = 0.7468241328124271;
    check_cover(g, 4, pow(side, 4), TUTTI_EXPECT_PLAIN, 20000);
    check_cover(g, 4, pow(side, 4), TUTTI_EXPECT_LATTICE, 20000);
    tutti_kernel_close(f);
    tutti_kernel_close(g);
}

static void assert_same(const tutti_expectation *a, const tutti_expectation *b)
{
    assert_memory_equal(a, b, sizeof *a);
}

/* Two kernels of one function see the same points. */
static void assert_alike(tutti_kernel *f, tutti_kernel *g, size_t n,
                         uint64_t samples)
{
    tutti_expect_options how = TUTTI_EXPECT_OPTIONS_INIT;
    how.samples = samples;
    tutti_expectation a = expect(f, n, &how, "serial", 0);
    tutti_expectation b = expect(g, n, &how, "serial", 0);
    assert_same(&a, &b);
}

static void bits_are_the_same_everywhere(void **state)
{
    tutti_kernel *f = kernel(norm_text);
    tutti_kernel *density = kernel(
        "double rho(const double *x, int n) { return n > 0 ? 2 * x[0] : 0; }");
    uint64_t random = tt_seed();
    (void)state;
    for (int i = 0; i < 60; i++) {
        tutti_expect_options how = TUTTI_EXPECT_OPTIONS_INIT;
        how.samples = 1 + tt_random(&random) % 100000;
        how.seed = tt_random(&random);
        how.method =
            tt_random(&random) % 2 ? TUTTI_EXPECT_PLAIN : TUTTI_EXPECT_LATTICE;
        how.bits = how.method || tt_random(&random) % 2 ? 53 : 32;
        how.density = tt_random(&random) % 3 ? NULL : density;
        how.standard_error = tt_random(&random) % 3 ? 0 : 0.003;
        size_t n = 1 + tt_random(&random) % 10;
        unsigned workers = 1 + (unsigned)(tt_random(&random) % 8);
        tutti_expectation a = expect(f, n, &how, "serial", 0);
        tutti_expectation b = expect(f, n, &how, "threads", workers);
        tutti_expectation c = expect(f, n, &how, "auto", 0);
        assert_same(&a, &b);
        assert_same(&a, &c);
        if (i % 6 == 0) {
            tutti_expectation d = expect(f, n, &how, "processes", 2);
            assert_same(&a, &d);
        }
    }
    tutti_kernel_close(f);
    tutti_kernel_close(density);
}

static void functions_may_be_blocks(void **state)
{
    tutti_kernel *point = kernel(norm_text);
    tutti_kernel *block =
        kernel("#include <stddef.h>\n"
               "void f(int n, size_t m, const double *x, double *out) {\n"
               "    for (size_t j = 0; j < m; j++) out[j] = 0;\n"
               "    for (int d = 0; d < n; d++)\n"
               "        for (size_t j = 0; j < m; j++)\n"
               "            out[j] += x[d * m + j] * x[d * m + j]; }");
    (void)state;
    for (size_t n = 1; n <= 9; n += 4)
        assert_alike(point, block, n, 12345);
    tutti_kernel_close(point);
    tutti_kernel_close(block);
}

/* Coordinates count differently, so their order shows; twice is exact, so that
 * a contraction shows nothing. */
#define TILT \
    double tilt(int n, const double *x) \
    { \
        double sum = 0; \
        for (int d = 0; d < n; d++) \
            sum = 2 * sum + x[d]; \
        return sum; \
    }
#define TEXT(...) TEXT_OF(__VA_ARGS__)
#define TEXT_OF(...) #__VA_ARGS__

static TILT

    static void
    compiled_functions_see_points(void **state)
{
    tutti_kernel *text = kernel(TEXT(TILT)), *native;
    (void)state;
    assert_int_equal(tutti_kernel_native(&native, (void (*)(void))tilt,
                                         "double tilt(int n, const double *x)",
                                         NULL),
                     TUTTI_OK);
    for (size_t n = 1; n <= 8; n++)
        assert_alike(text, native, n, 5001);
    tutti_kernel_close(text);
    tutti_kernel_close(native);
}

static void one_number_is_enough_for_one_side(void **state)
{
    tutti_kernel *f = kernel("double f(double x) { return x * x; }");
    tutti_kernel *g;
    (void)state;
    assert_int_equal(
        tutti_kernel_open(&g, "libm.so.6:cbrt", "double cbrt(double x)"),
        TUTTI_OK);
    tutti_expectation e = expect(f, 1, NULL, "serial", 0);
    assert_true(fabs(e.value - 1. / 3) < 5 * e.standard_error);
    e = expect(g, 1, NULL, "serial", 0);
    assert_true(fabs(e.value - 0.75) < 5 * e.standard_error);
    assert_int_equal(tutti_expect(&e, f, unit_box, 2, NULL, NULL), TUTTI_EARG);
    assert_non_null(strstr(tutti_detail(), "2 coordinates"));
    tutti_kernel_close(f);
    tutti_kernel_close(g);
}

static void many_coordinates_are_fine(void **state)
{
    tutti_kernel *f = kernel(norm_text);
    static double box[2 * 300];
    tutti_expect_options how = TUTTI_EXPECT_OPTIONS_INIT;
    tutti_expectation e;
    (void)state;
    for (size_t d = 0; d < 300; d++)
        box[2 * d + 1] = 1;
    how.samples = 10000;
    assert_int_equal(tutti_expect(&e, f, box, 300, &how, NULL), TUTTI_OK);
    assert_true(fabs(e.value - 100) < 5 * e.standard_error);
    how.method = TUTTI_EXPECT_LATTICE;
    assert_int_equal(tutti_expect(&e, f, box, 300, &how, NULL), TUTTI_EARG);
    assert_non_null(strstr(tutti_detail(), "1 to 250"));
    assert_int_equal(tutti_expect(&e, f, box, 250, &how, NULL), TUTTI_OK);
    assert_true(fabs(e.value - 250. / 3) < 6 * e.standard_error);
    tutti_kernel_close(f);
}

/* An exponential cut off at 1, over 0 to 2: zero on half of the box, where f is
 * no number. */
static void densities_weigh(void **state)
{
    tutti_kernel *f = kernel("#include <math.h>\n"
                             "double f(double x) { return x <= 1 ? x : NAN; }");
    tutti_kernel *density = kernel(
        "#include <math.h>\n"
        "double rho(double x) { return x <= 1 ? exp(-x) / (1 - exp(-1)) : 0; "
        "}");
    const double box[] = {0, 2}, mean = (1 - 2 * exp(-1)) / (1 - exp(-1));
    const double square = (2 - 5 * exp(-1)) / (1 - exp(-1));
    (void)state;
    for (int lattice = 0; lattice < 2; lattice++) {
        tutti_expect_options how = TUTTI_EXPECT_OPTIONS_INIT;
        tutti_expectation e;
        how.density = density;
        how.samples = 200000;
        how.method = (tutti_expect_method)lattice;
        assert_int_equal(tutti_expect(&e, f, box, 1, &how, NULL), TUTTI_OK);
        assert_true(fabs(e.value - mean) < 5 * e.standard_error);
        assert_true(fabs(e.variance - (square - mean * mean)) < 0.002);
        assert_true(fabs(e.density - 1) < 5 * e.density_error);
        assert_true(e.density_error > 0 && e.density_error < 0.01);
    }
    tutti_kernel_close(f);
    tutti_kernel_close(density);
}

static void fails(const char *text, const char *rho, const double *box,
                  size_t n, const tutti_expect_options *given,
                  const char *sentence)
{
    tutti_kernel *f = kernel(text), *density = rho ? kernel(rho) : NULL;
    tutti_expect_options how = TUTTI_EXPECT_OPTIONS_INIT;
    tutti_expectation e = {.value = 7};
    if (given)
        how = *given;
    how.density = density;
    for (int i = 0; i < 2; i++) {
        tutti_options options = TUTTI_OPTIONS_INIT;
        options.on = i ? "threads:3" : "serial";
        assert_int_equal(tutti_expect(&e, f, box, n, &how, &options),
                         TUTTI_EARG);
        if (!strstr(tutti_detail(), sentence))
            fail_msg("'%s' is not in '%s'", sentence, tutti_detail());
        assert_true(e.value == 7);
    }
    tutti_kernel_close(f);
    tutti_kernel_close(density);
}

static void what_is_no_number_is_told(void **state)
{
    (void)state;
    fails("#include <math.h>\n"
          "double f(double x) { return x > 0.9999 ? NAN : x; }",
          NULL, unit_box, 1, NULL, "f is nan at (0.999");
    fails("#include <math.h>\n"
          "double f(double x) { return x > 0.9999 ? -NAN : x; }",
          NULL, unit_box, 1, NULL, "f is nan at (0.999");
    fails("double f(double x) { return x > 0.9999 ? -1 / (x - x) : x; }", NULL,
          unit_box, 1, NULL, "f is -inf at (0.999");
    fails("double f(double x) { return x < 2 ? 1e200 * x : 0; }", NULL,
          unit_box, 1, NULL, "scale f");
    fails("double f(double x) { return x; }",
          "double rho(double x) { return x < 0.001 ? -1e-30 : 1; }", unit_box,
          1, NULL, "the density is -1e-30 at (0.000");
    fails("double f(double x) { return x; }",
          "double rho(double x) { return x < 0.001 ? 1 / (x - x) : 1; }",
          unit_box, 1, NULL, "the density is inf at (0.000");
    fails("double f(int x) { return x; }", NULL, unit_box, 1, NULL,
          "expected double f(int n, const double *x)");
}

/* The lowest sample is the one that is told, at any number of workers. */
static void the_lowest_sample_is_told(void **state)
{
    tutti_kernel *f = kernel("double f(double x) { return x > 0.999 ? 1 / (x - "
                             "x) : x; }");
    tutti_expectation e;
    char first[500] = "";
    (void)state;
    for (unsigned workers = 1; workers <= 8; workers++) {
        tutti_options options = TUTTI_OPTIONS_INIT;
        options.on = "threads";
        options.workers = workers;
        assert_int_equal(tutti_expect(&e, f, unit_box, 1, NULL, &options),
                         TUTTI_EARG);
        if (workers == 1)
            strcpy(first, tutti_detail());
        assert_string_equal(first, tutti_detail());
    }
    tutti_kernel_close(f);
}

static void boxes_are_checked(void **state)
{
    static const struct {
        double box[2];
        const char *sentence;
    } rows[] = {
        {{0, HUGE_VAL}, "must be finite"}, {{NAN, 1}, "must be finite"},
        {{1, 0}, "wrong way round"},       {{1, 1}, "empty"},
        {{-1e308, 1e308}, "too wide"},     {{0, 1.7e308}, "too wide"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        fails(norm_text, NULL, rows[i].box, 1, NULL, rows[i].sentence);
    fails(norm_text, NULL, NULL, 1, NULL, "0 coordinates");
    fails(norm_text, NULL, unit_box, 0, NULL, "0 coordinates");
}

static void options_are_checked(void **state)
{
    tutti_expect_options how = TUTTI_EXPECT_OPTIONS_INIT;
    (void)state;
    how.bits = 31;
    fails(norm_text, NULL, unit_box, 2, &how, "31 bits");
    how.bits = 32;
    how.method = TUTTI_EXPECT_LATTICE;
    fails(norm_text, NULL, unit_box, 2, &how, "53");
    how.bits = 0;
    how.standard_error = -1;
    fails(norm_text, NULL, unit_box, 2, &how, "standard error of -1");
    how.standard_error = 0;
    how.size = 1;
    fails(norm_text, NULL, unit_box, 2, &how, "1 bytes");
}

static void a_standard_error_is_reached(void **state)
{
    tutti_kernel *f = kernel(norm_text);
    (void)state;
    for (int lattice = 0; lattice < 2; lattice++) {
        tutti_expect_options how = TUTTI_EXPECT_OPTIONS_INIT;
        how.standard_error = lattice ? 1e-6 : 3e-4;
        how.method = (tutti_expect_method)lattice;
        tutti_expectation e = expect(f, 4, &how, "auto", 0);
        assert_true(e.standard_error <= how.standard_error);
        if (!lattice) /* 3.95e6 are needed */
            assert_in_range(e.samples, 3900000, 4300000);
        assert_true(fabs(e.value - 4. / 3) < 5 * e.standard_error);
        how.samples = 1000;
        e = expect(f, 4, &how, "auto", 0);
        assert_true(e.samples <= 1000);
    }
    tutti_kernel_close(f);
}

static void few_samples_have_no_error(void **state)
{
    tutti_kernel *f = kernel(norm_text);
    (void)state;
    for (int lattice = 0; lattice < 2; lattice++)
        for (uint64_t samples = 1; samples < 40; samples++) {
            tutti_expect_options how = TUTTI_EXPECT_OPTIONS_INIT;
            how.samples = samples;
            how.method = (tutti_expect_method)lattice;
            tutti_expectation e = expect(f, 2, &how, "serial", 0);
            bool pairs = lattice && samples >= 32; /* of points in a shift */
            assert_int_equal(e.samples, pairs ? samples / 2 * 2 : samples);
            assert_true(isnan(e.standard_error) == (samples == 1));
        }
    tutti_kernel_close(f);
}

static int count_progress(void *arg, size_t done, size_t n)
{
    size_t *last = arg;
    assert_true(done <= n && done >= last[0]);
    last[0] = done;
    last[1] = n;
    return 0;
}

static int stop(void *arg, size_t done, size_t n)
{
    (void)arg, (void)done, (void)n;
    return 1;
}

static void progress_counts_samples(void **state)
{
    tutti_kernel *f = kernel(norm_text);
    tutti_options options = TUTTI_OPTIONS_INIT;
    tutti_expectation e;
    tutti_expect_options how = TUTTI_EXPECT_OPTIONS_INIT;
    size_t last[2] = {0, 0};
    (void)state;
    how.samples = 1000000;
    options.progress = count_progress;
    options.progress_arg = last;
    assert_int_equal(tutti_expect(&e, f, unit_box, 2, &how, &options),
                     TUTTI_OK);
    assert_int_equal(last[0], 1000000);
    assert_int_equal(last[1], 1000000);
    options.progress = stop;
    how.samples = (uint64_t)1 << 40;
    assert_int_equal(tutti_expect(&e, f, unit_box, 2, &how, &options),
                     TUTTI_ECANCEL);
    how.samples = 1000000; /* in rounds, each too short to be cancelled */
    how.standard_error = 1e-9;
    assert_int_equal(tutti_expect(&e, f, unit_box, 2, &how, &options),
                     TUTTI_ECANCEL);
    tutti_kernel_close(f);
}

static tutti_status expect_once(void *arg)
{
    static double box[200];
    tutti_kernel *f = NULL, *density = NULL;
    tutti_expect_options how = TUTTI_EXPECT_OPTIONS_INIT;
    tutti_options options = TUTTI_OPTIONS_INIT;
    tutti_expectation e;
    (void)arg;
    for (size_t d = 0; d < 100; d++)
        box[2 * d + 1] = 1;
    how.samples = 5000;
    options.on = "serial";
    tutti_status status = tutti_kernel_text(&f, norm_text, NULL);
    if (!status)
        status = tutti_kernel_text(
            &density, "double rho(const double *x, int n) { return 1; }", NULL);
    how.density = density;
    if (!status)
        status = tutti_expect(&e, f, box, 100, &how, &options);
    tutti_kernel_close(f);
    tutti_kernel_close(density);
    return status;
}

static tutti_status piece_once(void *f)
{
    static double box[200];
    const tutti_expect_options how = TUTTI_EXPECT_OPTIONS_INIT;
    const tutti_expect_round round = {8192, 9000, 4096, UINT32_MAX};
    tutti_expect_part part;
    for (size_t d = 0; d < 100; d++)
        box[2 * d + 1] = 1;
    return tutti_expect_piece(&part, f, box, 100, &how, &round);
}

static void each_call_fails(void **state)
{
    (void)state;
    assert_int_equal(expect_once(NULL), TUTTI_OK); /* it is compiled now */
    assert_true(tt_fault_each(expect_once, NULL) > 10);
    tutti_kernel *f = kernel(norm_text);
    assert_int_equal(piece_once(f), TUTTI_OK);
    assert_true(tt_fault_each(piece_once, f) > 3);
    tutti_kernel_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_norm_is_a_third),
        cmocka_unit_test(error_bars_cover),
        cmocka_unit_test(bits_are_the_same_everywhere),
        cmocka_unit_test(functions_may_be_blocks),
        cmocka_unit_test(compiled_functions_see_points),
        cmocka_unit_test(one_number_is_enough_for_one_side),
        cmocka_unit_test(many_coordinates_are_fine),
        cmocka_unit_test(densities_weigh),
        cmocka_unit_test(what_is_no_number_is_told),
        cmocka_unit_test(the_lowest_sample_is_told),
        cmocka_unit_test(boxes_are_checked),
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(a_standard_error_is_reached),
        cmocka_unit_test(few_samples_have_no_error),
        cmocka_unit_test(progress_counts_samples),
        cmocka_unit_test(each_call_fails),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
