/* Rows turned to columns, and back. */
#ifndef TT_KERNEL_BUILTIN_TURNS_H
#define TT_KERNEL_BUILTIN_TURNS_H

#include <stddef.h>
#include <stdint.h>

#include "kernel/builtin/isa.h"

/* to[d * n + i] = from[i * width + d], for values of 8 bytes and of 4. */
struct tt_turns {
    void (*u64)(uint64_t *restrict to, const uint64_t *restrict from, size_t n,
                size_t width);
    void (*u32)(uint32_t *restrict to, const uint32_t *restrict from, size_t n,
                size_t width);
    /* to[i * width + d] = from[d * n + i] */
    void (*rows)(double *restrict to, const double *restrict from, size_t n,
                 size_t width);
};

TT_ISA_TABLE(struct tt_turns, tt_turns)

#endif
