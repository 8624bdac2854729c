#include <limits.h>
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

#include "kernel/compiler.h"
#include "scratch.h"

/* Opens NAME in the scratch file `file`, written with `text`. */
static tutti_status open_c(tutti_kernel **out, const char *text,
                           const char *name)
{
    char where[300];
    snprintf(where, sizeof where, "%s:%s", scratch_write("k.c", text), name);
    return tutti_kernel_open(out, where, NULL);
}

static void must_open(tutti_kernel **out, const char *text, const char *name)
{
    if (open_c(out, text, name) != TUTTI_OK)
        fail_msg("%s", tutti_detail());
}

static void must_fail(const char *text, const char *name, tutti_status status,
                      const char *said)
{
    tutti_kernel *k = NULL;
    assert_int_equal(open_c(&k, text, name), status);
    assert_null(k);
    if (!strstr(tutti_detail(), said))
        fail_msg("expected: %s\ngot: %s", said, tutti_detail());
    assert_null(strchr(tutti_detail(), '\n'));
}

static const char *const every_form =
    "#include <stddef.h>\n"
    "#include <stdint.h>\n"
    "static double half(int x) { return x / 2.0; }\n"
    "void twice(size_t n, const int64_t *x, int64_t *out)\n"
    "{ for (size_t i = 0; i < n; i++) out[i] = 2 * x[i]; }\n"
    "long total(const int row[], int n)\n"
    "{ long s = 0; for (int i = 0; i < n; i++) s += row[i]; return s; }\n"
    "void ends(const double *row, int n, float *out)\n"
    "{ out[0] = (float)row[0]; out[1] = (float)row[n - 1]; }\n";

static void maps_every_form(void **state)
{
    tutti_kernel *k;
    tutti_kernel_info info;
    int32_t small[] = {1, -3, INT32_MAX, 7, 8, 9};
    int64_t large[] = {1, -3, INT64_MAX / 2};
    double real[6] = {1, 2, 3, 4, 5, 6}, halves[3];
    float pairs[4];
    (void)state;
    must_open(&k, every_form, "half");
    tutti_kernel_describe(k, &info);
    assert_string_equal(info.name, "half");
    assert_string_equal(info.signature, "double half(int32_t x)");
    assert_int_equal(info.form, TUTTI_FORM_SCALAR);
    assert_int_equal(info.item, TUTTI_I32);
    assert_int_equal(info.result, TUTTI_F64);
    assert_int_equal(tutti_kernel_map(k, halves, 1, small, 1, 3, NULL),
                     TUTTI_OK);
    assert_true(halves[0] == 0.5 && halves[1] == -1.5 &&
                halves[2] == 1073741823.5);
    tutti_kernel_close(k);

    must_open(&k, every_form, "twice");
    assert_int_equal(
        tutti_kernel_map(k, large, 1, (int64_t[]){4, 5, 6}, 1, 3, NULL),
        TUTTI_OK);
    assert_true(large[0] == 8 && large[1] == 10 && large[2] == 12);
    tutti_kernel_close(k);

    must_open(&k, every_form, "total");
    assert_int_equal(tutti_kernel_map(k, large, 1, small, 3, 2, NULL),
                     TUTTI_OK);
    assert_true(large[0] == INT32_MAX - 2l && large[1] == 24);
    tutti_kernel_close(k);

    must_open(&k, every_form, "ends");
    assert_int_equal(tutti_kernel_map(k, pairs, 2, real, 3, 2, NULL), TUTTI_OK);
    assert_true(pairs[0] == 1 && pairs[1] == 3 && pairs[2] == 4 &&
                pairs[3] == 6);
    tutti_kernel_close(k);
}

/* Ranges of many tasks begin at whole vectors. */
static void cuts_blocks_at_vectors(void **state)
{
    enum { LOTS = 300007 };
    static int32_t out[LOTS];
    tutti_kernel *k;
    tutti_options options = TUTTI_OPTIONS_INIT;
    (void)state;
    options.on = "threads:4";
    must_open(&k,
              "#include <stddef.h>\n"
              "void f(size_t n, const int *x, int *y)\n"
              "{ for (size_t i = 0; i < n; i++) y[i] = (int)(x[i] - i); }",
              "f");
    assert_int_equal(tutti_kernel_map_range(k, out, 0, 1, LOTS, &options),
                     TUTTI_OK);
    for (int i = 0; i < LOTS; i++) {
        assert_int_equal(out[i] % 128, 0);
        assert_true(i - out[i] < 512);
    }
    tutti_kernel_close(k);
}

#define MANY 100003

