#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/signature.h"

static tutti_status parse(struct tt_signature *out, const char *text)
{
    return tt_signature_read(out, text, strlen(text), "f", "f.c", true);
}

static void reads_accepted_forms(void **state)
{
    static const struct {
        const char *text, *normal;
        tutti_form form;
        tutti_type item, result;
    } rows[] = {
        {"double f(double x){return x;}", "double f(double x)",
         TUTTI_FORM_SCALAR, TUTTI_F64, TUTTI_F64},
        {"static inline int f(const float x) {", "int32_t f(float x)",
         TUTTI_FORM_SCALAR, TUTTI_F32, TUTTI_I32},
        {"extern long long int\nf (signed y);", "int64_t f(int32_t x)",
         TUTTI_FORM_SCALAR, TUTTI_I32, TUTTI_I64},
        {"long f(int long long);", "int64_t f(int64_t x)", TUTTI_FORM_SCALAR,
         TUTTI_I64, TUTTI_I64},
        {"int32_t f(int64_t x) {", "int32_t f(int64_t x)", TUTTI_FORM_SCALAR,
         TUTTI_I64, TUTTI_I32},
        {"void f(size_t n, const int64_t *restrict x, int64_t *restrict y) {",
         "void f(size_t n, const int64_t *x, int64_t *out)", TUTTI_FORM_BLOCK,
         TUTTI_I64, TUTTI_I64},
        {"void f(const size_t, double const x[], float[restrict]) {",
         "void f(size_t n, const double *x, float *out)", TUTTI_FORM_BLOCK,
         TUTTI_F64, TUTTI_F32},
        {"float f(const float *const row, const int n) {",
         "float f(const float *row, int n)", TUTTI_FORM_ROW, TUTTI_F32,
         TUTTI_F32},
        {"double f(const int row[static 3], int n) {",
         "double f(const int32_t *row, int n)", TUTTI_FORM_ROW, TUTTI_I32,
         TUTTI_F64},
        {"void f(const double *row, int n, double *out) {",
         "void f(const double *row, int n, double *out)", TUTTI_FORM_ROWS,
         TUTTI_F64, TUTTI_F64},
        {"unsigned f(uint64_t x) {", "uint32_t f(uint64_t x)",
         TUTTI_FORM_SCALAR, TUTTI_U64, TUTTI_U32},
        {"size_t f(long unsigned int x) {", "uint64_t f(uint64_t x)",
         TUTTI_FORM_SCALAR, TUTTI_U64, TUTTI_U64},
        {"unsigned long long f(uint32_t x) {", "uint64_t f(uint32_t x)",
         TUTTI_FORM_SCALAR, TUTTI_U32, TUTTI_U64},
        {"double f(double x, void *user) {", "double f(double x, void *user)",
         TUTTI_FORM_SCALAR, TUTTI_F64, TUTTI_F64},
        {"double f(int n, double *x, void *user) {",
         "double f(int n, double *row, void *user)", TUTTI_FORM_ROW, TUTTI_F64,
         TUTTI_F64},
        {"double f(int n, double args[n]) {", "double f(int n, double *row)",
         TUTTI_FORM_ROW, TUTTI_F64, TUTTI_F64},
        {"float f(const float *x, int n, void *user) {",
         "float f(const float *row, int n, void *user)", TUTTI_FORM_ROW,
         TUTTI_F32, TUTTI_F32},
        {"int f(int *x, int n) {", "int32_t f(int32_t *row, int n)",
         TUTTI_FORM_ROW, TUTTI_I32, TUTTI_I32},
        {"void f(int n, size_t m, const double *x, float *out) {",
         "void f(int n, size_t m, const double *x, float *out)",
         TUTTI_FORM_POINTS, TUTTI_F64, TUTTI_F32},
        {"void f(size_t i, double a, const float *x, unsigned y[]) {",
         "void f(size_t i, double, const float *, uint32_t *)", TUTTI_FORM_EACH,
         0, 0},
        {"void f(size_t i) {", "void f(size_t i)", TUTTI_FORM_EACH, 0, 0},
        {"void f(size_t i, const double *x, double *y) {",
         "void f(size_t i, const double *, double *)", TUTTI_FORM_EACH, 0, 0},
        {"__attribute__((noinline)) double f(double x) "
         "__attribute__((const));",
         "double f(double x)", TUTTI_FORM_SCALAR, TUTTI_F64, TUTTI_F64},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct tt_signature s;
        assert_int_equal(parse(&s, rows[i].text), TUTTI_OK);
        assert_string_equal(s.text, rows[i].normal);
        assert_string_equal(s.name, "f");
        assert_int_equal(s.form, rows[i].form);
        assert_int_equal(s.item, rows[i].item);
        assert_int_equal(s.result, rows[i].result);
    }
}

