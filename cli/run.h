/* What commands that run a function share: what it is, where it runs, and what
 * is told of that. */
#ifndef CLI_RUN_H
#define CLI_RUN_H

#include <stdbool.h>

#include <tutti/loop.h>

#include "options.h"
#include "progress.h"

/* What FILE is in FILE:NAME. */
enum cli_language { CLI_NO_LANGUAGE, CLI_C, CLI_LIBRARY, CLI_PYTHON };

enum cli_language cli_run_language(const char *function);

struct cli_run {
    const char *on;
    size_t workers;
    bool progress, explain;
    struct cli_progress bar;
};

/* The rows of options for the struct cli_run that `type` has as its `run`. */
#define CLI_RUN_OPTIONS(type) \
    {"--on", \
     0, \
     CLI_WORD, \
     "PLACE", \
     "where: serial, threads[:N], processes[:N], auto (the default)", \
     offsetof(type, run.on), \
     0}, \
        {"--workers", \
         0, \
         CLI_COUNT, \
         "N", \
         "at most N workers, this one included", \
         offsetof(type, run.workers), \
         1024}, \
        {"--progress", \
         0, \
         CLI_FLAG, \
         NULL, \
         "a bar, where stderr is a terminal", \
         offsetof(type, run.progress), \
         0}, \
    { \
        "--explain", 0, CLI_FLAG, NULL, \
            "tell on stderr where it ran, why, and where the time went", \
            offsetof(type, run.explain), 0 \
    }

/* Sets the options of a loop. From here to cli_run_end() a crash is told to be
 * that of `function`, and the bar is drawn. */
void cli_run_begin(struct cli_run *run, const char *function,
                   tutti_options *options);
void cli_run_end(struct cli_run *run);

/* Tells of the loop that ended last, where that was asked for. */
void cli_run_explain(const struct cli_run *run);

#endif
