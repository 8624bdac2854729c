#include "kernel/builtin/turns.h"

/* Of widths that it knows, the compiler makes shuffles of vectors. */
#define TURN(T, name) \
    static inline __attribute__((always_inline)) void name##_columns( \
        T *restrict to, const T *restrict from, size_t n, size_t width) \
    { \
        for (size_t i = 0; i < n; i++) \
            for (size_t d = 0; d < width; d++) \
                to[d * n + i] = from[i * width + d]; \
    } \
    static void name(T *restrict to, const T *restrict from, size_t n, \
                     size_t width) \
    { \
        if (width == 2) \
            name##_columns(to, from, n, 2); \
        else if (width == 4) \
            name##_columns(to, from, n, 4); \
        else \
            name##_columns(to, from, n, width); \
    }

TURN(uint64_t, u64)
TURN(uint32_t, u32)

typedef double two __attribute__((vector_size(16)));
typedef double two_at __attribute__((vector_size(16), aligned(8), may_alias));

/* Two columns at a time: half of the stores. */
static void rows(double *restrict to, const double *restrict from, size_t n,
                 size_t width)
{
    size_t d = 0;
    for (; width > 2 && d + 2 <= width; d += 2)
        for (size_t i = 0; i < n; i++)
            *(two_at *)(to + i * width + d) =
                (two){from[d * n + i], from[(d + 1) * n + i]};
    for (size_t i = 0; width == 2 && i < n; i++) {
        to[2 * i] = from[i];
        to[2 * i + 1] = from[n + i];
    }
    for (size_t i = 0; width % 2 && i < n; i++)
        to[i * width + width - 1] = from[(width - 1) * n + i];
}

const struct tt_turns TT_ISA_NAME(tt_turns) = {u64, u32, rows};
