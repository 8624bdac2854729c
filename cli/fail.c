#include "fail.h"

#include <stdarg.h>
#include <stdio.h>

static char sentence[2048];

int cli_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    for (char *c = sentence; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 127)
            *c = '?';
    return CLI_USAGE;
}

int cli_fail_library(tutti_status status)
{
    const char *detail = tutti_detail();
    snprintf(sentence, sizeof sentence, "%s",
             *detail ? detail : tutti_status_name(status));
    switch (status) {
    case TUTTI_ETASK:
    case TUTTI_ELOST:
    case TUTTI_ECANCEL:
    case TUTTI_ETIME:
        return CLI_FAILED;
    default:
        return CLI_USAGE;
    }
}

const char *cli_sentence(void)
{
    return sentence;
}
