#include "kernel/builtin/gemm.h"

#include <string.h>

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
#define WIDTH 3
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

/* The sum of products in registers: z = add(z, x, y) for all of a tile. */
#define KERNEL(name, scalar, vector, add) \
    static void name(void *tile, const void *left, const void *right, \
                     size_t steps) \
    { \
        const scalar *a = left; \
        const vector *b = right; \
        vector sum[HEIGHT][WIDTH] = {{{0}}}; \
        for (; steps; steps--, a += HEIGHT, b += WIDTH) { \
            vector row[WIDTH] = {b[0], b[1], b[2]}; \
            _Pragma("GCC unroll 8") for (size_t r = 0; r < HEIGHT; r++) \
            { \
                vector x = a[r] - (vector){0}; \
                sum[r][0] = add(sum[r][0], x, row[0]); \
                sum[r][1] = add(sum[r][1], x, row[1]); \
                sum[r][2] = add(sum[r][2], x, row[2]); \
            } \
        } \
        memcpy(tile, sum, sizeof sum); \
    }

KERNEL(run_f64, double, f64, ADD_F64)
KERNEL(run_f32, float, f32, ADD_F32)
KERNEL(run_u64, uint64_t, u64, ADD_U64)

#ifdef __AVX512F__
/* AVX-512 came without these; where they are is asked when a tile runs. */
KERNEL(run_i16_basic, uint32_t, u32, ADD_I16)

#define ADD_VNNI(z, x, y) \
    (u32) _mm512_dpwssd_epi32((__m512i)(z), (__m512i)(x), (__m512i)(y))
__attribute__((target("avx512vnni")))
KERNEL(run_i16_vnni, uint32_t, u32, ADD_VNNI)

    static void run_i16(void *tile, const void *left, const void *right,
                        size_t steps)
{
    if (__builtin_cpu_supports("avx512vnni"))
        run_i16_vnni(tile, left, right, steps);
    else
        run_i16_basic(tile, left, right, steps);
}

/* The lower and the upper 52 bits of products of the lower 52 bits. */
#define LOW_HEIGHT 4
__attribute__((target("avx512ifma"))) static void
run_low(void *tile, const void *left, const void *right, size_t steps)
{
    const uint64_t *a = left;
    const u64 *b = right;
    __m512i low[LOW_HEIGHT][WIDTH] = {{{0}}}, high[LOW_HEIGHT][WIDTH] = {{{0}}};
    for (; steps; steps--, a += LOW_HEIGHT, b += WIDTH) {
        _Pragma("GCC unroll 8") for (size_t r = 0; r < LOW_HEIGHT; r++)
        {
            __m512i x = _mm512_set1_epi64((long long)a[r]);
            _Pragma("GCC unroll 8") for (size_t v = 0; v < WIDTH; v++)
            {
                __m512i y = (__m512i)b[v];
                low[r][v] = _mm512_madd52lo_epu64(low[r][v], x, y);
                high[r][v] = _mm512_madd52hi_epu64(high[r][v], x, y);
            }
        }
    }
    u64 *out = tile;
    for (size_t r = 0; r < LOW_HEIGHT; r++)
        for (size_t v = 0; v < WIDTH; v++)
            *out++ = (u64)low[r][v] + ((u64)high[r][v] << 52);
}

/* A product of 64 bits is three instructions on Intel's, one on others. */
static bool split(void)
{
    return __builtin_cpu_supports("avx512ifma") &&
           __builtin_cpu_supports("avx512vnni") && __builtin_cpu_is("intel");
}
#else
KERNEL(run_i16, uint32_t, u32, ADD_I16)
#define run_low run_u64
#define LOW_HEIGHT HEIGHT

static bool split(void)
{
    return false;
}
#endif

/* Packing: `value` makes an element from that at `x`. Only lanes that lie side
 * by side are worth vectors; for others the empty statement forbids them. */