static void finds_the_function(void **state)
{
    static const char *const texts[] = {
        "/* float f(float x) {} */ // float f(int)\ndouble f(double x) {}",
        "const char *s = \"float f(float x) {\"; double f(double x) {}",
        "char c = '\"'; double f(double x) {} char d = '\\'';",
        "#define f(x) (x)\n#define g \\\n float f(float x) {\ndouble f(double) "
        "{}",
        "#error don't /* worry */\ndouble f(double x) {}",
        "double g(int x) { return f(x); }\ndouble f(double x) {}",
        "float f(float);\ndouble f(double x) {}",
        "struct s { int (*f)(int); };\ndouble f(double x) {}",
        "int t[] = {sizeof(int), 2};\nint u = sizeof f(2);\ndouble f(double x) "
        "{}",
        "#ifdef __cplusplus\nextern \"C\" {\n#endif\ndouble f(double x);\n"
        "#ifdef __cplusplus\n}\n#endif",
        "void g(void) {\n#ifdef A\nif (a) {\n#else\nif (b) {\n#endif\n}}\n"
        "double f(double x) {}",
        "#if 0\nfloat f(float x) {}\n#endif\ndouble f(double x) {}",
        "#if 0\n#if 1\n{\n#endif\n{\n#else\ndouble f(double x) {}\n#endif",
        "}\ndouble f(double x) {}",
        "double\nf\n(\n/* of */ double\n/* the */ x\n)\n{\n}",
        "dou\\\nble_t g(void);\ndouble f(double x) {}",
        "typedef double real;\r\ndouble f(double x) {\r\n}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct tt_signature s;
        tutti_status status = parse(&s, texts[i]);
        if (status != TUTTI_OK)
            fail_msg("%s\n%s", texts[i], tutti_detail());
        assert_string_equal(s.text, "double f(double x)");
    }
}

static void refuses_the_rest(void **state)
{
    static const struct {
        const char *text, *found;
    } rows[] = {
        {"\n\ndouble f(double x, double y) {", "f.c:3: 'double f(double x, "},
        {"void f(double x) {", "f.c:1: 'void f(double x)'"},
        {"unsigned char f(double x) {", "'unsigned char f(double x)'"},
        {"unsigned signed f(double x) {", "'unsigned signed f(double x)'"},
        {"double f(short x) {", "'double f(short x)'"},
        {"long double f(long double x) {", "'long double f(long double x)'"},
        {"double f() {", "'double f()'"},
        {"double f(void) {", "'double f(void)'"},
        {"f(double x) {", "'f(double x)'"},
        {"double f(x) double x; {", "'double f(x)'"},
        {"double f(real x) {", "'double f(real x)'"},
        {"API double f(double x) {", "'API double f(double x)'"},
        {"double f(double x, ...) {", "'double f(double x, ...)'"},
        {"double f(double (*g)(double)) {", "'double f(double (*g)"},
        {"double *f(double x) {", "'double *f(double x)'"},
        {"double f(double x, const void *user) {", "const void *user)'"},
        {"double f(void *user, double x) {", "'double f(void *user"},
        {"double f(double x, void *user, void *more) {", "void *more)'"},
        {"void f(int n, const double *x, double *out, void *user) {",
         "'void f(int n"},
        {"void f(int n, size_t m, double *x, double *out) {", "'void f(int n"},
        {"void f(size_t i, double **x) {", "'void f(size_t i, double **x)'"},
        {"void f(size_t i, void *x) {", "'void f(size_t i, void *x)'"},
        {"void f(int i, double *x) {", "'void f(int i, double *x)'"},
        {"void f(size_t i, int a, int b, int c, int d, int e, int f, int g, "
         "int h, int j, int k, int l, int m, int n, int o, int p, int q) {",
         "'void f(size_t i, int a"},
        {"double f(const double *row, long n) {", "long n)'"},
        {"double f(const double *row, size_t n) {", "size_t n)'"},
        {"double f(const double **row, int n) {", "**row, int n)'"},
        {"double f(const double row[][3], int n) {", "row[][3], int n)'"},
        {"void f(int n, const double *x, double *out) {", "'void f(int n"},
        {"int f(size_t n, const double *x, double *out) {", "'int f(size_t n"},
        {"void f(const double *row, int n, double *out, int m) {", "'void f("},
        {"double double f(double x) {", "'double double f("},
        {"long long long f(double x) {", "'long long long f("},
        {"double f(double x", "'double f(double x'"},
        {"__attribute__(( double f(double x) {", "no function 'f'"},
        {"float g(int x) {} int h(void) {} int p(void);",
         "f.c: no function 'f' at file scope; it has g, h"},
        {"", "f.c: no function 'f' at file scope"},
        {"\"unterminated f(double x) {", "no function 'f'"},
        {"/* double f(double x) {}", "no function 'f'"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct tt_signature s = {.form = 77};
        assert_int_equal(parse(&s, rows[i].text), TUTTI_EARG);
        if (!strstr(tutti_detail(), rows[i].found))
            fail_msg("%s\n%s", rows[i].text, tutti_detail());
        assert_null(strchr(tutti_detail(), '\n'));
        assert_int_equal(s.form, 77);
    }
}

static void finds_the_only_function(void **state)
{
    static const struct {
        const char *text, *normal;
    } rows[] = {
        {"double g(double x) {}", "double g(double x)"},
        {"int main(int n, char **v) {} float g(float x) {}",
         "float g(float x)"},
        {"static double h(double x) {} int g(int x) {}",
         "int32_t g(int32_t x)"},
        {"static double h(double x) {}", "double h(double x)"},
        {"double h(double x); int g(int x) {}", "int32_t g(int32_t x)"},
        {"#if A\ndouble g(double x) {}\n#else\ndouble g(double y) {}\n#endif",
         "double g(double x)"},
    };
    static const struct {
        const char *text, *said;
    } bad[] = {
        {"double g(double x) {} int h(int x) {}",
         "kernel text: 2 functions could be meant: g, h; name one"},
        {"static double g(double x) {} static int h(int x) {}", "g, h; name"},
        {"int main(void) {} void g(double x) {}",
         "no function with an accepted signature among main, g; these are"},
        {"double g(double x);", "no function with an accepted signature; "},
        {"", "no function with an accepted signature; these are"},
    };
    struct tt_signature s;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *text = rows[i].text;
        if (tt_signature_read(&s, text, strlen(text), NULL, "kernel text",
                              true) != TUTTI_OK)
            fail_msg("%s\n%s", text, tutti_detail());
        assert_string_equal(s.text, rows[i].normal);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *text = bad[i].text;
        assert_int_equal(tt_signature_read(&s, text, strlen(text), NULL,
                                           "kernel text", true),
                         TUTTI_EARG);
        if (!strstr(tutti_detail(), bad[i].said))
            fail_msg("%s\n%s", text, tutti_detail());
    }
}

