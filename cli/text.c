#include "text.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t write_whole(char *out, uint64_t value)
{
    char digits[CLI_TEXT_ROOM], *at = digits + sizeof digits;
    do {
        *--at = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    size_t length = (size_t)(digits + sizeof digits - at);
    memcpy(out, at, length);
    return length;
}

static size_t write_integer(char *out, int64_t value)
{
    if (value >= 0)
        return write_whole(out, (uint64_t)value);
    *out = '-';
    return 1 + write_whole(out + 1, -(uint64_t)value);
}

/* The shortest of `from` to `to` digits that reads back to the same value; a
 * float is read back as one. */
static size_t write_digits(char *out, double value, int from, int to,
                           bool narrow)
{
    for (int digits = from;; digits++) {
        int length = snprintf(out, CLI_TEXT_ROOM, "%.*g", digits, value);
        if (digits == to && fabs(value) >= 1e16)
            return (size_t)snprintf(out, CLI_TEXT_ROOM, "%.*e", to - 1, value);
        if (digits == to)
            return (size_t)length;
        double back = narrow ? (double)strtof(out, NULL) : strtod(out, NULL);
        if (back == value)
            return (size_t)length;
    }
}

static size_t write_real(char *out, double value, bool narrow, bool json)
{
    if (!isfinite(value)) {
        const char *name = isnan(value) ? "nan" : value < 0 ? "-inf" : "inf";
        return (size_t)sprintf(out, "%s", json ? "null" : name);
    }
    if (fabs(value) < 1e16 && value == trunc(value)) {
        size_t minus = signbit(value) != 0;
        *out = '-';
        size_t used = minus + write_integer(out + minus, (int64_t)fabs(value));
        memcpy(out + used, ".0", 2);
        return used + 2;
    }
    return narrow ? write_digits(out, value, 6, 9, true)
                  : write_digits(out, value, 15, 17, false);
}

size_t cli_text_number(char *out, const void *value, tutti_type type, bool json)
{
    double real;
    float narrow;
    int64_t whole;
    uint64_t natural;
    int32_t half;
    uint32_t small;
    switch (type) {
    case TUTTI_F64:
        memcpy(&real, value, sizeof real);
        return write_real(out, real, false, json);
    case TUTTI_F32:
        memcpy(&narrow, value, sizeof narrow);
        return write_real(out, narrow, true, json);
    case TUTTI_I64:
        memcpy(&whole, value, sizeof whole);
        return write_integer(out, whole);
    case TUTTI_I32:
        memcpy(&half, value, sizeof half);
        return write_integer(out, half);
    case TUTTI_U64:
        memcpy(&natural, value, sizeof natural);
        return write_whole(out, natural);
    case TUTTI_U32:
        memcpy(&small, value, sizeof small);
        return write_whole(out, small);
    }
    return 0;
}
