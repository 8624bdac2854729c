#include "core/status.h"

#include <stdarg.h>
#include <stdio.h>

#include <tutti/loop.h>

static _Thread_local char detail[TT_DETAIL_SIZE];

const char *tutti_status_name(tutti_status status)
{
    switch (status) {
    case TUTTI_OK:
        return "success";
    case TUTTI_EARG:
        return "bad argument";
    case TUTTI_EMEM:
        return "no memory";
    case TUTTI_ESYS:
        return "system call failed";
    case TUTTI_EPLACE:
        return "place not usable";
    case TUTTI_ETASK:
        return "task failed";
    case TUTTI_ELOST:
        return "worker lost";
    case TUTTI_ECANCEL:
        return "cancelled";
    case TUTTI_ETIME:
        return "out of time";
    }
    return "unknown status";
}

const char *tutti_detail(void)
{
    return detail;
}

tutti_status tt_fail(tutti_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    return status;
}

tutti_status tt_fail_memory(const char *what)
{
    return tt_fail(TUTTI_EMEM, "no memory for %s", what);
}

void tt_detail_set(const char *line)
{
    snprintf(detail, sizeof detail, "%s", line);
}

void tt_detail_clear(void)
{
    detail[0] = '\0';
}

void tutti_task_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
}
