#include "kernel/builtin/gemm.h"

#if defined __x86_64__
#include <immintrin.h>
#elif defined __aarch64__
#include <arm_neon.h>
#endif

typedef double f64 __attribute__((vector_size(TT_ISA_VECTOR)));
typedef float f32 __attribute__((vector_size(TT_ISA_VECTOR)));
typedef uint64_t u64 __attribute__((vector_size(TT_ISA_VECTOR)));
typedef uint32_t u32 __attribute__((vector_size(TT_ISA_VECTOR)));

/* One element in memory, at any address. */
#define ANYWHERE __attribute__((aligned(1), may_alias))
typedef uint64_t any_u64 ANYWHERE;
typedef uint32_t any_u32 ANYWHERE;
typedef double any_f64 ANYWHERE;
typedef float any_f32 ANYWHERE;

/* A tile is 3 vectors wide, and as high as the registers allow that hold it
 * together with a row of the right operand and one number of the left. */
#define WIDTH TT_GEMM_WIDTH
#define COLUMNS(type) (WIDTH * TT_ISA_VECTOR / sizeof(type))
#if TT_ISA_VECTOR == 64
#define HEIGHT 8
#else
#define HEIGHT 4
#endif

#if defined __AVX512F__
#define ADD_F64(z, x, y) (f64) _mm512_fmadd_pd(x, y, z)
#define ADD_F32(z, x, y) (f32) _mm512_fmadd_ps(x, y, z)
#define DOT_I16(x, y) (u32) _mm512_madd_epi16((__m512i)(x), (__m512i)(y))
#elif defined __AVX2__
#define ADD_F64(z, x, y) (f64) _mm256_fmadd_pd(x, y, z)
#define ADD_F32(z, x, y) (f32) _mm256_fmadd_ps(x, y, z)
#define DOT_I16(x, y) (u32) _mm256_madd_epi16((__m256i)(x), (__m256i)(y))
#elif defined __aarch64__ && defined __clang__
#define ADD_F64(z, x, y) (f64) vfmaq_f64((float64x2_t)(z), x, y)
#define ADD_F32(z, x, y) (f32) vfmaq_f32((float32x4_t)(z), x, y)
#else
#ifdef __aarch64__
/* With vfmaq_f64() gcc stores all sums at every step. */
#pragma GCC optimize("fp-contract=fast")
#endif
#define ADD_F64(z, x, y) ((z) + (x) * (y))
#define ADD_F32(z, x, y) ((z) + (x) * (y))
#endif
#if !defined DOT_I16 && defined __SSE2__
#define DOT_I16(x, y) (u32) _mm_madd_epi16((__m128i)(x), (__m128i)(y))
#elif defined __aarch64__
static inline u32 dot_i16(u32 x, u32 y)
{
    int16x8_t a = (int16x8_t)x, b = (int16x8_t)y;
    return (u32)vpaddq_s32(vmull_s16(vget_low_s16(a), vget_low_s16(b)),
                           vmull_high_s16(a, b));
}
#define DOT_I16(x, y) dot_i16(x, y)
#elif !defined DOT_I16
typedef int32_t i32 __attribute__((vector_size(TT_ISA_VECTOR)));
#define LOW(x) ((i32)((x) << 16) >> 16)
#define HIGH(x) ((i32)(x) >> 16)
#define DOT_I16(x, y) ((u32)(LOW(x) * LOW(y)) + (u32)(HIGH(x) * HIGH(y)))
#endif
#define ADD_U64(z, x, y) ((z) + (x) * (y))
#define ADD_I16(z, x, y) ((z) + DOT_I16(x, y))

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")
#define NO_TARGET

/* What a kernel does, for any number of vectors: its own code for each. */
#define WIDTHS(name, target) \
    target static void name(void *tile, const void *left, size_t pitch, \
                            const void *right, size_t steps, size_t vectors) \
    { \
        if (vectors == 1) \
            name##_by(1, tile, left, pitch, right, steps); \
        else if (vectors == 2) \
            name##_by(2, tile, left, pitch, right, steps); \
        else \
            name##_by(WIDTH, tile, left, pitch, right, steps); \
    }