static void maps_ranges(void **state)
{
    static const struct {
        const char *text, *signature;
    } rows[] = {
        {"double f(double x) { return -x; }", "double f(double x)"},
        {"float f(float x) { return -x; }", "float f(float x)"},
        {"long f(long x) { return -x; }", "int64_t f(int64_t x)"},
        {"int f(int x) { return -x; }", "int32_t f(int32_t x)"},
        {"void f(__SIZE_TYPE__ n, const int *x, int *y) {}", NULL},
    };
    static union {
        double f64[MANY];
        float f32[MANY];
        int64_t i64[MANY];
        int32_t i32[MANY];
    } out;
    (void)state;
    for (size_t r = 0; r + 1 < sizeof rows / sizeof *rows; r++) {
        tutti_kernel *k;
        tutti_kernel_info info;
        must_open(&k, rows[r].text, "f");
        tutti_kernel_describe(k, &info);
        assert_string_equal(info.signature, rows[r].signature);
        assert_int_equal(tutti_kernel_map_range(k, &out, 50000, -3, MANY, NULL),
                         TUTTI_OK);
        for (int i = 0; i < MANY; i++) {
            double got = info.result == TUTTI_F64   ? out.f64[i]
                         : info.result == TUTTI_F32 ? out.f32[i]
                         : info.result == TUTTI_I64 ? (double)out.i64[i]
                                                    : out.i32[i];
            assert_true(got == 3 * i - 50000);
        }
        tutti_kernel_close(k);
    }
    must_fail(rows[4].text, "f", TUTTI_EARG, "'void f(__SIZE_TYPE__ n");
}

static void refuses_ranges_that_do_not_fit(void **state)
{
    static const struct {
        const char *text;
        int64_t first, step;
        size_t n;
        tutti_status status;
    } rows[] = {
        {"int f(int x) { return x; }", INT32_MAX, 1, 1, TUTTI_OK},
        {"int f(int x) { return x; }", INT32_MAX, 1, 2, TUTTI_EARG},
        {"int f(int x) { return x; }", INT32_MIN, -1, 2, TUTTI_EARG},
        {"int f(int x) { return x; }", (int64_t)1 << 40, 1, 0, TUTTI_OK},
        {"long f(long x) { return x; }", INT64_MAX, 5, 1, TUTTI_OK},
        {"long f(long x) { return x; }", INT64_MAX, 1, 2, TUTTI_EARG},
        {"long f(long x) { return x; }", INT64_MIN, 1, 2, TUTTI_OK},
        {"long f(long x) { return x; }", 0, 2, SIZE_MAX, TUTTI_EARG},
        {"double f(double x) { return x; }", ((int64_t)1 << 53) - 1, 1, 2,
         TUTTI_OK},
        {"double f(double x) { return x; }", ((int64_t)1 << 53) - 1, 1, 3,
         TUTTI_EARG},
        {"double f(double x) { return x; }", (int64_t)1 << 60, 512, 3,
         TUTTI_OK},
        {"double f(double x) { return x; }", INT64_MIN, 1, 1, TUTTI_OK},
        {"float f(float x) { return x; }", -((int64_t)1 << 24) - 1, 1, 1,
         TUTTI_EARG},
        {"float f(float x) { return x; }", -((int64_t)1 << 24), 1, 1, TUTTI_OK},
        {"double f(const double *row, int n) { return n; }", 0, 1, 1,
         TUTTI_EARG},
    };
    int64_t out[4];
    (void)state;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        tutti_kernel *k;
        must_open(&k, rows[r].text, "f");
        assert_int_equal(tutti_kernel_map_range(k, out, rows[r].first,
                                                rows[r].step, rows[r].n, NULL),
                         rows[r].status);
        tutti_kernel_close(k);
    }
}

static void refuses_widths_and_no_arrays(void **state)
{
    tutti_kernel *k;
    double x[4] = {0};
    (void)state;
    must_open(&k, "double f(double x) { return x; }", "f");
    assert_int_equal(tutti_kernel_map(k, x, 1, x, 2, 2, NULL), TUTTI_EARG);
    assert_non_null(strstr(tutti_detail(), "rows of 2"));
    assert_int_equal(tutti_kernel_map(k, x, 2, x, 1, 2, NULL), TUTTI_EARG);
    assert_int_equal(tutti_kernel_map(k, x, 1, x, 0, 2, NULL), TUTTI_EARG);
    assert_int_equal(tutti_kernel_map(k, NULL, 1, x, 1, 2, NULL), TUTTI_EARG);
    assert_int_equal(tutti_kernel_map(k, x, 1, NULL, 1, 2, NULL), TUTTI_EARG);
    assert_int_equal(tutti_kernel_map(k, NULL, 1, NULL, 1, 0, NULL), TUTTI_OK);
    assert_int_equal(tutti_kernel_map_range(k, NULL, 0, 1, 1, NULL),
                     TUTTI_EARG);
    tutti_kernel_close(k);
    must_open(&k, "double f(const double *r, int n) { return n; }", "f");
    assert_int_equal(tutti_kernel_map(k, x, 1, x, (size_t)INT_MAX + 1, 1, NULL),
                     TUTTI_EARG);
    assert_int_equal(tutti_kernel_map(k, x, 2, x, 1, 1, NULL), TUTTI_EARG);
    tutti_kernel_close(k);
}

