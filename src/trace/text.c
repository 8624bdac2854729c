#include "trace/text.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "trace/lane.h"

void tt_text_add(struct tt_text *text, const char *format, ...)
{
    size_t left = text->length < text->size ? text->size - text->length : 0;
    va_list args;
    va_start(args, format);
    int length =
        vsnprintf(left ? text->to + text->length : NULL, left, format, args);
    va_end(args);
    if (length > 0)
        text->length += (size_t)length;
}

struct tt_time tt_text_time(double seconds)
{
    static const char *const units[] = {"ns", "us", "ms", "s"};
    struct tt_time out;
    double value = fabs(seconds) * 1e9;
    unsigned unit = 0;
    for (; value >= 999.5 && unit < 3; unit++)
        value /= 1000;
    int digits = value >= 99.95 || value == 0 ? 0 : value >= 9.995 ? 1 : 2;
    snprintf(out.text, sizeof out.text, "%s%.*f %s", seconds < 0 ? "-" : "",
             digits, value < 1e12 ? value : 1e12, units[unit]);
    return out;
}

const char *tt_text_kind(unsigned kind)
{
    static const char *const names[TT_KINDS] = {
        [TT_CLAIM] = "claim",   [TT_USER] = "user", [TT_STARTUP] = "start-up",
        [TT_ENCODE] = "encode", [TT_COPY] = "copy", [TT_WAIT] = "wait",
        [TT_IDLE] = "idle",
    };
    return kind < TT_KINDS ? names[kind] : "unknown";
}
