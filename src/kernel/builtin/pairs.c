#include "kernel/builtin/pairs.h"

#include <stdint.h>
#include <string.h>

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

/* Less than a vector goes through one of its own. */
#define PAIR(name, type, op) \
    typedef type name##_vector __attribute__((vector_size(TT_ISA_VECTOR))); \
    typedef type name##_memory __attribute__(( \
        vector_size(TT_ISA_VECTOR), aligned(sizeof(type)), may_alias)); \
    static __attribute__((noinline)) void name##_few( \
        char *out, const char *a, const char *b, size_t size) \
    { \
        name##_vector x = {0}, y = {0}; \
        memcpy(&x, a, size); \
        memcpy(&y, b, size); \
        x = x op y; \
        memcpy(out, &x, size); \
    } \
    static void name(void *out, const void *a, const void *b, size_t n, \
                     bool past) \
    { \
        size_t i = 0, size = n * sizeof(type); \
        char *to = out; \
        const char *x = a, *y = b; \
        if (past) { \
            size_t head = -(uintptr_t)to % TT_ISA_VECTOR; \
            i = head < size ? head : size; \
            name##_few(to, x, y, i); \
            for (; i + TT_ISA_VECTOR <= size; i += TT_ISA_VECTOR) \
                store_past(to + i, (bits)(*(const name##_memory *)(x + i) op * \
                                          (const name##_memory *)(y + i))); \
            settle(); \
        } \
        for (; i + TT_ISA_VECTOR <= size; i += TT_ISA_VECTOR) \
            *(name##_memory *)(to + i) = *(const name##_memory *)(x + i) op * \
                                         (const name##_memory *)(y + i); \
        if (i < size) \
            name##_few(to + i, x + i, y + i, size - i); \
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
