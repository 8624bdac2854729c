/* Which machine this is, in words. */
#ifndef TT_CORE_MACHINE_H
#define TT_CORE_MACHINE_H

#include <stddef.h>

#define TT_MACHINE_SIZE 256

/* The CPU's model, such as "AMD EPYC 9R14"; the architecture if it has no
 * name. Microseconds: /proc/cpuinfo is not read, as some kernels sleep there
 * for 10 ms. */
void tt_machine_model(char *out, size_t size);

/* What measured constants hold for: model, CPUs, kernel; one line. */
void tt_machine_identity(char *out, size_t size);

#endif
