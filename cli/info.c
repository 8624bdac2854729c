/* tutti info: the machine, the budget, the places, the Python. */
#include <stdbool.h>

#include <tutti/info.h>
#include <tutti/place.h>
#include <tutti/version.h>

#include "command.h"
#include "fail.h"
#include "python.h"

#define INFO_ROOM 4096 /* for tutti_info_text() */

struct info {
    bool measure, help;
};

static const struct cli_option options[] = {
    {"--measure", 0, CLI_FLAG, NULL,
     "measure the machine's constants anew and keep them",
     offsetof(struct info, measure), 0},
    {"--help", 'h', CLI_FLAG, NULL, "this text", offsetof(struct info, help),
     0},
    {NULL, 0, CLI_FLAG, NULL, NULL, 0, 0},
};

static void print_places(void)
{
    tutti_place_kind kind;
    for (size_t i = 0; tutti_place_info(i, &kind); i++)
        printf("%-10s  %-10s %-7s %s\n", i ? "" : "places", kind.name,
               kind.present ? "present" : "absent", kind.reason);
}

static void print_python(void)
{
    struct cli_python python;
    if (cli_python_find(&python))
        printf("%-10s  %s (%s)\n", "python", python.path, python.found);
    else
        printf("%-10s  none can import tutti: FILE.py:NAME does not run\n",
               "python");
}

static int run_info(int argc, char **argv)
{
    struct info info = {false};
    int status = cli_options_parse(options, &info, NULL, argc - 2, argv + 2);
    if (status)
        return status;
    if (info.help)
        return cli_command_help(&cli_info_command, stdout), CLI_OK;
    tutti_status measured = info.measure ? tutti_info_measure() : TUTTI_OK;
    if (measured)
        return cli_fail_library(measured);
    char text[INFO_ROOM];
    tutti_info_text(text, sizeof text);
    printf("%-10s  %s\n%s", "tutti", tutti_version(), text);
    print_places();
    print_python();
    return CLI_OK;
}

const struct cli_command cli_info_command = {
    "info",
    "[OPTION]...",
    "tells the machine, what may be used of it, the places and the Python",
    NULL,
    options,
    run_info,
};
