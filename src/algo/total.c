/* The sum of all elements. */
#include "algo/linalg.h"

#include <string.h>

#include "core/status.h"

/* Blocks of a partial result: a power of two, so that the tree of blocks is
 * the same at any. */
#define UNIT 8

struct sum {
    tutti_type type;
    size_t size, block; /* bytes of an element; elements of a block */
    tutti_matrix x;
    size_t n;
    tt_pair add;
};

union number {
    double f64;
    float f32;
    uint64_t whole;
};

static union number sum_block(const struct sum *s, size_t block)
{
    _Alignas(64) char buffer[TT_SUM_BLOCK];
    size_t first = block * s->block, left = s->n - first;
    size_t n = left < s->block ? left : s->block;
    const void *x = tt_linalg_read(s->x, s->size, first, n, buffer);
    if (s->n * s->size > TT_LINALG_FAR && x != buffer)
        tt_linalg_ahead((const char *)x + TT_SUM_BLOCK, TT_SUM_BLOCK);
    switch (s->type) {
    case TUTTI_F64:
        return (union number){.f64 = tt_sums()->f64(x, n)};
    case TUTTI_F32:
        return (union number){.f32 = tt_sums()->f32(x, n)};
    case TUTTI_I64:
        return (union number){.whole = tt_sums()->i64(x, n)};
    default:
        return (union number){.whole = tt_sums()->i32(x, n)};
    }
}

static void combine(void *left, const void *right, void *context)
{
    const struct sum *s = context;
    s->add(left, left, right, 1, false);
}

/* Blocks [begin, end), at most UNIT of them, as tutti_reduce() joins them. */
static int sum_blocks(void *partial, size_t begin, size_t end, void *context)
{
    union number sum, right;
    size_t half = 1;
    if (end - begin == 1) {
        sum = sum_block(context, begin);
    } else {
        while (half * 2 < end - begin)
            half *= 2;
        sum_blocks(&sum, begin, begin + half, context);
        sum_blocks(&right, begin + half, end, context);
        combine(&sum, &right, context);
    }
    memcpy(partial, &sum, sizeof sum);
    return 0;
}

tutti_status tutti_sum(tutti_type type, void *result, tutti_matrix x,
                       const tutti_options *options)
{
    tutti_status status = tt_linalg_check("tutti_sum", type, options);
    if (!status && !result)
        status = tt_fail(TUTTI_EARG, "tutti_sum: result is NULL");
    if (!status)
        status = tt_linalg_check_matrix("tutti_sum", "x", x, false);
    if (status)
        return status;

    struct sum s = {.type = type, .size = tutti_type_size(type)};
    tutti_type of = type == TUTTI_I32 ? TUTTI_I64 : type;
    s.block = TT_SUM_BLOCK / s.size;
    s.x = tt_linalg_by_columns(x) ? tt_linalg_transpose(x) : x;
    s.n = x.rows * x.columns;
    s.add = tt_linalg_pair(of, TT_PAIR_ADD);
    const union number zero = {.whole = 0};
    union number sum;
    const tutti_fold fold = {sizeof sum, &zero, sum_blocks, combine};
    status = tutti_reduce(&sum, &fold, (s.n + s.block - 1) / s.block, UNIT, &s,
                          0, options);
    if (!status)
        memcpy(result, &sum, tutti_type_size(of));
    return status;
}