#define LANES(out, type, value) \
    if (lane_stride == sizeof(any_##type)) \
        for (size_t l = 0; l < lanes; l++) { \
            const any_##type *x = (const any_##type *)from + l; \
            out[l] = value; \
        } \
    else \
        for (size_t l = 0; l < lanes; l++) { \
            const any_##type *x = \
                (const any_##type *)(from + (ptrdiff_t)l * lane_stride); \
            out[l] = value; \
            __asm__ volatile(""); \
        } \
    for (size_t l = lanes; l < width; l++) \
        out[l] = 0;

#define PACK(name, type, packed, value) \
    static void name(void *to, size_t width, const char *from, size_t lanes, \
                     ptrdiff_t lane_stride, size_t n, ptrdiff_t stride) \
    { \
        packed *restrict out = to; \
        for (; n; n--, from += stride, out += width) { \
            LANES(out, type, value) \
        } \
    }

PACK(pack_u64, u64, uint64_t, *x)
PACK(pack_u32, u32, uint32_t, *x)
PACK(pack_exact, u64, double, (double)(int64_t)*x)

/* The lower 16 bits, of two values of k in an element; the last may be alone.
 * For numbers of 64 bits too, whose lower half comes first. */
static void pack_pairs(void *to, size_t width, const char *from, size_t lanes,
                       ptrdiff_t lane_stride, size_t n, ptrdiff_t stride)
{
    uint32_t *restrict out = to;
    for (; n > 0; n -= n > 1 ? 2 : 1, from += 2 * stride, out += width) {
        ptrdiff_t next = n > 1 ? stride : 0;
        LANES(out, u32,
              (uint16_t)*x | *(const any_u32 *)((const char *)x + next) << 16)
        if (n == 1) /* it is there twice */
            for (size_t l = 0; l < width; l++)
                out[l] = (uint16_t)out[l];
    }
}

/* A 32-bit number as its halves with a sign, the lower one first. */
PACK(pack_halves, u32, uint32_t, *x + (*x << 1 & 0x10000))

/* The lower 16 bits, of which 12 matter, and those above 52. */
PACK(pack_ends, u64, uint32_t, (uint16_t)*x | (uint32_t)(*x >> 52) << 16)

/* The right operand's are the other way round: the products are those of the
 * lower part of one with the upper part of the other. */
#define TURNED(name, pack) \
    static void name(void *to, size_t width, const char *from, size_t lanes, \
                     ptrdiff_t lane_stride, size_t n, ptrdiff_t stride) \
    { \
        uint32_t *out = to; \
        pack(to, width, from, lanes, lane_stride, n, stride); \
        for (size_t i = 0; i < n * width; i++) \
            out[i] = out[i] << 16 | out[i] >> 16; \
    }

TURNED(pack_halves_turned, pack_halves)
TURNED(pack_ends_turned, pack_ends)

/* Storing: `value` is made from `t`. */
#define STORE(name, type, number, value) \
    static void name(char *restrict c, ptrdiff_t row_stride, size_t rows, \
                     size_t columns, const void *restrict tile, size_t width, \
                     unsigned shift, bool add) \
    { \
        const number *from = tile; \
        (void)shift; \
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
STORE(store_i16_64, u64, int32_t, (uint64_t)(int64_t)t << shift)
STORE(store_i16_32, u32, uint32_t, t << shift)

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

#define TERM(height, type, left, right, run, store, ...) \
    { \
        height, COLUMNS(type), sizeof(type), pack_##left, pack_##right, \
            run_##run, store_##store, __VA_ARGS__ \
    }

const struct tt_gemm TT_ISA_NAME(tt_gemm) = {
    .f64 = TERM(HEIGHT, double, u64, u64, f64, f64, 1, 0),
    .f32 = TERM(HEIGHT, float, u32, u32, f32, f32, 1, 0),
    .narrow64 = TERM(HEIGHT, int32_t, pairs, pairs, i16, i16_64, 2, 0),
    .exact64 = TERM(HEIGHT, double, exact, exact, f64, exact, 1, 0),
    .wide64 = TERM(HEIGHT, int64_t, u64, u64, u64, u64, 1, 0),
    .low64 = TERM(LOW_HEIGHT, int64_t, u64, u64, low, u64, 1, 0),
    .cross64 = TERM(HEIGHT, int32_t, ends, ends_turned, i16, i16_64, 1, 52),
    .low32 = TERM(HEIGHT, int32_t, pairs, pairs, i16, i16_32, 2, 0),
    .cross32 = TERM(HEIGHT, int32_t, halves, halves_turned, i16, i16_32, 1, 16),
    .split = split,
    .bits64 = bits64,
    .bits32 = bits32,
};
