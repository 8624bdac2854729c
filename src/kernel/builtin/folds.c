#include "kernel/builtin/folds.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* Unrolled it is three times as large, and no faster from memory. */
#if defined __GNUC__ && !defined __clang__
#ifdef __AVX2__
#pragma GCC optimize("O2")
#else
#pragma GCC optimize("Os")
#endif
#endif

/* Lanes of T are so many vectors. */
#define COUNT(T) (TT_FOLD_LANES * sizeof(T) / TT_ISA_VECTOR)

#define TYPES(T, whole) \
    typedef T vector_##T __attribute__((vector_size(TT_ISA_VECTOR))); \
    typedef whole mask_##T __attribute__((vector_size(TT_ISA_VECTOR))); \
    typedef T loose_##T __attribute__((vector_size(TT_ISA_VECTOR), \
                                       aligned(sizeof(T)), may_alias));

TYPES(double, int64_t)
TYPES(float, int32_t)
TYPES(int64_t, int64_t)
TYPES(int32_t, int32_t)
TYPES(uint64_t, int64_t)
TYPES(uint32_t, int32_t)

#define ADD(T, a, b) ((a) + (b))
#define MULTIPLY(T, a, b) ((a) * (b))
#define CHOOSE(T, mask, a, b) \
    (vector_##T)(((mask) & (mask_##T)(b)) | (~(mask) & (mask_##T)(a)))
#define LESS(T, a, b) CHOOSE(T, (b) < (a), a, b)
#define MORE(T, a, b) CHOOSE(T, (b) > (a), a, b)
#define LESS_REAL(T, a, b) CHOOSE(T, ((b) < (a)) | ((b) != (b)), a, b)
#define MORE_REAL(T, a, b) CHOOSE(T, ((b) > (a)) | ((b) != (b)), a, b)

/* What is left over is filled up with what changes nothing. */
#define FOLD(name, T, JOIN, nothing) \
    static void name##_##T(void *lanes, const void *from, size_t n) \
    { \
        vector_##T sum[COUNT(T)]; \
        T rest[TT_FOLD_LANES]; \
        const T *x = from; \
        size_t left = n % TT_FOLD_LANES; \
        for (size_t l = 0; l < TT_FOLD_LANES; l++) \
            rest[l] = nothing; \
        memcpy(rest, x + (n - left), left * sizeof(T)); \
        memcpy(sum, lanes, sizeof sum); \
        size_t rounds = n / TT_FOLD_LANES + (left > 0); \
        for (; rounds > 0; rounds--, x += TT_FOLD_LANES) { \
            x = rounds == 1 && left ? rest : x; \
            for (size_t v = 0; v < COUNT(T); v++) \
                sum[v] = JOIN(T, sum[v], ((const loose_##T *)x)[v]); \
        } \
        memcpy(lanes, sum, sizeof sum); \
    }

#define SUMS(T) FOLD(sum, T, ADD, 0) FOLD(prod, T, MULTIPLY, 1)
SUMS(double)
SUMS(float)
SUMS(uint64_t)
SUMS(uint32_t)
FOLD(min, double, LESS_REAL, (double)INFINITY)
FOLD(max, double, MORE_REAL, -(double)INFINITY)
FOLD(min, float, LESS_REAL, INFINITY)
FOLD(max, float, MORE_REAL, -INFINITY)
FOLD(min, int64_t, LESS, INT64_MAX)
FOLD(max, int64_t, MORE, INT64_MIN)
FOLD(min, int32_t, LESS, INT32_MAX)
FOLD(max, int32_t, MORE, INT32_MIN)
FOLD(min, uint64_t, LESS, UINT64_MAX)
FOLD(max, uint64_t, MORE, 0)
FOLD(min, uint32_t, LESS, UINT32_MAX)
FOLD(max, uint32_t, MORE, 0)

#define ROW(name, word, half) \
    { \
        [TUTTI_F64] = name##_double, [TUTTI_F32] = name##_float, \
        [TUTTI_I64] = name##_##word, [TUTTI_I32] = name##_##half, \
        [TUTTI_U64] = name##_uint64_t, [TUTTI_U32] = name##_uint32_t \
    }

const struct tt_folds TT_ISA_NAME(tt_folds) = {{
    [TUTTI_OP_SUM] = ROW(sum, uint64_t, uint32_t),
    [TUTTI_OP_PROD] = ROW(prod, uint64_t, uint32_t),
    [TUTTI_OP_MIN] = ROW(min, int64_t, int32_t),
    [TUTTI_OP_MAX] = ROW(max, int64_t, int32_t),
}};