/* sum = add(sum, a, b) for all of a tile. */
#define STEP(name, target, height, scalar, total, vector, add) \
    target INLINE void name(total sum[][WIDTH], const scalar *a, size_t pitch, \
                            const vector *b, size_t vectors) \
    { \
        UNROLL for (size_t r = 0; r < height; r++) \
        { \
            vector x = a[r * pitch] - (vector){0}; \
            UNROLL for (size_t v = 0; v < vectors; v++) sum[r][v] = \
                add(sum[r][v], x, b[v]); \
        } \
    }

#define STORE_TILE(value) \
    UNROLL for (size_t r = 0; r < sizeof sum / sizeof *sum; r++) \
        UNROLL for (size_t v = 0; v < vectors; v++) tile[r * WIDTH + v] = \
            value;

/* The sum of products in registers. */
#define KERNEL(name, target, scalar, vector, add) \
    STEP(name##_step, target, HEIGHT, scalar, vector, vector, add) \
    target INLINE void name##_by(size_t vectors, vector *tile, \
                                 const scalar *a, size_t pitch, \
                                 const vector *b, size_t steps) \
    { \
        vector sum[HEIGHT][WIDTH] = {{{0}}}; \
        for (; steps; steps--, a++, b += WIDTH) \
            name##_step(sum, a, pitch, b, vectors); \
        STORE_TILE(sum[r][v]) \
    } \
    WIDTHS(name, target)

/* 32-bit numbers by their halves with a sign, two values of k at a time: the
 * products of a lower with an upper half, shifted, then those of the lower. */
#define WIDE32(name, target, step) \
    target INLINE void name##_by(size_t vectors, u32 *tile, const uint32_t *a, \
                                 size_t pitch, const u32 *b, size_t steps) \
    { \
        u32 sum[HEIGHT][WIDTH] = {{{0}}}; \
        const uint32_t *high = a + pitch; \
        for (size_t s = 0; s < steps; s++) { \
            step(sum, a + s, 2 * pitch, b + (2 * s + 1) * WIDTH, vectors); \
            step(sum, high + s, 2 * pitch, b + 2 * s * WIDTH, vectors); \
        } \
        UNROLL for (size_t r = 0; r < HEIGHT; r++) \
            UNROLL for (size_t v = 0; v < vectors; v++) sum[r][v] <<= 16; \
        for (size_t s = 0; s < steps; s++) \
            step(sum, a + s, 2 * pitch, b + 2 * s * WIDTH, vectors); \
        STORE_TILE(sum[r][v]) \
    } \
    WIDTHS(name, target)

KERNEL(run_f64, NO_TARGET, double, f64, ADD_F64)
KERNEL(run_f32, NO_TARGET, float, f32, ADD_F32)
KERNEL(run_u64, NO_TARGET, uint64_t, u64, ADD_U64)

#ifdef __AVX512F__
/* AVX-512 came without these; where they are is asked when a tile runs. */
KERNEL(run_i16_basic, NO_TARGET, uint32_t, u32, ADD_I16)
WIDE32(run_wide32_basic, NO_TARGET, run_i16_basic_step)

#define VNNI __attribute__((target("avx512vnni")))
#define ADD_VNNI(z, x, y) \
    (u32) _mm512_dpwssd_epi32((__m512i)(z), (__m512i)(x), (__m512i)(y))
KERNEL(run_i16_vnni, VNNI, uint32_t, u32, ADD_VNNI)
WIDE32(run_wide32_vnni, VNNI, run_i16_vnni_step)

#define EITHER(name) \
    static void name(void *tile, const void *left, size_t pitch, \
                     const void *right, size_t steps, size_t vectors) \
    { \
        (__builtin_cpu_supports("avx512vnni") ? name##_vnni : name##_basic)( \
            tile, left, pitch, right, steps, vectors); \
    }

EITHER(run_i16)
EITHER(run_wide32)

/* 64-bit numbers: products of the lower 52 bits, of which the upper 52 count
 * modulo 2^12, as do those of the ends, two values of k in a number. */
#define SPLIT __attribute__((target("avx512ifma,avx512vnni")))
#define SPLIT_HEIGHT 4
#define ADD_ENDS(z, x, y) \
    (u32) _mm512_dpwssd_epi32((__m512i)(z), (__m512i)(x), (__m512i)(y))
#define ADD_LOW(z, x, y) \
    (u64) _mm512_madd52lo_epu64((__m512i)(z), (__m512i)(x), (__m512i)(y))
