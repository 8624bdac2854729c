/* Errors: the first function that knows the cause writes the line. */
#ifndef TT_CORE_STATUS_H
#define TT_CORE_STATUS_H

#include <tutti/status.h>

#define TT_DETAIL_SIZE 512

/* Writes this thread's detail line and returns `status`. */
TUTTI_MUST_CHECK tutti_status tt_fail(tutti_status status, const char *format,
                                      ...)
    __attribute__((format(printf, 2, 3)));

/* The same for an allocation of `what` that failed; needs no memory. */
TUTTI_MUST_CHECK tutti_status tt_fail_memory(const char *what);

/* Replaces this thread's detail line (a failure that another thread met). */
void tt_detail_set(const char *line);

/* Empties it, so that a stale line is not taken for a new one. */
void tt_detail_clear(void);

#endif
