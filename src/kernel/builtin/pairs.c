#include "kernel/builtin/pairs.h"

#include <stdint.h>

#ifdef __x86_64__
#include <immintrin.h>
#endif

typedef long long bits __attribute__((vector_size(TT_ISA_VECTOR)));

/* `to` is aligned. */
static inline void store_past(void *to, bits value)
{
#if defined __AVX512F__
    _mm512_stream_si512(to, (__m512i)value);
#elif defined __AVX2__
    _mm256_stream_si256(to, (__m256i)value);
#elif defined __x86_64__
    _mm_stream_si128(to, (__m128i)value);
#else
    *(bits *)to = value;
#endif
}

/* Such stores are seen in order again. */
static inline void settle(void)
{
#ifdef __x86_64__
    _mm_sfence();
#endif
}

#define PAIR(name, type, op) \
    typedef type name##_vector __attribute__(( \
        vector_size(TT_ISA_VECTOR), aligned(sizeof(type)), may_alias)); \
    static void name(void *to, const void *left, const void *right, size_t n, \
                     bool past) \
    { \
        const size_t width = TT_ISA_VECTOR / sizeof(type); \
        type *out = to; \
        const type *a = left, *b = right; \
        size_t i = 0; \
        for (; past && i < n && (uintptr_t)(out + i) % TT_ISA_VECTOR; i++) \
            out[i] = a[i] op b[i]; \
        for (; past && i + width <= n; i += width) \
            store_past(out + i, (bits)(*(const name##_vector *)(a + i) op * \
                                       (const name##_vector *)(b + i))); \
        for (; i + width <= n; i += width) \
            *(name##_vector *)(out + i) = *(const name##_vector *)(a + i) op * \
                                          (const name##_vector *)(b + i); \
        for (; i < n; i++) \
            out[i] = a[i] op b[i]; \
        if (past) \
            settle(); \
    }

PAIR(multiply_f64, double, *)
PAIR(multiply_f32, float, *)
PAIR(multiply_i64, uint64_t, *)
PAIR(multiply_i32, uint32_t, *)
PAIR(add_f64, double, +)
PAIR(add_f32, float, +)
PAIR(add_i64, uint64_t, +)
PAIR(add_i32, uint32_t, +)

const struct tt_pairs TT_ISA_NAME(tt_pairs) = {
    .f64 = {multiply_f64, add_f64},
    .f32 = {multiply_f32, add_f32},
    .i64 = {multiply_i64, add_i64},
    .i32 = {multiply_i32, add_i32},
};