static void keeps_plain_arithmetic(void **state)
{
    tutti_kernel *k;
    double out[1000];
    (void)state;
    must_open(&k, "double f(double x) { double y = x / 3; return y * y - x; }",
              "f");
    assert_int_equal(tutti_kernel_map_range(k, out, 1, 1, 1000, NULL),
                     TUTTI_OK);
    tutti_kernel_close(k);
    for (int i = 0; i < 1000; i++) {
        volatile double y = (i + 1) / 3.0, square = y * y;
        assert_true(out[i] == square - (i + 1));
    }
}

static void keeps_errno_for_those_who_ask(void **state)
{
    tutti_kernel *k;
    int32_t out[1];
    (void)state;
    must_open(&k,
              "#include <errno.h>\n#include <math.h>\n"
              "int f(double x) { errno = 0; volatile double y = sqrt(x);\n"
              " return errno == EDOM; }",
              "f");
    assert_int_equal(tutti_kernel_map_range(k, out, -4, 1, 1, NULL), TUTTI_OK);
    assert_int_equal(out[0], 1);
    tutti_kernel_close(k);
}

static void reads_headers_beside_the_source(void **state)
{
    tutti_kernel *k;
    double out[1];
    (void)state;
    scratch_write("mine.h", "#define FACTOR 5\n");
    must_open(&k,
              "#include \"mine.h\"\n#define n x\n#define i x\n"
              "double f(double x) { return FACTOR * x; } // the end",
              "f");
    assert_int_equal(tutti_kernel_map_range(k, out, 2, 1, 1, NULL), TUTTI_OK);
    assert_true(out[0] == 10);
    tutti_kernel_close(k);
}

static void reads_a_byte_order_mark(void **state)
{
    tutti_kernel *k;
    (void)state;
    must_open(&k,
              "\xef\xbb\xbf"
              "double f(double x)\r\n{ return x; }\r\n",
              "f");
    tutti_kernel_close(k);
    must_fail("\xef\xbb\xbf"
              "double f(double x)\r\n{ return y; }\r\n",
              "f", TUTTI_EARG, "/k.c:2:");
}

static void shows_the_compilers_error(void **state)
{
    (void)state;
    must_fail("double f(double x)\n{\n    return y;\n}\n", "f", TUTTI_EARG,
              "/k.c:3:");
    must_fail("double f(double x)\n{\n    return y;\n}\n", "f", TUTTI_EARG,
              "error: ");
    must_fail("#include \"absent.h\"\ndouble f(double x) { return x; }", "f",
              TUTTI_EARG, "absent.h");
    must_fail("double g(double);\ndouble f(double x) { return g(x); }", "f",
              TUTTI_EARG, "undefined reference to `g'");
    assert_null(strstr(tutti_detail(), ".text")); /* nor what file of ours */
    must_fail("double f(double x)\n{\n    return drand48();\n}\n", "f",
              TUTTI_EARG, "/k.c:3:12: error: implicit");
    assert_non_null(strstr(tutti_detail(), "is an #include missing?"));
    must_fail("double f(double x)\n{\n    return x;\n", "f", TUTTI_EARG,
              "/k.c:3:");
    must_fail("double f(double x)\n{\n    return x;", "f", TUTTI_EARG,
              "/k.c:3:");
    must_fail("double f(double x);", "f", TUTTI_EARG,
              "undefined reference to `f'");
    must_fail("double _init(double x) { return x; }", "_init", TUTTI_EARG,
              "multiple definition of `_init'");
    must_fail("#define double float\ndouble f(double x) { return x; }\n"
              "#undef double\n",
              "f", TUTTI_EARG, "it is not double f(double x): a macro");
    must_fail("#define int long long\nint f(int x) { return x; }", "f",
              TUTTI_EARG, "it is not int32_t f(int32_t x): a macro");
    must_fail("#define for while\ndouble f(double x) { return y; }", "f",
              TUTTI_EARG, "/k.c:2:");
    must_fail("double f(double x) { return x; }\n__asm__(\"bogus\");", "f",
              TUTTI_EARG, "`bogus'");
    must_fail("double f(double x) { return x; } /* no end", "f", TUTTI_EARG,
              "unterminated comment");
    must_fail("#if 1\ndouble f(double x) { return x; }", "f", TUTTI_EARG,
              "/k.c:1:");
}

