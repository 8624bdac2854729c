#include "map.h"

#include <limits.h>

#include "fail.h"

#define AT(field) offsetof(struct cli_map, field)

const struct cli_option cli_map_options[] = {
    {"--range", 0, CLI_RANGE, "[FIRST:]LAST[:STEP]",
     "map over these whole numbers; LAST is not one of them", AT(range), 0},
    {"--over", 0, CLI_WORD, "FILE",
     "map over FILE.npy, or the lines of another file; - is standard input",
     AT(over), 0},
    {"--output", 'o', CLI_WORD, "FILE",
     "FILE.npy, FILE.jsonl (JSON lines) or lines; without: standard output",
     AT(output), 0},
    CLI_RUN_OPTIONS(struct cli_map),
    {"--task-timeout", 0, CLI_SECONDS, "SECONDS",
     "a task that takes longer fails; tasks then run in processes",
     AT(task_timeout), 0},
    {"--errors", 0, CLI_CHOICE, "raise|return",
     "a task that fails ends the run, or is told in its place", AT(errors), 0},
    {"--trace", 0, CLI_WORD, "FILE",
     "write a Chrome trace (JSON; opens in Perfetto)", AT(trace), 0},
    {"--width", 0, CLI_COUNT, "N",
     "values that a row function with an out array gives (default: n)",
     AT(width), INT_MAX},
    {"--signature", 0, CLI_WORD, "'U NAME(T x)'",
     "the C signature of a function in LIB.so", AT(signature), 0},
    {"--help", 'h', CLI_FLAG, NULL, "this text", AT(help), 0},
    {NULL, 0, CLI_FLAG, NULL, NULL, 0, 0},
};

int cli_map_check(const struct cli_map *map)
{
    enum cli_language language = cli_run_language(map->function);
    bool python = language == CLI_PYTHON;
    if (language == CLI_NO_LANGUAGE)
        return cli_fail("'%s': expected FILE.c:NAME, LIB.so:NAME or "
                        "FILE.py:NAME",
                        map->function);
    if (map->signature && language != CLI_LIBRARY)
        return cli_fail("--signature is for LIB.so:NAME: %s tells its own",
                        map->function);
    if (!map->signature && language == CLI_LIBRARY)
        return cli_fail("%s: its signature is missing: expected --signature, "
                        "such as --signature 'double f(double x)'",
                        map->function);
    if (map->width && python)
        return cli_fail("--width is for C functions that fill a row: a "
                        "Python function returns what it likes");
    return CLI_OK;
}
