#include "core/machine.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>

/* The brand string: CPUID leaves 0x80000002 to 0x80000004. */
static bool read_brand(char brand[49])
{
    for (unsigned i = 0; i < 3; i++) {
        unsigned r[4];
        if (!__get_cpuid(0x80000002u + i, &r[0], &r[1], &r[2], &r[3]))
            return false;
        memcpy(brand + 16 * i, r, 16);
    }
    brand[48] = 0;
    return true;
}
#else
/* The main identification register, where the kernel shows it (aarch64). */
static bool read_brand(char brand[49])
{
    FILE *file = fopen("/sys/devices/system/cpu/cpu0/regs/identification/"
                       "midr_el1",
                       "re");
    if (!file)
        return false;
    bool got = fscanf(file, "%48s", brand) == 1;
    fclose(file);
    return got;
}
#endif

/* Runs of blanks and control characters become one blank, none at the ends. */
static void tidy(char *text)
{
    char *to = text;
    for (const char *from = text; *from; from++)
        if (isgraph((unsigned char)*from))
            *to++ = *from;
        else if (to > text && to[-1] != ' ')
            *to++ = ' ';
    while (to > text && to[-1] == ' ')
        to--;
    *to = 0;
}

void tt_machine_model(char *out, size_t size)
{
    char brand[49] = "";
    struct utsname name = {.machine = "unknown"};
    uname(&name);
    if (!read_brand(brand))
        brand[0] = 0;
    tidy(brand);
    snprintf(out, size, "%s", brand[0] ? brand : name.machine);
}

void tt_machine_identity(char *out, size_t size)
{
    char model[64];
    struct utsname name = {.release = "?"};
    uname(&name);
    tt_machine_model(model, sizeof model);
    snprintf(out, size, "%s, %ld CPUs, Linux %s", model,
             sysconf(_SC_NPROCESSORS_ONLN), name.release);
    tidy(out);
}
