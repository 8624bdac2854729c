#define _GNU_SOURCE /* addclosefrom_np */
#include "place/processes/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/budget.h"
#include "wire/zygote.h"

extern char **environ;

/* No descriptor but the standard ones and the control socket: a pipe of the
 * user's that a worker kept open would never end. */
static int set_files(posix_spawn_file_actions_t *files, int control)
{
    int error = posix_spawn_file_actions_adddup2(files, control, TT_ZYGOTE_FD);
    if (!error)
        error = posix_spawn_file_actions_addopen(files, 0, "/dev/null",
                                                 O_RDONLY, 0);
#if __GLIBC_PREREQ(2, 34)
    if (!error)
        error =
            posix_spawn_file_actions_addclosefrom_np(files, TT_ZYGOTE_FD + 1);
#endif
    return error;
}

/* A process group of its own, so that Ctrl-C reaches the caller alone, which
 * decides; no signal is blocked or ignored because the feeder's are. */
static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, usual;
    sigemptyset(&none);
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    sigaddset(&usual, SIGCHLD);
    posix_spawnattr_setpgroup(attributes, 0);
    posix_spawnattr_setsigmask(attributes, &none);
    posix_spawnattr_setsigdefault(attributes, &usual);
    return posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETPGROUP |
                                                    POSIX_SPAWN_SETSIGMASK |
                                                    POSIX_SPAWN_SETSIGDEF);
}

static int spawn(char *const *command, int control, pid_t *pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    int error = posix_spawn_file_actions_init(&files);
    if (error)
        return error;
    error = posix_spawnattr_init(&attributes);
    if (error)
        goto destroy_files;
    error = set_files(&files, control);
    if (!error)
        error = set_attributes(&attributes);
    tt_budget_lead();
    if (!error)
        error = posix_spawnp(pid, command[0], &files, &attributes, command,
                             environ);
    posix_spawnattr_destroy(&attributes);
destroy_files:
    posix_spawn_file_actions_destroy(&files);
    return error;
}

void tt_command_free(char **command)
{
    for (size_t i = 0; command && command[i]; i++)
        free(command[i]);
    free(command);
}

char **tt_command_copy(const char *const *command)
{
    size_t count = 0;
    while (command[count])
        count++;
    char **copy = calloc(count + 1, sizeof *copy);
    for (size_t i = 0; copy && i < count; i++) {
        copy[i] = strdup(command[i]);
        if (!copy[i]) {
            tt_command_free(copy);
            return NULL;
        }
    }
    return copy;
}

bool tt_command_same(char *const *command, const char *const *other)
{
    size_t i = 0;
    while (command[i] && other[i] && strcmp(command[i], other[i]) == 0)
        i++;
    return !command[i] && !other[i];
}

tutti_status tt_spawn_zygote(char *const *command, int *control, pid_t *pid)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return tt_fail(TUTTI_ESYS, "no socket for worker processes: %s",
                       strerror(errno));
    int error = spawn(command, pair[1], pid);
    close(pair[1]);
    if (error) {
        close(pair[0]);
        return tt_fail(TUTTI_ESYS,
                       "\"%.100s\", which makes worker processes, cannot be "
                       "started: %s",
                       command[0], strerror(error));
    }
    *control = pair[0];
    return TUTTI_OK;
}

int tt_spawn_wait(pid_t pid, int ms)
{
    int status;
    for (; ms > 0; ms--) {
        pid_t got = waitpid(pid, &status, WNOHANG);
        if (got)
            return got == pid ? status : -1;
        usleep(1000);
    }
    kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) != pid)
        if (errno != EINTR)
            return -1;
    return status;
}

bool tt_spawn_stopped(pid_t pid)
{
    char path[32], line[512];
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, line, sizeof line - 1);
    close(fd);
    line[n > 0 ? n : 0] = '\0';
    const char *name_end = strrchr(line, ')');
    return name_end && strncmp(name_end, ") T", 3) == 0;
}

static const char *name_of(int signal)
{
    switch (signal) {
    case SIGKILL:
        return " (SIGKILL)";
    case SIGSTOP:
        return " (SIGSTOP)";
    case SIGTSTP:
        return " (SIGTSTP)";
    case SIGSEGV:
        return " (SIGSEGV)";
    case SIGABRT:
        return " (SIGABRT)";
    case SIGBUS:
        return " (SIGBUS)";
    case SIGFPE:
        return " (SIGFPE)";
    case SIGILL:
        return " (SIGILL)";
    case SIGTERM:
        return " (SIGTERM)";
    case SIGINT:
        return " (SIGINT)";
    default:
        return "";
    }
}

void tt_spawn_say(char *out, size_t size, int status)
{
    if (status == -1)
        snprintf(out, size, "ended");
    else if (WIFSIGNALED(status))
        snprintf(out, size, "was killed by signal %d%s", WTERMSIG(status),
                 name_of(WTERMSIG(status)));
    else if (WIFSTOPPED(status))
        snprintf(out, size, "was stopped by signal %d%s", WSTOPSIG(status),
                 name_of(WSTOPSIG(status)));
    else
        snprintf(out, size, "ended with status %d", WEXITSTATUS(status));
}
