/* Text that is built up in a caller's buffer, as snprintf() would. */
#ifndef TT_TRACE_TEXT_H
#define TT_TRACE_TEXT_H

#include <stddef.h>

#include <tutti/report.h>

struct tt_text {
    char *to; /* NULL is allowed when size is 0 */
    size_t size;
    size_t length; /* of the whole text, also where it was cut */
};

void tt_text_add(struct tt_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A time with three digits and its unit: "130 ms". */
struct tt_time {
    char text[24];
};

struct tt_time tt_text_time(double seconds);

/* "user", "start-up", ...: the name of a kind in explanations and traces. */
const char *tt_text_kind(unsigned kind);

/* The decision on a loop in one sentence. */
void tt_text_why(struct tt_text *text, const tutti_report *report);

#endif
