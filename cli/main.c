/* tutti: dispatch. Each command is a file. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <tutti/version.h>

#include "command.h"
#include "fail.h"
#include "signals.h"

static const struct cli_command *const commands[] = {
    &cli_map_command,
    &cli_expect_command,
    &cli_wordcount_command,
    &cli_info_command,
};

#define COUNT (sizeof commands / sizeof *commands)

void cli_command_help(const struct cli_command *command, FILE *to)
{
    fprintf(to, "usage: tutti %s %s\n\n%s\n\nOptions:\n", command->name,
            command->usage, command->about);
    cli_options_help(command->options, to);
    if (command->notes)
        fprintf(to, "\n%s", command->notes);
}

static void help(FILE *to)
{
    fprintf(to, "usage: tutti COMMAND ...\n\n"
                "A parallel runtime that chooses: it starts in one thread "
                "and spreads\nwhen that pays.\n\nCommands:\n");
    for (size_t i = 0; i < COUNT; i++)
        fprintf(to, "  %s %s\n      %s\n", commands[i]->name,
                commands[i]->usage, commands[i]->about);
    fprintf(to, "  help [COMMAND]\n      tells its options\n\n"
                "Options:\n  -h, --help\n      this text\n"
                "  --version\n      the version\n");
}

static const struct cli_command *find(const char *name)
{
    for (size_t i = 0; i < COUNT; i++)
        if (!strcmp(commands[i]->name, name))
            return commands[i];
    return NULL;
}

static int fail_unknown(const char *given)
{
    const char *names[COUNT + 1] = {[COUNT] = "help"};
    for (size_t i = 0; i < COUNT; i++)
        names[i] = commands[i]->name;
    const char *near = cli_nearest(given, names, COUNT + 1, sizeof *names);
    if (near)
        return cli_fail("unknown command '%s': did you mean %s?", given, near);
    return cli_fail("unknown command '%s': tutti --help lists what there is",
                    given);
}

static int run_help(int argc, char **argv)
{
    if (argc > 3)
        return cli_fail("unexpected argument '%s': tutti help takes one "
                        "command",
                        argv[3]);
    const struct cli_command *command = argc > 2 ? find(argv[2]) : NULL;
    if (argc > 2 && !command)
        return fail_unknown(argv[2]);
    if (command)
        cli_command_help(command, stdout);
    else
        help(stdout);
    return CLI_OK;
}

static int run(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    if (argc < 2) {
        help(stderr);
        return cli_fail("a command is missing: tutti map, tutti expect, "
                        "tutti wordcount or tutti info");
    }
    if (!strcmp(name, "--help") || !strcmp(name, "-h"))
        return help(stdout), CLI_OK;
    if (!strcmp(name, "--version"))
        return printf("tutti %s\n", tutti_version()), CLI_OK;
    if (!strcmp(name, "help"))
        return run_help(argc, argv);
    const struct cli_command *command = find(name);
    return command ? command->run(argc, argv) : fail_unknown(name);
}

/* A standard stream that is closed would be the next file that is opened:
 * a stand-in refuses to be read or written. */
static void hold_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        while (fcntl(fd, F_GETFD) < 0 &&
               open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) >= 0)
            ;
}

int main(int argc, char **argv)
{
    hold_streams();
    cli_signals_catch();
    int status = run(argc, argv);
    if (fflush(stdout) && status == CLI_OK)
        status =
            cli_fail("standard output: writing failed (%s)", strerror(errno));
    if (status && *cli_sentence())
        fprintf(stderr, "tutti: %s\n", cli_sentence());
    return status;
}
