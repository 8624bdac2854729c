/* The shipped kernels: each source here is compiled once for every instruction
 * set (meson.build), and a table of functions chosen at run time.
 *
 * A topic's header declares its table by TT_ISA_TABLE(struct tt_sums, tt_sums);
 * its source defines `const struct tt_sums TT_ISA_NAME(tt_sums) = {...}` and
 * all else static; users call tt_sums()->f64(...). The same bits come from all:
 * sources say the order of every sum, and nothing is contracted. */
#ifndef TT_KERNEL_BUILTIN_ISA_H
#define TT_KERNEL_BUILTIN_ISA_H

enum tt_isa {
    TT_ISA_PLAIN, /* what every CPU of this kind has: SSE2, NEON */
    TT_ISA_AVX2,  /* with FMA and BMI2: x86-64-v3 */
    TT_ISA_AVX512 /* F, BW, DQ, VL: x86-64-v4 */
};

/* The best that this CPU has and TUTTI_ISA allows. Cost: a load. */
enum tt_isa tt_isa(void);

#ifdef __x86_64__
#define TT_ISA_TABLE(type, name) \
    extern const type name##_plain, name##_avx2, name##_avx512; \
    static inline const type *name(void) \
    { \
        static const type *const all[] = {&name##_plain, &name##_avx2, \
                                          &name##_avx512}; \
        return all[tt_isa()]; \
    }
#else
#define TT_ISA_TABLE(type, name) \
    extern const type name##_plain; \
    static inline const type *name(void) \
    { \
        return &name##_plain; \
    }
#endif

/* Bytes of a register. */
#if defined __AVX512F__
#define TT_ISA_VECTOR 64
#elif defined __AVX2__
#define TT_ISA_VECTOR 32
#else
#define TT_ISA_VECTOR 16
#endif

/* TT_ISA is plain, avx2 or avx512: of the compilation that is under way. */
#define TT_ISA_NAME(name) TT_ISA_JOIN(name, TT_ISA)
#define TT_ISA_JOIN(name, isa) TT_ISA_PASTE(name, isa)
#define TT_ISA_PASTE(name, isa) name##_##isa

#endif
