#define _GNU_SOURCE
#include "kernel/compiler.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"

/* Between looks at whether a program that says nothing has ended. */
#define PEEK_MS 20

extern char **environ;

/* The environment with TMPDIR set to `folder`, so that what a killed compiler
 * leaves goes with it, and messages in English. */
static char **make_environment(const char *folder)
{
    size_t n = 0, used = 2;
    while (environ[n])
        n++;
    size_t room = strlen(folder) + sizeof "TMPDIR=";
    char **all = malloc((n + 3) * sizeof *all + room);
    if (all == NULL)
        return NULL;
    char *text = (char *)(all + n + 3);
    snprintf(text, room, "TMPDIR=%s", folder);
    all[0] = text;
    all[1] = "LC_ALL=C";
    for (size_t i = 0; i < n; i++)
        if (strncmp(environ[i], "TMPDIR=", 7) != 0 &&
            strncmp(environ[i], "LC_ALL=", 7) != 0)
            all[used++] = environ[i];
    all[used] = NULL;
    return all;
}

/* A group of its own, so that all of it can be killed, with the usual signals:
 * a compiler driver that inherits an ignored SIGCHLD waits for ever. */
static int prepare(posix_spawn_file_actions_t *files, posix_spawnattr_t *how,
                   int error)
{
    sigset_t none, usual;
    sigemptyset(&none);
    sigemptyset(&usual);
    sigaddset(&usual, SIGCHLD);
    sigaddset(&usual, SIGPIPE);
    sigaddset(&usual, SIGINT);
    int rc = posix_spawnattr_setflags(how, POSIX_SPAWN_SETPGROUP |
                                               POSIX_SPAWN_SETSIGMASK |
                                               POSIX_SPAWN_SETSIGDEF);
    rc = rc ? rc : posix_spawnattr_setpgroup(how, 0);
    rc = rc ? rc : posix_spawnattr_setsigmask(how, &none);
    rc = rc ? rc : posix_spawnattr_setsigdefault(how, &usual);
    rc = rc ? rc
            : posix_spawn_file_actions_addopen(files, 0, "/dev/null", O_RDONLY,
                                               0);
    rc = rc ? rc
            : posix_spawn_file_actions_addopen(files, 1, "/dev/null", O_WRONLY,
                                               0);
    return rc ? rc : posix_spawn_file_actions_adddup2(files, error, 2);
}

static int start(pid_t *pid, char *const words[], const char *folder, int error)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    char **environment = make_environment(folder);
    if (environment == NULL)
        return ENOMEM;
    int rc = posix_spawn_file_actions_init(&files);
    if (rc != 0)
        goto free_environment;
    rc = posix_spawnattr_init(&how);
    if (rc != 0)
        goto free_files;
    rc = prepare(&files, &how, error);
    if (rc == 0)
        rc = posix_spawnp(pid, words[0], &files, &how, words, environment);
    posix_spawnattr_destroy(&how);
free_files:
    posix_spawn_file_actions_destroy(&files);
free_environment:
    free(environment);
    return rc;
}

static bool has_ended(pid_t pid)
{
    siginfo_t info = {.si_pid = 0};
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
           info.si_pid == pid;
}

/* Keeps the begin of what arrives until its end or the time `until`. The end
 * may not come: a child that this process forked meanwhile, or a server that
 * the program started, holds the pipe, too. */
static void listen_until(struct tt_outcome *out, int fd, pid_t pid,
                         uint64_t until)
{
    char spill[4096];
    size_t used = 0;
    while (tt_clock() < until) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        bool last = has_ended(pid);
        if (poll(&wait, 1, last ? 0 : PEEK_MS) <= 0) {
            if (last)
                break;
            continue;
        }
        size_t room = sizeof out->output - 1 - used;
        ssize_t got = read(fd, room ? out->output + used : spill,
                           room ? room : sizeof spill);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        used += room ? (size_t)got : 0;
    }
    out->output[used] = 0;
}

/* Waits for the program, and kills its group at the time `until`. Where
 * SIGCHLD is ignored the system keeps no status: the program counts as done,
 * and its caller looks at what it wrote. */
static void reap(struct tt_outcome *out, pid_t pid, uint64_t until)
{
    struct timespec nap = {0, 200000};
    int status = 0;
    for (;;) {
        pid_t got = waitpid(pid, &status, out->killed ? 0 : WNOHANG);
        if (got == pid || (got < 0 && errno != EINTR))
            break;
        if (!out->killed && tt_clock() >= until) {
            kill(-pid, SIGKILL);
            out->killed = true;
        } else if (got == 0) {
            nanosleep(&nap, NULL);
        }
    }
    out->done = !out->killed && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

tutti_status tt_compiler_run(struct tt_outcome *out, char *const words[],
                             const char *folder, double seconds)
{
    int ends[2];
    pid_t pid;
    uint64_t until = tt_clock() + (uint64_t)(seconds * 1e9);
    if (pipe2(ends, O_CLOEXEC) != 0)
        return tt_fail(TUTTI_ESYS, "cannot make a pipe to the C compiler: %s",
                       strerror(errno));
    int rc = start(&pid, words, folder, ends[1]);
    close(ends[1]);
    if (rc == 0) {
        out->killed = false;
        listen_until(out, ends[0], pid, until);
        reap(out, pid, until);
    }
    close(ends[0]);
    if (rc == 0)
        return TUTTI_OK;
    return tt_fail(TUTTI_ESYS, "cannot start the C compiler '%.200s': %s",
                   words[0], strerror(rc));
}
