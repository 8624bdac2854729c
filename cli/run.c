#include "run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tutti/report.h>

#include "signals.h"

enum cli_language cli_run_language(const char *function)
{
    const char *colon = strrchr(function, ':');
    size_t length = colon ? (size_t)(colon - function) : 0;
    if (!colon || !colon[1])
        return CLI_NO_LANGUAGE;
    if (length > 2 && !memcmp(colon - 2, ".c", 2))
        return CLI_C;
    if (length > 3 && !memcmp(colon - 3, ".py", 3))
        return CLI_PYTHON;
    for (const char *at = function; (at = strstr(at, ".so")); at++)
        if (at + 3 <= colon && (at[3] == ':' || at[3] == '.'))
            return CLI_LIBRARY;
    return CLI_NO_LANGUAGE;
}

void cli_run_begin(struct cli_run *run, const char *function,
                   tutti_options *options)
{
    options->on = run->on;
    options->workers = (unsigned)run->workers;
    if (run->progress) {
        cli_progress_start(&run->bar);
        options->progress = cli_progress_draw;
        options->progress_arg = &run->bar;
    }
    cli_signals_function(function);
}

void cli_run_end(struct cli_run *run)
{
    cli_signals_function(NULL);
    if (run->progress)
        cli_progress_end(&run->bar);
}

/* The library's texts, whatever their length. */
static void print_text(size_t (*write)(char *text, size_t size))
{
    size_t size = write(NULL, 0) + 1;
    char *text = malloc(size);
    if (text && write(text, size))
        fputs(text, stderr);
    free(text);
}

static size_t draw(char *text, size_t size)
{
    int columns = cli_columns();
    columns = columns < 40 ? 40 : columns > 500 ? 500 : columns;
    return tutti_trace_draw(text, size, (unsigned)columns);
}

void cli_run_explain(const struct cli_run *run)
{
    if (run->explain) {
        print_text(tutti_explain);
        print_text(draw);
    }
}