#define ADD_HIGH(z, x, y) \
    (u64) _mm512_madd52hi_epu64((__m512i)(z), (__m512i)(x), (__m512i)(y))
STEP(ends_step, SPLIT, SPLIT_HEIGHT, uint64_t, u32, u64, ADD_ENDS)
STEP(low_step, SPLIT, SPLIT_HEIGHT, uint64_t, u64, u64, ADD_LOW)
STEP(high_step, SPLIT, SPLIT_HEIGHT, uint64_t, u64, u64, ADD_HIGH)

SPLIT INLINE void run_split64_by(size_t vectors, u64 *tile, const uint64_t *a,
                                 size_t pitch, const u64 *b, size_t steps)
{
    /* In turn: a sum waits for its last product. */
    u32 even[SPLIT_HEIGHT][WIDTH] = {{{0}}}, odd[SPLIT_HEIGHT][WIDTH] = {{{0}}};
    size_t s = steps % 2;
    if (s)
        ends_step(even, a + 2 * pitch, 3 * pitch, b + 2 * WIDTH, vectors);
    for (; s < steps; s += 2) {
        ends_step(odd, a + 2 * pitch + s, 3 * pitch, b + (3 * s + 2) * WIDTH,
                  vectors);
        ends_step(even, a + 2 * pitch + s + 1, 3 * pitch,
                  b + (3 * s + 5) * WIDTH, vectors);
    }
    u64 sum[SPLIT_HEIGHT][WIDTH] = {{{0}}}, high[SPLIT_HEIGHT][WIDTH];
    UNROLL for (size_t r = 0; r < SPLIT_HEIGHT; r++)
        UNROLL for (size_t v = 0; v < vectors; v++)
    {
        u64 both = (u64)(even[r][v] + odd[r][v]);
        high[r][v] = both + (both >> 32);
    }
    for (s = 0; s < steps; s++)
        UNROLL for (size_t p = 0; p < 2; p++)
        {
            low_step(sum, a + p * pitch + s, 3 * pitch, b + (3 * s + p) * WIDTH,
                     vectors);
            high_step(high, a + p * pitch + s, 3 * pitch,
                      b + (3 * s + p) * WIDTH, vectors);
        }
    STORE_TILE(sum[r][v] + (high[r][v] << 52))
}
WIDTHS(run_split64, SPLIT)

/* A product of 64 bits is three instructions on Intel's, one on others. */
static bool split(void)
{
    return __builtin_cpu_supports("avx512ifma") &&
           __builtin_cpu_supports("avx512vnni") && __builtin_cpu_is("intel");
}
#else
KERNEL(run_i16, NO_TARGET, uint32_t, u32, ADD_I16)
WIDE32(run_wide32, NO_TARGET, run_i16_step)

static bool split(void)
{
    return false;
}
#endif

/* Packing: `x` and `y` are numbers of two values of k, `out`, `more` and `last`
 * the planes. Only lanes that lie side by side are worth vectors; for others
 * the empty statement forbids them. */
#define LANES(number, x_at, y_at, ...) \
    for (size_t l = 0; l < lanes; l++) { \
        const number x = x_at, y = y_at; \
        (void)y; \
        __VA_ARGS__ \
    }

#define LINE(name, paired, number, packed, ...) \
    static void name(void *to, size_t width, const char *from, \
                     const char *next, size_t lanes, ptrdiff_t stride) \
    { \
        typedef number any_number ANYWHERE; \
        packed *restrict out = to; \
        packed *restrict more = out + width, *restrict last = more + width; \
        const any_number *xs = (const any_number *)from, \
                         *ys = (const any_number *)next; \
        (void)more, (void)last; \
        if (ys && stride == sizeof(number)) \
            LANES(number, xs[l], ys[l], __VA_ARGS__) \
        else if (paired && ys == xs + 1 && stride == 2 * sizeof(number)) \
            LANES(number, xs[2 * l], xs[2 * l + 1], __VA_ARGS__) \
        else \
            LANES(number, *(const any_number *)(from + (ptrdiff_t)l * stride), \
                  ys ? *(const any_number *)(next + (ptrdiff_t)l * stride) \
                     : 0, \
                  __VA_ARGS__ __asm__ volatile("");) \
    }

