/* Entries for functions that are compiled already: one for each way to pass
 * values. Signed and unsigned integers of a size are passed alike, and so are
 * pointers to whatever. */
#include "kernel/wrapper.h"

#define PARAMETERS \
    tt_kernel_function function, void *user, size_t n, const void *items, \
        size_t width, void *results, size_t out_width

#define SCALAR(T, U) \
    static void scalar_##T##_##U(PARAMETERS) \
    { \
        U (*f)(T) = (U(*)(T))function; \
        const T *x = items; \
        U *y = results; \
        (void)user, (void)width, (void)out_width; \
        for (size_t i = 0; i < n; i++) \
            y[i] = f(x[i]); \
    } \
    static void scalar_user_##T##_##U(PARAMETERS) \
    { \
        U (*f)(T, void *) = (U(*)(T, void *))function; \
        const T *x = items; \
        U *y = results; \
        (void)width, (void)out_width; \
        for (size_t i = 0; i < n; i++) \
            y[i] = f(x[i], user); \
    }

/* A row's function has one of four lists of parameters. */
#define ROW(T, U, name, list, given) \
    static void row_##name##_##T##_##U(PARAMETERS) \
    { \
        U(*f) list = (U(*) list)function; \
        const T *row = items; \
        U *y = results; \
        int count = (int)width; \
        (void)user, (void)out_width; \
        for (size_t i = 0; i < n; i++, row += width) \
            y[i] = f given; \
    }
#define TO_ROW(T, U) \
    ROW(T, U, plain, (const void *, int), (row, count)) \
    ROW(T, U, user, (const void *, int, void *), (row, count, user)) \
    ROW(T, U, first, (int, const void *), (count, row)) \
    ROW(T, U, first_user, (int, const void *, void *), (count, row, user))

#define ROWS(T, U) \
    static void rows_##T##_##U(PARAMETERS) \
    { \
        void (*f)(const void *, int, void *) = \
            (void (*)(const void *, int, void *))function; \
        const T *x = items; \
        U *y = results; \
        (void)user; \
        for (size_t i = 0; i < n; i++) \
            f(x + i * width, (int)width, y + i * out_width); \
    }

static void block(PARAMETERS)
{
    void (*f)(size_t, const void *, void *) =
        (void (*)(size_t, const void *, void *))function;
    (void)user, (void)width, (void)out_width;
    f(n, items, results);
}

static void points(PARAMETERS)
{
    void (*f)(int, size_t, const void *, void *) =
        (void (*)(int, size_t, const void *, void *))function;
    (void)user, (void)out_width;
    f((int)width, n, items, results);
}

#define ITEM(T) \
    SCALAR(T, double) SCALAR(T, float) SCALAR(T, int64_t) SCALAR(T, int32_t)
#define SIZE(T) \
    TO_ROW(T, double) \
    TO_ROW(T, float) \
    TO_ROW(T, int64_t) TO_ROW(T, int32_t) ROWS(T, int64_t) ROWS(T, int32_t)

ITEM(double)
ITEM(float)
ITEM(int64_t)
ITEM(int32_t)
SIZE(int64_t)
SIZE(int32_t)

/* How a type is passed: a double, a float, or so many bytes. */
enum { REAL, NARROW, WORD, HALF };

static const unsigned char passed[] = {
    [TUTTI_F64] = REAL, [TUTTI_F32] = NARROW, [TUTTI_I64] = WORD,
    [TUTTI_I32] = HALF, [TUTTI_U64] = WORD,   [TUTTI_U32] = HALF};

#define RESULTS(name) \
    { \
        name##_double, name##_float, name##_int64_t, name##_int32_t \
    }
#define ITEMS(name) \
    { \
        RESULTS(name##_double), RESULTS(name##_float), \
            RESULTS(name##_int64_t), RESULTS(name##_int32_t) \
    }
#define SIZES(name) \
    { \
        RESULTS(name##_int64_t), RESULTS(name##_int32_t) \
    }

static tt_kernel_entry scalar_entry(const struct tt_signature *s)
{
    static const tt_kernel_entry entries[2][4][4] = {ITEMS(scalar),
                                                     ITEMS(scalar_user)};
    return entries[s->user][passed[s->item]][passed[s->result]];
}

static tt_kernel_entry row_entry(const struct tt_signature *s, bool half)
{
    static const tt_kernel_entry entries[2][2][2][4] = {
        {SIZES(row_plain), SIZES(row_user)},
        {SIZES(row_first), SIZES(row_first_user)}};
    return entries[s->count_first][s->user][half][passed[s->result]];
}

tt_kernel_entry tt_native_entry(const struct tt_signature *s)
{
    static const tt_kernel_entry rows[2][2] = {
        {rows_int64_t_int64_t, rows_int64_t_int32_t},
        {rows_int32_t_int64_t, rows_int32_t_int32_t}};
    bool half = tutti_type_size(s->item) == 4;
    switch (s->form) {
    case TUTTI_FORM_SCALAR:
        return scalar_entry(s);
    case TUTTI_FORM_ROW:
        return row_entry(s, half);
    case TUTTI_FORM_ROWS:
        return rows[half][tutti_type_size(s->result) == 4];
    case TUTTI_FORM_BLOCK:
        return block;
    case TUTTI_FORM_POINTS:
        return points;
    case TUTTI_FORM_EACH:
        break;
    }
    return NULL;
}
