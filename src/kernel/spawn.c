#define _GNU_SOURCE
#include "kernel/compiler.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"

#define LOOK_NS 50000000u
#define DRAIN_NS 100000000u

/* Between looks at whether a program that says nothing has ended. */
#define PEEK_MS 20

extern char **environ;

static int (*_Atomic watcher)(tutti_compiler_phase phase);

void tutti_kernel_watch(int (*watch)(tutti_compiler_phase phase))
{
    atomic_store(&watcher, watch);
}

bool tt_compiler_watch(tutti_compiler_phase phase)
{
    int (*watch)(tutti_compiler_phase) = atomic_load(&watcher);
    return watch && watch(phase) != 0;
}

/* How long a program is waited for. */
struct patience {
    uint64_t look;  /* when the watcher is asked next */
    uint64_t until; /* when it must have ended */
};

static bool is_over(struct tt_outcome *out, struct patience *p)
{
    uint64_t now = tt_clock();
    if (now >= p->look) {
        p->look = now + LOOK_NS;
        out->cancelled = tt_compiler_watch(TUTTI_COMPILER_RUNS);
        p->until = out->cancelled ? 0 : p->until;
    }
    return now >= p->until;
}

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

/* Keeps the begin of what arrives until its end or until it is over. The end
 * may not come: a child that this process forked meanwhile, or a server that
 * the program started, holds the pipe, too. pid 0: there is no program. */
static void hear(struct tt_outcome *out, int fd, pid_t pid, struct patience *p)
{
    char spill[4096];
    size_t used = 0;
    while (!is_over(out, p)) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        bool last = pid && has_ended(pid);
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

/* Waits for the program, and kills its group when it is over. Where SIGCHLD is
 * ignored the system keeps no status: the program counts as done, and its
 * caller looks at what it wrote. */
static void reap(struct tt_outcome *out, pid_t pid, struct patience *p)
{
    struct timespec nap = {0, 200000};
    int status = 0;
    for (;;) {
        pid_t got = waitpid(pid, &status, out->killed ? 0 : WNOHANG);
        if (got == pid || (got < 0 && errno != EINTR))
            break;
        if (!out->killed && is_over(out, p)) {
            kill(-pid, SIGKILL);
            out->killed = true;
        } else if (got == 0) {
            nanosleep(&nap, NULL);
        }
    }
    out->done = !out->killed && !out->cancelled && WIFEXITED(status) &&
                WEXITSTATUS(status) == 0;
}

tutti_status tt_compiler_run(struct tt_outcome *out, char *const words[],
                             const char *folder, double seconds)
{
    int ends[2];
    pid_t pid;
    uint64_t now = tt_clock();
    struct patience patience = {now, now + (uint64_t)(seconds * 1e9)};
    if (pipe2(ends, O_CLOEXEC) != 0)
        return tt_fail(TUTTI_ESYS, "cannot make a pipe to the C compiler: %s",
                       strerror(errno));
    int rc = start(&pid, words, folder, ends[1]);
    close(ends[1]);
    if (rc == 0) {
        out->killed = out->cancelled = false;
        hear(out, ends[0], pid, &patience);
        reap(out, pid, &patience);
    }
    if (rc == 0 && out->killed) {
        /* All of its group shall end: nobody writes to the folder then. */
        patience = (struct patience){UINT64_MAX, tt_clock() + DRAIN_NS};
        hear(out, ends[0], 0, &patience);
    }
    close(ends[0]);
    if (rc == 0)
        return TUTTI_OK;
    return tt_fail(TUTTI_ESYS, "cannot start the C compiler '%.200s': %s",
                   words[0], strerror(rc));
}
