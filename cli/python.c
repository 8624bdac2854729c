#include "python.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fail.h"

extern char **environ;

/* Cuts the last name off a path. */
static void cut_name(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash)
        *slash = 0;
}

/* Whether the package lies where this Python installs packages. */
static bool has_package(const char *python)
{
    static const char *const where[] = {"lib/python3*/site-packages",
                                        "lib/python3*/dist-packages",
                                        "local/lib/python3*/dist-packages"};
    char prefix[PATH_MAX], pattern[PATH_MAX + 64];
    snprintf(prefix, sizeof prefix, "%s", python);
    cut_name(prefix);
    cut_name(prefix);
    bool found = false;
    for (size_t i = 0; i < sizeof where / sizeof *where && !found; i++) {
        glob_t hits;
        snprintf(pattern, sizeof pattern, "%s/%s/tutti/__init__.py", prefix,
                 where[i]);
        found = !glob(pattern, 0, NULL, &hits);
        globfree(&hits);
    }
    return found;
}

/* Waits for a process, ten seconds at most. */
static bool succeeds(pid_t child)
{
    const struct timespec nap = {0, 1000000};
    int status;
    for (int i = 0; i < 10000; i++) {
        pid_t ended = waitpid(child, &status, WNOHANG);
        if (ended)
            return ended == child && WIFEXITED(status) && !WEXITSTATUS(status);
        nanosleep(&nap, NULL);
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    return false;
}

/* Asks Python itself: it may look in other places. */
static bool ask(char *python)
{
    char *const argv[] = {python, (char *)"-c",
                          (char *)"import importlib.util, sys\n"
                                  "sys.exit(not importlib.util.find_spec("
                                  "'tutti'))",
                          NULL};
    posix_spawn_file_actions_t quiet;
    pid_t child;
    if (posix_spawn_file_actions_init(&quiet))
        return false;
    for (int fd = 0; fd < 3; fd++)
        posix_spawn_file_actions_addopen(&quiet, fd, "/dev/null", O_RDWR, 0);
    int error = posix_spawn(&child, python, &quiet, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&quiet);
    return !error && succeeds(child);
}

static bool take(struct cli_python *out, const char *folder, const char *name,
                 const char *found)
{
    int length = snprintf(out->path, sizeof out->path, "%s/%s", folder, name);
    if (length >= (int)sizeof out->path || access(out->path, X_OK))
        return false;
    out->found = found;
    return has_package(out->path) || ask(out->path);
}

/* The first python3 on the PATH. */
static bool take_from_path(struct cli_python *out)
{
    const char *path = getenv("PATH");
    char folder[PATH_MAX];
    for (const char *at = path; at && *at;) {
        size_t length = strcspn(at, ":");
        snprintf(folder, sizeof folder, "%.*s/python3", (int)length, at);
        if (length && !access(folder, X_OK)) {
            cut_name(folder);
            return take(out, folder, "python3", "python3 on the PATH");
        }
        at += length + (at[length] == ':');
    }
    return false;
}

bool cli_python_find(struct cli_python *out)
{
    char folder[PATH_MAX];
    const char *beside = "beside the command";
    ssize_t length = readlink("/proc/self/exe", folder, sizeof folder - 1);
    if (length > 0) {
        folder[length] = 0;
        cut_name(folder);
        if (take(out, folder, "python", beside) ||
            take(out, folder, "python3", beside))
            return true;
        cut_name(folder);
        if (take(out, folder, ".venv/bin/python", beside))
            return true;
    }
    const char *venv = getenv("VIRTUAL_ENV");
    if (venv && *venv && take(out, venv, "bin/python", "$VIRTUAL_ENV"))
        return true;
    return take_from_path(out);
}

int cli_python_run(char *const *argv)
{
    struct cli_python python;
    if (!cli_python_find(&python))
        return cli_fail("no Python can import tutti: looked beside the "
                        "command, in $VIRTUAL_ENV and at python3 on the "
                        "PATH: install the package tutti in one of them");
    size_t count = 0;
    while (argv[count])
        count++;
    char **with = calloc(count + 3, sizeof *with);
    if (!with)
        return cli_fail("no memory to start %s", python.path);
    with[0] = python.path;
    with[1] = (char *)"-m";
    with[2] = (char *)"tutti";
    memcpy(with + 3, argv + 1, (count - 1) * sizeof *with);
    execv(python.path, with);
    free(with);
    return cli_fail("%s cannot be started: %s", python.path, strerror(errno));
}
