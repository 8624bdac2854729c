#include "wire/zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tutti/sys/message.h>

#define SEND_MS 60000 /* a place that reads no report for so long is gone */

struct child {
    uint64_t worker;
    pid_t pid;
};

struct zygote {
    int control, deaths; /* deaths: a signalfd for SIGCHLD */
    sigset_t mask;       /* the caller's */
    struct child *children;
    size_t count, room;
    void (*before)(void);
    void (*after_parent)(void);
    void (*after_child)(void);
};

static bool tell(struct zygote *z, enum tt_zygote_kind kind, uint64_t worker,
                 pid_t pid, int status)
{
    struct tt_zygote_note note = {kind, status, worker, pid};
    return tt_zygote_send(z->control, &note, -1, SEND_MS);
}

static bool reserve(struct zygote *z)
{
    if (z->count < z->room)
        return true;
    size_t room = z->room ? 2 * z->room : 16;
    struct child *children = realloc(z->children, room * sizeof *children);
    if (!children)
        return false;
    z->children = children;
    z->room = room;
    return true;
}

static void release(struct zygote *z)
{
    close(z->control);
    close(z->deaths);
    free(z->children);
    sigprocmask(SIG_SETMASK, &z->mask, NULL);
}

/* In the child: it dies with its zygote. Both set its process group, so that it
 * is killed with what it started, at once. */
static void become_child(struct zygote *z, pid_t parent)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(0);
    if (z->after_child)
        z->after_child();
}

/* Forks a worker for `channel`, or a zygote. Returns true in the child. */
static bool make_child(struct zygote *z, uint64_t worker, int channel)
{
    pid_t parent = getpid(), pid = -1;
    int error = ENOMEM;
    if (channel < 0) {
        error = EBADF;
    } else if (reserve(z)) {
        if (z->before)
            z->before();
        pid = fork();
        error = errno;
        if (pid == 0) {
            become_child(z, parent);
            return true;
        }
        if (z->after_parent)
            z->after_parent();
    }
    if (pid > 0) {
        setpgid(pid, pid);
        z->children[z->count++] = (struct child){worker, pid};
    } else {
        tell(z, TT_ZYGOTE_FAILED, worker, -1, error);
    }
    if (channel >= 0)
        close(channel);
    return false;
}

/* A child in the table is not reaped yet, so its pid is its own. */
static void kill_worker(struct zygote *z, uint64_t worker)
{
    for (size_t i = 0; i < z->count; i++)
        if (z->children[i].worker == worker)
            kill(-z->children[i].pid, SIGKILL);
}

static bool reap(struct zygote *z)
{
    struct signalfd_siginfo info;
    bool fine = true;
    while (read(z->deaths, &info, sizeof info) > 0)
        ;
    for (size_t i = 0; i < z->count;) {
        struct child *child = &z->children[i];
        int status;
        bool changed =
            waitpid(child->pid, &status, WNOHANG | WUNTRACED) == child->pid;
        bool died = changed && !WIFSTOPPED(status);
        if (changed)
            fine &= tell(z, died ? TT_ZYGOTE_DIED : TT_ZYGOTE_STOPPED,
                         child->worker, child->pid, status);
        if (died)
            *child = z->children[--z->count];
        else
            i++;
    }
    return fine;
}

/* In a forked zygote: another control socket, no children yet. */
static bool serve_instead(struct zygote *z, int control)
{
    close(z->control);
    z->control = control;
    z->count = 0;
    return tell(z, TT_ZYGOTE_HELLO, 0, getpid(), 0);
}

/* -1: go on; -2: the end; else the channel, in a worker. */
static int obey(struct zygote *z)
{
    struct tt_zygote_note note;
    int fd, got = tt_zygote_receive(z->control, &note, &fd, false);
    if (got <= 0)
        return got < 0 ? -2 : -1;
    if (note.kind == TT_ZYGOTE_FORK && make_child(z, note.worker, fd)) {
        release(z); /* nothing of the zygote is left */
        return fd;
    }
    if (note.kind == TT_ZYGOTE_SPLIT && make_child(z, note.worker, fd))
        return serve_instead(z, fd) ? -1 : -2;
    if (note.kind == TT_ZYGOTE_FORK || note.kind == TT_ZYGOTE_SPLIT)
        return -1;
    if (fd >= 0)
        close(fd);
    if (note.kind != TT_ZYGOTE_KILL)
        return -2;
    kill_worker(z, note.worker);
    return -1;
}

static int serve(struct zygote *z)
{
    if (!tell(z, TT_ZYGOTE_HELLO, 0, getpid(), 0))
        return -1;
    for (;;) {
        struct pollfd ready[2] = {{.fd = z->control, .events = POLLIN},
                                  {.fd = z->deaths, .events = POLLIN}};
        if (poll(ready, 2, -1) < 0 && errno != EINTR)
            return -1;
        if (ready[1].revents && !reap(z))
            return -1;
        int channel = ready[0].revents ? obey(z) : -1;
        if (channel >= 0)
            return channel;
        if (channel == -2)
            return -1;
    }
}

static void kill_all(struct zygote *z)
{
    for (size_t i = 0; i < z->count; i++)
        kill(-z->children[i].pid, SIGKILL);
    for (size_t i = 0; i < z->count; i++)
        while (waitpid(z->children[i].pid, NULL, 0) < 0 && errno == EINTR)
            ;
}

int tutti_zygote_serve(int control, void (*before)(void),
                       void (*after_parent)(void), void (*after_child)(void))
{
    struct zygote z = {.control = control,
                       .before = before,
                       .after_parent = after_parent,
                       .after_child = after_child};
    sigset_t deaths;
    sigemptyset(&deaths);
    sigaddset(&deaths, SIGCHLD);
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* of the thread that started it */
    signal(SIGCHLD, SIG_DFL); /* ignored, children could not be waited for */
    fcntl(control, F_SETFD, FD_CLOEXEC);
    sigprocmask(SIG_BLOCK, &deaths, &z.mask);
    z.deaths = signalfd(-1, &deaths, SFD_CLOEXEC | SFD_NONBLOCK);
    int channel = z.deaths < 0 ? -1 : serve(&z);
    if (channel < 0) {
        kill_all(&z);
        release(&z);
    }
    return channel;
}
