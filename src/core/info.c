#include <stdarg.h>
#include <stdio.h>

#include <tutti/info.h>

#include "core/constants.h"
#include "core/cpu.h"
#include "core/machine.h"
#include "core/settings.h"

struct text {
    char *data;
    size_t size, length; /* the length goes on where the room has ended */
};

__attribute__((format(printf, 3, 4))) static void
line(struct text *out, const char *subject, const char *format, ...)
{
    char rest[1200];
    va_list args;
    va_start(args, format);
    vsnprintf(rest, sizeof rest, format, args);
    va_end(args);
    size_t used = out->length < out->size ? out->length : out->size;
    out->length +=
        (size_t)snprintf(out->size ? out->data + used : NULL, out->size - used,
                         "%-10s  %s\n", subject, rest);
}

static void show_time(char *out, size_t size, double seconds)
{
    if (seconds < 1e-6)
        snprintf(out, size, "%.1f ns", seconds * 1e9);
    else if (seconds < 1e-3)
        snprintf(out, size, "%.1f us", seconds * 1e6);
    else
        snprintf(out, size, "%.1f ms", seconds * 1e3);
}

static void show_machine(struct text *out)
{
    char machine[TT_MACHINE_SIZE];
    struct tt_cpu cpu;
    tt_machine_identity(machine, sizeof machine);
    tt_cpu_read(&cpu, "", 0);
    line(out, "machine", "%s", machine);
    line(out, "budget", "%u CPU%s, set by %s", cpu.count,
         cpu.count == 1 ? "" : "s", cpu.bound);
}

static void show_settings(struct text *out)
{
    struct tt_setting setting;
    for (size_t i = 0; tt_settings_list(i, &setting); i++)
        line(out, i ? "" : "settings", "%-13s  %s%s: %s", setting.name,
             setting.value, setting.given ? "" : " (default)", setting.help);
    if (tt_settings_check() != TUTTI_OK)
        line(out, "", "%s", tutti_detail());
}

static void show_constants(struct text *out)
{
    char time[24];
    for (int i = 0; i < TT_CONSTANTS; i++) {
        show_time(time, sizeof time, tt_constant(i));
        line(out, i ? "" : "constants", "%-13s  %s%s", tt_constant_name(i),
             time, tt_constant_measured(i) ? "" : " (default)");
    }
}

size_t tutti_info_text(char *text, size_t size)
{
    struct text out = {text, size, 0};
    show_machine(&out);
    show_settings(&out);
    show_constants(&out);
    const char *cache = tt_settings()->cache;
    line(&out, "cache", "%s",
         *cache ? cache : "none: neither XDG_CACHE_HOME nor HOME is a path");
    return out.length;
}

tutti_status tutti_info_measure(void)
{
    return tt_constants_measure();
}
