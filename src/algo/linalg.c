#include "algo/linalg.h"

#include <stdint.h>
#include <string.h>

#include "algo/travel.h"
#include "core/status.h"

tutti_status tt_linalg_check(const char *what, tutti_type type,
                             const tutti_options *options)
{
    if (type != TUTTI_F64 && type != TUTTI_F32 && type != TUTTI_I64 &&
        type != TUTTI_I32)
        return tt_fail(TUTTI_EARG,
                       "%s: type %d (%s) given, TUTTI_F64, TUTTI_F32, "
                       "TUTTI_I64 or TUTTI_I32 expected",
                       what, (int)type, tutti_type_name(type));
    if (tt_travel_needed(options))
        return tt_fail(TUTTI_EPLACE,
                       "%s: other processes do not see this one's arrays: run "
                       "it on \"auto\", \"serial\" or \"threads\"",
                       what);
    return TUTTI_OK;
}

tutti_status tt_linalg_check_matrix(const char *what, const char *name,
                                    tutti_matrix x, bool written)
{
    size_t n;
    if (__builtin_mul_overflow(x.rows, x.columns, &n) || n > PTRDIFF_MAX / 8)
        return tt_fail(TUTTI_EARG, "%s: %s has %zu x %zu elements, too many",
                       what, name, x.rows, x.columns);
    if (n > 0 && !x.data)
        return tt_fail(TUTTI_EARG,
                       "%s: %s is NULL, %zu x %zu elements expected", what,
                       name, x.rows, x.columns);
    if (written && n > 1 &&
        ((x.rows > 1 && x.row_stride == 0) ||
         (x.columns > 1 && x.column_stride == 0)))
        return tt_fail(
            TUTTI_EARG,
            "%s: %s has a stride of 0: its elements share memory and "
            "cannot all be written",
            what, name);
    return TUTTI_OK;
}

tutti_matrix tt_linalg_transpose(tutti_matrix x)
{
    return (tutti_matrix){x.data, x.columns, x.rows, x.column_stride,
                          x.row_stride};
}

static size_t magnitude(ptrdiff_t stride)
{
    return stride < 0 ? -(size_t)stride : (size_t)stride;
}

bool tt_linalg_by_columns(tutti_matrix x)
{
    return x.rows > 1 && x.columns > 1 &&
           magnitude(x.row_stride) < magnitude(x.column_stride);
}

/* Addresses from the first byte up to the one behind the last. */
static void extent(tutti_matrix x, size_t size, uintptr_t *from, uintptr_t *to)
{
    uintptr_t down = (x.rows - 1) * magnitude(x.row_stride);
    uintptr_t across = (x.columns - 1) * magnitude(x.column_stride);
    *from = (uintptr_t)x.data - (x.row_stride < 0 ? down : 0) -
            (x.column_stride < 0 ? across : 0);
    *to = *from + down + across + size;
}

bool tt_linalg_overlaps(tutti_matrix a, tutti_matrix b, size_t size)
{
    uintptr_t a_from, a_to, b_from, b_to;
    if (a.rows == 0 || a.columns == 0 || b.rows == 0 || b.columns == 0)
        return false;
    extent(a, size, &a_from, &a_to);
    extent(b, size, &b_from, &b_to);
    return a_from < b_to && b_from < a_to;
}

bool tt_linalg_same(tutti_matrix a, tutti_matrix b)
{
    return a.data == b.data && a.rows == b.rows && a.columns == b.columns &&
           (a.rows == 1 || a.row_stride == b.row_stride) &&
           (a.columns == 1 || a.column_stride == b.column_stride);
}

static char *element(tutti_matrix x, size_t row, size_t column)
{
    return (char *)x.data + (ptrdiff_t)row * x.row_stride +
           (ptrdiff_t)column * x.column_stride;
}

void *tt_linalg_place(tutti_matrix x, size_t size, size_t first, size_t n)
{
    size_t row = x.rows > 1 ? first / x.columns : 0;
    size_t column = first - row * x.columns;
    char *data = n ? element(x, row, column) : x.data;
    if ((uintptr_t)data % size != 0 ||
        (n > 1 && x.columns > 1 && x.column_stride != (ptrdiff_t)size) ||
        (n > x.columns - column &&
         x.row_stride != (ptrdiff_t)(x.columns * size)))
        return NULL;
    return data;
}

/* Sizes that are known let a compiler load and store. */
static void copy_row(char *to, ptrdiff_t to_stride, const char *from,
                     ptrdiff_t from_stride, size_t n, size_t size)
{
    if (to_stride == (ptrdiff_t)size && from_stride == (ptrdiff_t)size)
        memcpy(to, from, n * size);
    else if (size == 8)
        for (size_t i = 0; i < n; i++, to += to_stride, from += from_stride)
            memcpy(to, from, 8);
    else
        for (size_t i = 0; i < n; i++, to += to_stride, from += from_stride)
            memcpy(to, from, 4);
}

/* Copies n elements from `first` on between the matrix and values. */
static void copy(tutti_matrix x, size_t size, size_t first, size_t n,
                 char *values, bool out)
{
    size_t row = x.rows > 1 ? first / x.columns : 0;
    size_t column = first - row * x.columns;
    for (size_t run; n > 0; n -= run, row++, column = 0) {
        char *at = element(x, row, column);
        run = x.columns - column < n ? x.columns - column : n;
        if (out)
            copy_row(at, x.column_stride, values, (ptrdiff_t)size, run, size);
        else
            copy_row(values, (ptrdiff_t)size, at, x.column_stride, run, size);
        values += run * size;
    }
}

const void *tt_linalg_read(tutti_matrix x, size_t size, size_t first, size_t n,
                           void *buffer)
{
    const void *there = tt_linalg_place(x, size, first, n);
    if (there)
        return there;
    copy(x, size, first, n, buffer, false);
    return buffer;
}

void tt_linalg_write(tutti_matrix x, size_t size, size_t first, size_t n,
                     const void *values)
{
    copy(x, size, first, n, (char *)(uintptr_t)values, true);
}

tt_pair tt_linalg_pair(tutti_type type, enum tt_pair_op op)
{
    const struct tt_pairs *pairs = tt_pairs();
    const tt_pair *const all[] = {[TUTTI_F64] = pairs->f64,
                                  [TUTTI_F32] = pairs->f32,
                                  [TUTTI_I64] = pairs->i64,
                                  [TUTTI_I32] = pairs->i32};
    return all[type][op];
}