static void refuses_what_is_no_function(void **state)
{
    static const struct {
        const char *text, *signature, *said;
        tutti_status status;
    } rows[] = {
        {NULL, NULL, "FILE.c:NAME", TUTTI_EARG},
        {"", NULL, "FILE.c:NAME", TUTTI_EARG},
        {":", NULL, "FILE.c:NAME", TUTTI_EARG},
        {"a.c", NULL, "FILE.c:NAME", TUTTI_EARG},
        {"a.c:", NULL, "FILE.c:NAME", TUTTI_EARG},
        {".c:f", NULL, "FILE.c:NAME", TUTTI_EARG},
        {"a.cpp:f", NULL, "FILE.c:NAME", TUTTI_EARG},
        {"/absent/a.c:f", NULL, "No such file", TUTTI_EARG},
        {"/absent/a.c:f", "double f(double x)", "LIB.so:NAME only", TUTTI_EARG},
        {"libm.so.6:cbrt", NULL, "needs its C signature", TUTTI_EARG},
        {"libm.so.6:cbrt", "double sqrt(double x)", "no function 'cbrt'",
         TUTTI_EARG},
        {"libm.so.6:cbrt", "char cbrt(char x)", "signature: 'char", TUTTI_EARG},
        {"libm.so.6:absent", "double absent(double)",
         "exports no function 'absent'", TUTTI_EARG},
        {"libm.so.6:signgam", "double signgam(double)",
         "exports no function 'signgam'", TUTTI_EARG},
        {"libabsent.so:f", "double f(double)", "cannot load", TUTTI_ESYS},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tutti_kernel *k = NULL;
        tutti_status status =
            tutti_kernel_open(&k, rows[i].text, rows[i].signature);
        if (status != rows[i].status || !strstr(tutti_detail(), rows[i].said))
            fail_msg("%s: %d, %s", rows[i].text, status, tutti_detail());
        assert_null(k);
    }
    scratch_write("empty.so", "");
    char text[300];
    tutti_kernel *k = NULL;
    snprintf(text, sizeof text, "%s:f", scratch_path("empty.so"));
    assert_int_equal(tutti_kernel_open(&k, text, "int f(int)"), TUTTI_ESYS);
    snprintf(text, sizeof text, "%s.c:f", scratch_path(""));
    assert_int_equal(tutti_kernel_open(&k, text, NULL), TUTTI_EARG);
    snprintf(text, sizeof text, "%s:f", scratch_path("long.c"));
    truncate(scratch_write("long.c", ""), (off_t)1 << 40);
    assert_int_equal(tutti_kernel_open(&k, text, NULL), TUTTI_EARG);
    truncate(scratch_path("long.c"), 100);
    assert_int_equal(tutti_kernel_open(&k, text, NULL), TUTTI_EARG);
    assert_non_null(strstr(tutti_detail(), "zero byte"));
    tutti_kernel_close(NULL);
}

static const char *const library =
    "#include <stdint.h>\n#include <stddef.h>\n"
    "#define F(a, T, b, U) \\\n"
    " U s_##a##_##b(T x) { return (U)(x + 1); } \\\n"
    " void b_##a##_##b(size_t n, const T *x, U *y) \\\n"
    " { for (size_t i = 0; i < n; i++) y[i] = (U)(x[i] + 2); } \\\n"
    " U r_##a##_##b(const T *x, int n) { return (U)(x[n - 1] + 3); } \\\n"
    " void w_##a##_##b(const T *x, int n, U *y) \\\n"
    " { y[0] = (U)(x[n - 1] + 4); y[1] = (U)n; }\n"
    "#define G(a, T) F(a, T, double, double) F(a, T, float, float) \\\n"
    " F(a, T, int64_t, int64_t) F(a, T, int32_t, int32_t)\n"
    "G(double, double) G(float, float) G(int64_t, int64_t) "
    "G(int32_t, int32_t)\n";

static void build_library(void)
{
    struct tt_compiler compiler;
    static struct tt_outcome outcome;
    char source[256], object[256];
    strcpy(source, scratch_write("lib.c", library));
    strcpy(object, scratch_path("lib.so"));
    assert_int_equal(tt_compiler_find(&compiler), TUTTI_OK);
    char *words[] = {
        compiler.words[0], "-shared", "-fPIC", "-o", object, source, NULL};
    assert_int_equal(tt_compiler_run(&outcome, words, scratch_path(""), 60.0),
                     TUTTI_OK);
    if (!outcome.done)
        fail_msg("%s", outcome.output);
}

