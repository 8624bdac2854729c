#include "kernel/builtin/isa.h"

#include "core/settings.h"

static enum tt_isa find(void)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512f") &&
        __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("bmi2"))
        return TT_ISA_AVX512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
        __builtin_cpu_supports("bmi2"))
        return TT_ISA_AVX2;
#endif
    return TT_ISA_PLAIN;
}

enum tt_isa tt_isa(void)
{
    static _Atomic int known; /* one above the enum; all find the same */
    int isa = known;
    if (isa == 0) {
        enum tt_isa most = (enum tt_isa)tt_settings()->isa;
        isa = 1 + (int)(find() < most ? find() : most);
        known = isa;
    }
    return (enum tt_isa)(isa - 1);
}