static void lists_what_it_accepts(void **state)
{
    struct tt_signature s;
    char where[400];
    memset(where, 'w', sizeof where - 1);
    where[sizeof where - 1] = 0;
    (void)state;
    const char *text = "double f(const struct a_rather_long_name *x, const "
                       "struct another_rather_long_name *y, int n, int m) {";
    assert_int_equal(
        tt_signature_read(&s, text, strlen(text), "f", where, true),
        TUTTI_EARG);
    assert_non_null(strstr(tutti_detail(), "U f(T x)"));
    assert_non_null(strstr(tutti_detail(), "const T *row, int n, U *out)"));
}

static void refuses_names_that_are_none(void **state)
{
    static const char *const names[] = {"",    "1f",  "f g", "f(",
                                        "a-b", "f\n", "*"};
    struct tt_signature s;
    char longest[200] = "";
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(tt_signature_read(&s, "x", 1, names[i], "f.c", true),
                         TUTTI_EARG);
    memset(longest, 'a', TT_SIGNATURE_NAME);
    assert_int_equal(tt_signature_read(&s, "x", 1, longest, "f.c", true),
                     TUTTI_EARG);
    assert_non_null(strstr(tutti_detail(), "name of a C function"));
}

static void takes_the_longest_name(void **state)
{
    struct tt_signature s;
    char name[TT_SIGNATURE_NAME] = "", text[512];
    (void)state;
    memset(name, 'a', sizeof name - 1);
    int size =
        snprintf(text, sizeof text,
                 "void %s(const int64_t *row, int n, int64_t *out);", name);
    assert_int_equal(
        tt_signature_read(&s, text, (size_t)size, name, "f.c", true), TUTTI_OK);
    assert_string_equal(s.name, name);
    assert_non_null(strstr(s.text, "int64_t *out)"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_accepted_forms),
        cmocka_unit_test(finds_the_function),
        cmocka_unit_test(refuses_the_rest),
        cmocka_unit_test(finds_the_only_function),
        cmocka_unit_test(lists_what_it_accepts),
        cmocka_unit_test(refuses_names_that_are_none),
        cmocka_unit_test(takes_the_longest_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
