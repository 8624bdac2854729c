/* Entries for functions that are compiled already: one for each pair of types
 * that are passed by value. */
#include "kernel/wrapper.h"

#define PARAMETERS \
    tt_kernel_function function, size_t n, const void *items, size_t width, \
        void *results, size_t out_width

#define SCALAR(T, U) \
    static void scalar_##T##_##U(PARAMETERS) \
    { \
        U (*f)(T) = (U(*)(T))function; \
        const T *x = items; \
        U *y = results; \
        (void)width, (void)out_width; \
        for (size_t i = 0; i < n; i++) \
            y[i] = f(x[i]); \
    }

#define ROW(T, U) \
    static void row_##T##_##U(PARAMETERS) \
    { \
        U (*f)(const T *, int) = (U(*)(const T *, int))function; \
        const T *x = items; \
        U *y = results; \
        (void)out_width; \
        for (size_t i = 0; i < n; i++) \
            y[i] = f(x + i * width, (int)width); \
    }

#define ROWS(T, U) \
    static void rows_##T##_##U(PARAMETERS) \
    { \
        void (*f)(const T *, int, U *) = \
            (void (*)(const T *, int, U *))function; \
        const T *x = items; \
        U *y = results; \
        for (size_t i = 0; i < n; i++) \
            f(x + i * width, (int)width, y + i * out_width); \
    }

#define BLOCK(T, U) \
    static void block_##T##_##U(PARAMETERS) \
    { \
        void (*f)(size_t, const T *, U *) = \
            (void (*)(size_t, const T *, U *))function; \
        (void)width, (void)out_width; \
        f(n, items, results); \
    }

#define PAIR(T, U) SCALAR(T, U) ROW(T, U) ROWS(T, U) BLOCK(T, U)
#define ITEM(T) PAIR(T, double) PAIR(T, float) PAIR(T, int64_t) PAIR(T, int32_t)

ITEM(double)
ITEM(float)
ITEM(int64_t)
ITEM(int32_t)

#define FORMS(T, U) \
    { \
        [TUTTI_FORM_SCALAR] = scalar_##T##_##U, \
        [TUTTI_FORM_BLOCK] = block_##T##_##U, \
        [TUTTI_FORM_ROW] = row_##T##_##U, [TUTTI_FORM_ROWS] = rows_##T##_##U \
    }
#define RESULTS(T) \
    { \
        [TUTTI_F64] = FORMS(T, double), [TUTTI_F32] = FORMS(T, float), \
        [TUTTI_I64] = FORMS(T, int64_t), [TUTTI_I32] = FORMS(T, int32_t) \
    }

tt_kernel_entry tt_native_entry(const struct tt_signature *signature)
{
    static const tt_kernel_entry entries[5][5][5] = {
        [TUTTI_F64] = RESULTS(double),
        [TUTTI_F32] = RESULTS(float),
        [TUTTI_I64] = RESULTS(int64_t),
        [TUTTI_I32] = RESULTS(int32_t),
    };
    return entries[signature->item][signature->result][signature->form];
}
