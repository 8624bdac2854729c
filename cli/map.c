/* tutti map: a function over a range, an array or lines. */
#include "map.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tutti/kernel.h>
#include <tutti/loop.h>
#include <tutti/report.h>

#include "command.h"
#include "fail.h"
#include "input.h"
#include "output.h"
#include "python.h"

/* Standard input is what is mapped over where nothing else is said. */
static int check_input(struct cli_map *map)
{
    if (map->over && map->range.n)
        return cli_fail("--range and --over: give one of them");
    if (!map->over && !map->range.n) {
        if (isatty(STDIN_FILENO))
            return cli_fail("what to map over is missing: expected --range, "
                            "--over FILE, or lines on standard input");
        map->over = "-";
    }
    return map->over ? cli_input_check(map->over) : CLI_OK;
}

/* A link to a file that standard output was sent to is no file to replace. */
static bool is_stdout(const char *name)
{
    return !strcmp(name, "-") || !strcmp(name, "/dev/stdout");
}

/* Whether the file could be made, and is none that is read. */
static int check_output(const struct cli_map *map, const char *name)
{
    char *source = strdup(map->function);
    if (!source)
        return cli_fail("no memory for the name %s", map->function);
    *strrchr(source, ':') = 0;
    int status = CLI_OK;
    if (cli_output_same(name, source))
        status = cli_fail("%s is the function's file: give another name to "
                          "the output",
                          name);
    else if (map->over && cli_output_same(name, map->over))
        status = cli_fail("%s is the input and the output: give another name "
                          "to the output",
                          name);
    else
        status = cli_output_check(name);
    free(source);
    return status;
}

static int check_outputs(struct cli_map *map)
{
    int status = CLI_OK;
    if (map->output && is_stdout(map->output))
        map->output = NULL;
    if (map->output)
        status = check_output(map, map->output);
    if (!status && map->trace)
        status = check_output(map, map->trace);
    if (!status && map->trace && map->output &&
        cli_output_same(map->trace, map->output))
        return cli_fail("--trace %s is the output, too: give another name",
                        map->trace);
    return status;
}

/* A run of a C function. */
struct run {
    struct cli_map *map;
    tutti_kernel *kernel;
    tutti_kernel_info info;
    struct cli_input input;
    struct cli_output output;
};

/* The shape of the results. */
static int find_shape(const struct run *run, struct cli_npy *shape)
{
    bool fills = run->info.form == TUTTI_FORM_ROWS;
    const struct cli_map *map = run->map;
    if (map->width && !fills)
        return cli_fail("--width %zu: %s gives one value a task: --width is "
                        "for void f(const T *row, int n, U *out)",
                        map->width, run->info.signature);
    shape->type = run->info.result;
    shape->dims = fills ? 2 : 1;
    shape->rows = map->over ? run->input.rows : map->range.n;
    shape->columns = 1;
    if (fills)
        shape->columns = map->width ? map->width : run->input.columns;
    return CLI_OK;
}

static tutti_status run_loop(struct run *run)
{
    struct cli_map *map = run->map;
    const struct cli_input *input = &run->input;
    tutti_options options = TUTTI_OPTIONS_INIT;
    tutti_status status;
    options.task_timeout = map->task_timeout;
    cli_run_begin(&map->run, map->function, &options);
    if (map->over)
        status = tutti_kernel_map(run->kernel, run->output.results,
                                  run->output.shape.columns, input->items,
                                  input->columns, input->rows, &options);
    else
        status = tutti_kernel_map_range(run->kernel, run->output.results,
                                        map->range.first, map->range.step,
                                        map->range.n, &options);
    cli_run_end(&map->run);
    return status;
}

/* What is told of the loop beside its results. */
static int tell(const struct cli_map *map)
{
    cli_run_explain(&map->run);
    if (!map->trace)
        return CLI_OK;
    tutti_status status = tutti_trace_write(map->trace);
    return status ? cli_fail_library(status) : CLI_OK;
}

/* From an open kernel to results in their place. */
static int run_kernel(struct run *run)
{
    const struct cli_map *map = run->map;
    struct cli_npy shape;
    int status = CLI_OK;
    tutti_kernel_describe(run->kernel, &run->info);
    if (run->info.form == TUTTI_FORM_EACH)
        return cli_fail("%s has no result: expected a function that gives one",
                        run->info.signature);
    if (map->over)
        status = cli_input_open(&run->input, map->over, &run->info);
    if (!status)
        status = find_shape(run, &shape);
    if (!status)
        status = cli_output_open(&run->output, map->output);
    if (!status)
        status = cli_output_reserve(&run->output, &shape);
    if (status)
        return status;
    tutti_status ran = run_loop(run);
    if (ran)
        status = cli_fail_library(ran);
    else
        status = cli_output_commit(&run->output);
    return status ? status : tell(map);
}

static int map_kernel(struct cli_map *map)
{
    struct run run = {.map = map, .output = {.fd = -1}};
    tutti_status opened =
        tutti_kernel_open(&run.kernel, map->function, map->signature);
    if (opened)
        return cli_fail_library(opened);
    int status = run_kernel(&run);
    cli_output_close(&run.output);
    cli_input_close(&run.input);
    tutti_kernel_close(run.kernel);
    return status;
}

static int run_map(int argc, char **argv)
{
    struct cli_map map = {.function = NULL};
    int status = cli_options_parse(cli_map_options, &map, &map.function,
                                   argc - 2, argv + 2);
    if (!status && map.help)
        return cli_command_help(&cli_map_command, stdout), CLI_OK;
    if (!status && !map.function)
        return cli_fail("the function is missing: expected tutti map "
                        "FILE.c:NAME ...; tutti help map tells all");
    if (status)
        return status;
    enum cli_language language = cli_run_language(map.function);
    status = cli_map_check(&map);
    if (!status)
        status = check_input(&map);
    if (!status)
        status = check_outputs(&map);
    if (status)
        return status;
    return language == CLI_PYTHON ? cli_python_run(argv) : map_kernel(&map);
}

const struct cli_command cli_map_command = {
    "map",
    "FILE:NAME [--range R | --over FILE] [-o FILE] [OPTION]...",
    "maps a function over numbers, an array or lines; results in input order",
    "FILE:NAME is FILE.c:NAME, LIB.so:NAME or FILE.py:NAME. C functions:\n"
    "  U f(T x)                              a value a task\n"
    "  void f(size_t n, const T *x, U *out)  a block of tasks\n"
    "  U f(const T *row, int n)              a row a task\n"
    "  void f(const T *row, int n, U *out)   a row a task, a row of results\n"
    "  void f(int n, size_t m, const T *x, U *out)\n"
    "                                        m points: see docs/kernels.md\n"
    "T and U are double, float, (u)int64_t or (u)int32_t; T is the input's "
    "type.\n\nStatus: 0 all done, 1 some tasks failed, 2 not run as asked.\n",
    cli_map_options,
    run_map,
};