#define PAIR(x, y) (uint16_t)(x) | (uint32_t)(y) << 16
#define HALF 0x8000 /* what the lower half lacks, where it has a sign */
#define UPPER(x) ((x) >> 52)
#define ENDS(x) (uint64_t)(PAIR(x, UPPER(x)))
#define TURNED(x) (uint64_t)(PAIR(UPPER(x), x))

LINE(line_u64, 0, uint64_t, uint64_t, out[l] = x;)
LINE(line_u32, 0, uint32_t, uint32_t, out[l] = x;)
LINE(line_exact, 0, int64_t, double, out[l] = (double)x;)
LINE(line_pair64, 1, uint64_t, uint32_t, out[l] = PAIR(x, y);)
LINE(line_pair32, 1, uint32_t, uint32_t, out[l] = PAIR(x, y);)
LINE(line_halves, 1, uint32_t, uint32_t, out[l] = PAIR(x, y);
     more[l] = PAIR((x + HALF) >> 16, (y + HALF) >> 16);)
#ifdef __AVX512F__
LINE(line_ends, 1, uint64_t, uint64_t, out[l] = x; more[l] = y;
     last[l] = ENDS(x) | ENDS(y) << 32;)
LINE(line_ends_turned, 1, uint64_t, uint64_t, out[l] = x; more[l] = y;
     last[l] = TURNED(x) | TURNED(y) << 32;)
#endif

/* Storing: `value` is made from `t`. */
#define STORE(name, type, number, value) \
    static void name(char *restrict c, ptrdiff_t row_stride, size_t rows, \
                     size_t columns, const void *restrict tile, size_t width, \
                     bool add) \
    { \
        const number *from = tile; \
        for (; rows; rows--, c += row_stride, from += width) { \
            any_##type *to = (any_##type *)c; \
            if (add) \
                for (size_t j = 0; j < columns; j++) { \
                    const number t = from[j]; \
                    to[j] += value; \
                } \
            else \
                for (size_t j = 0; j < columns; j++) { \
                    const number t = from[j]; \
                    to[j] = value; \
                } \
        } \
    }

STORE(store_f64, f64, double, t)
STORE(store_f32, f32, float, t)
STORE(store_u64, u64, uint64_t, t)
STORE(store_exact, u64, double, (uint64_t)(int64_t)t)
STORE(store_i32_64, u64, int32_t, (uint64_t)(int64_t)t)
STORE(store_u32, u32, uint32_t, t)

/* The bits in which x differs from its sign, of all x. */
#define BITS(name, type, number) \
    static uint64_t name(const char *x, ptrdiff_t stride, size_t n) \
    { \
        u##number all = 0; \
        if (stride == sizeof(number)) \
            for (size_t i = 0; i < n; i++) { \
                number one = (number)((const any_##type *)x)[i]; \
                all |= (u##number)(one ^ (one < 0 ? -1 : 0)); \
            } \
        else \
            for (; n; n--, x += stride) { \
                number one = (number) * (const any_##type *)x; \
                all |= (u##number)(one ^ (one < 0 ? -1 : 0)); \
            } \
        return all; \
    }

BITS(bits64, u64, int64_t)
BITS(bits32, u32, int32_t)

#define TERM(height, type, pair, planes, left, right, run, store) \
    { \
        height, COLUMNS(type), pair, planes, sizeof(type), line_##left, \
            line_##right, run_##run, store_##store \
    }

const struct tt_gemm TT_ISA_NAME(tt_gemm) = {
    .f64 = TERM(HEIGHT, double, 1, 1, u64, u64, f64, f64),
    .f32 = TERM(HEIGHT, float, 1, 1, u32, u32, f32, f32),
    .narrow64 = TERM(HEIGHT, int32_t, 2, 1, pair64, pair64, i16, i32_64),
    .exact64 = TERM(HEIGHT, double, 1, 1, exact, exact, f64, exact),
    .wide64 = TERM(HEIGHT, int64_t, 1, 1, u64, u64, u64, u64),
#ifdef __AVX512F__
    .split64 = TERM(SPLIT_HEIGHT, int64_t, 2, 3, ends, ends_turned, split64,
                    u64),
#endif
    .split = split,
    .narrow32 = TERM(HEIGHT, int32_t, 2, 1, pair32, pair32, i16, u32),
    .wide32 = TERM(HEIGHT, int32_t, 2, 2, halves, halves, wide32, u32),
    .bits64 = bits64,
    .bits32 = bits32,
};
