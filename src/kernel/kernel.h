/* A kernel: a function found by text, and the entry that runs it. */
#ifndef TT_KERNEL_KERNEL_H
#define TT_KERNEL_KERNEL_H

#include "kernel/signature.h"
#include "kernel/wrapper.h"

struct tutti_kernel {
    void *library; /* from dlopen() */
    tt_kernel_entry entry;
    tt_kernel_function function; /* of a LIB.so; else NULL */
    struct tt_signature signature;
};

#endif