static const char *const c_types[] = {"", "double", "float", "int64_t",
                                      "int32_t"};

static void store(tutti_type type, void *to, double value)
{
    if (type == TUTTI_F64)
        *(double *)to = value;
    if (type == TUTTI_F32)
        *(float *)to = (float)value;
    if (type == TUTTI_I64)
        *(int64_t *)to = (int64_t)value;
    if (type == TUTTI_I32)
        *(int32_t *)to = (int32_t)value;
}

static double value_of(tutti_type type, const void *at)
{
    return type == TUTTI_F64   ? *(const double *)at
           : type == TUTTI_F32 ? *(const float *)at
           : type == TUTTI_I64 ? (double)*(const int64_t *)at
                               : *(const int32_t *)at;
}

static void write_signature(char *to, size_t room, tutti_form form,
                            const char *name, const char *t, const char *u)
{
    if (form == TUTTI_FORM_SCALAR)
        snprintf(to, room, "%s %s(%s)", u, name, t);
    if (form == TUTTI_FORM_BLOCK)
        snprintf(to, room, "void %s(size_t, const %s *, %s *)", name, t, u);
    if (form == TUTTI_FORM_ROW)
        snprintf(to, room, "%s %s(const %s *, int)", u, name, t);
    if (form == TUTTI_FORM_ROWS)
        snprintf(to, room, "void %s(const %s *, int, %s *)", name, t, u);
}

static void calls_one_native(tutti_form form, tutti_type item,
                             tutti_type result)
{
    char where[300], signature[200];
    const char *t = c_types[item], *u = c_types[result];
    tutti_kernel *k;
    char x[64], y[64];
    size_t size = tutti_type_size(item), out = tutti_type_size(result);
    size_t width = form >= TUTTI_FORM_ROW ? 2 : 1;
    size_t gives = form == TUTTI_FORM_ROWS ? 2 : 1;
    char letter = " sbrw"[form];
    snprintf(where, sizeof where, "%s:%c_%s_%s", scratch_path("lib.so"), letter,
             t, u);
    write_signature(signature, sizeof signature, form, strchr(where, ':') + 1,
                    t, u);
    if (tutti_kernel_open(&k, where, signature) != TUTTI_OK)
        fail_msg("%s", tutti_detail());
    for (size_t i = 0; i < 3 * width; i++)
        store(item, x + i * size, (double)(10 * i));
    assert_int_equal(tutti_kernel_map(k, y, gives, x, width, 3, NULL),
                     TUTTI_OK);
    for (size_t i = 0; i < 3; i++) {
        double last = (double)(10 * ((i + 1) * width - 1));
        assert_true(value_of(result, y + i * gives * out) ==
                    last + (double)form);
        if (gives == 2)
            assert_true(value_of(result, y + (2 * i + 1) * out) == 2);
    }
    tutti_kernel_close(k);
}

static void calls_natives_of_all_types(void **state)
{
    (void)state;
    build_library();
    for (tutti_form form = TUTTI_FORM_SCALAR; form <= TUTTI_FORM_ROWS; form++)
        for (tutti_type item = TUTTI_F64; item <= TUTTI_I32; item++)
            for (tutti_type result = TUTTI_F64; result <= TUTTI_I32; result++)
                calls_one_native(form, item, result);
}

static void names_types(void **state)
{
    (void)state;
    assert_string_equal(tutti_type_name(TUTTI_F32), "float32");
    assert_string_equal(tutti_type_name(0), "?");
    assert_string_equal(tutti_type_name(99), "?");
    assert_int_equal(tutti_type_size(TUTTI_I32), 4);
    assert_int_equal(tutti_type_size(0), 0);
    assert_int_equal(tutti_type_size(99), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_open, scratch_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(maps_every_form),
        TEST(cuts_blocks_at_vectors),
        TEST(maps_ranges),
        TEST(refuses_ranges_that_do_not_fit),
        TEST(refuses_widths_and_no_arrays),
        TEST(keeps_plain_arithmetic),
        TEST(keeps_errno_for_those_who_ask),
        TEST(reads_headers_beside_the_source),
        TEST(reads_a_byte_order_mark),
        TEST(shows_the_compilers_error),
        TEST(refuses_what_is_no_function),
        TEST(calls_natives_of_all_types),
        cmocka_unit_test(names_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
