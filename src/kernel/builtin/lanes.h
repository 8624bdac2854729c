/* A register of 64-bit numbers, and what GNU vectors do not say well. */
#ifndef TT_KERNEL_BUILTIN_LANES_H
#define TT_KERNEL_BUILTIN_LANES_H

#include <stdint.h>

#include "kernel/builtin/isa.h"

#if defined __x86_64__
#include <immintrin.h>
#elif defined __aarch64__
#include <arm_neon.h>
#endif

typedef uint64_t tt_lanes __attribute__((vector_size(TT_ISA_VECTOR)));
typedef double tt_reals __attribute__((vector_size(TT_ISA_VECTOR)));
typedef double tt_reals_at
    __attribute__((vector_size(TT_ISA_VECTOR), aligned(8), may_alias));

#define TT_LANES (TT_ISA_VECTOR / 8)

/* The products of the low words of `a` and of `b`. */
static inline tt_lanes tt_lanes_multiply(tt_lanes a, tt_lanes b)
{
#if defined __AVX512F__
    return (tt_lanes)_mm512_mul_epu32((__m512i)a, (__m512i)b);
#elif defined __AVX2__
    return (tt_lanes)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#elif defined __x86_64__
    return (tt_lanes)_mm_mul_epu32((__m128i)a, (__m128i)b);
#elif defined __aarch64__
    return (tt_lanes)vmull_u32(vmovn_u64((uint64x2_t)a),
                               vmovn_u64((uint64x2_t)b));
#else
    return (a & 0xffffffff) * (b & 0xffffffff);
#endif
}

static inline tt_lanes tt_lanes_xor(tt_lanes a, tt_lanes b, tt_lanes c)
{
#if defined __AVX512F__
    return (tt_lanes)_mm512_ternarylogic_epi64((__m512i)a, (__m512i)b,
                                               (__m512i)c, 0x96);
#else
    return a ^ b ^ c;
#endif
}

/* (a & mask) | bits, where `bits` has none of `mask`. */
static inline tt_lanes tt_lanes_insert(tt_lanes a, tt_lanes mask, tt_lanes bits)
{
#if defined __AVX512F__
    return (tt_lanes)_mm512_ternarylogic_epi64((__m512i)a, (__m512i)mask,
                                               (__m512i)bits, 0xea);
#else
    return (a & mask) | bits;
#endif
}

static inline tt_lanes tt_lanes_all(uint64_t value)
{
    return (tt_lanes){0} + value;
}

static inline tt_reals tt_reals_all(double value)
{
    return (tt_reals){0} + value;
}

/* The numbers 0, 1, 2, ... */
static inline tt_lanes tt_lanes_count(void)
{
    tt_lanes count;
    for (unsigned l = 0; l < TT_LANES; l++)
        count[l] = l;
    return count;
}

/* The upper halves of doubles whose lower halves are a word w: 2^20 + w / 2^32;
 * and of those with the upper 21 bits of w behind that: 2^-12 + w / 2^64. */
#define TT_LANES_HIGH 0x4130000000000000u
#define TT_LANES_LOW 0x3f30000000000000u

/* The low word of a ^ b ^ c under the upper half of c. */
static inline tt_lanes tt_lanes_xor_low(tt_lanes a, tt_lanes b, tt_lanes c)
{
#if defined __AVX512F__
    return (tt_lanes)_mm512_mask_ternarylogic_epi32(
        (__m512i)c, 0x5555, (__m512i)a, (__m512i)b, 0x96);
#else
    return ((a ^ b) & 0xffffffff) ^ c;
#endif
}

/* (h * 2^21 + (l >> 11)) * 2^-53 - less; exact for less = 0 and 0.5. h is under
 * TT_LANES_HIGH, of l the low word counts. */
static inline tt_reals tt_lanes_uniform(tt_lanes h, tt_lanes l, double less)
{
    l = tt_lanes_insert(l, tt_lanes_all(0xfffff800),
                        tt_lanes_all(TT_LANES_LOW));
    return ((tt_reals)h - tt_reals_all(0x1p20 + 0x1p-12 + less)) + (tt_reals)l;
}

/* (w + 0.5) * 2^-32; w is under TT_LANES_HIGH. */
static inline tt_reals tt_lanes_uniform_32(tt_lanes w)
{
    return (tt_reals)w - tt_reals_all(0x1p20 - 0x1p-33);
}

/* The low word under TT_LANES_HIGH. */
static inline tt_lanes tt_lanes_high(tt_lanes w)
{
    return tt_lanes_insert(w, tt_lanes_all(0xffffffff),
                           tt_lanes_all(TT_LANES_HIGH));
}

#endif
