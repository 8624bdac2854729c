#include "place/processes/nurse.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/fork.h"
#include "place/processes/pool.h"
#include "place/processes/spawn.h"
#include "wire/zygote.h"

#define SEND_MS 1000
#define END_MS 2000 /* for a first zygote to end when told to */

struct death {
    struct death *next;
    uint64_t number;
    int status;
};

struct tt_nurse {
    struct tt_nurse *next;
    char **command; /* a copy */
    int control;    /* -1: not started */
    pid_t pid;
    unsigned wards;      /* that have not left */
    unsigned users;      /* and the thread: the last one frees */
    uint64_t since;      /* when it last had one */
    bool ready;          /* the start has succeeded or failed */
    bool serves;         /* it said so */
    bool ending;         /* its pid may not be its own any more */
    bool gone;           /* it has ended, with */
    int status;          /* as of waitpid() */
    tutti_status failed; /* to start, for */
    char why[TT_DETAIL_SIZE];
    struct death *deaths; /* of wards, not asked for yet */
};

static struct {
    pthread_mutex_t lock;    /* guards all */
    pthread_cond_t news;     /* something has changed */
    unsigned forks;          /* tt_forks() when it was last used */
    struct tt_nurse *nurses; /* that take wards */
    uint64_t numbers;
} all = {.lock = PTHREAD_MUTEX_INITIALIZER, .news = PTHREAD_COND_INITIALIZER};

/* In a forked child the threads are gone, and the zygotes are the parent's. */
static void enter(void)
{
    if (all.forks != tt_forks()) {
        pthread_mutex_init(&all.lock, NULL);
        pthread_cond_init(&all.news, NULL);
        all.nurses = NULL;
        all.forks = tt_forks();
    }
    pthread_mutex_lock(&all.lock);
}

static void leave(void)
{
    pthread_mutex_unlock(&all.lock);
}

static void free_nurse(struct tt_nurse *nurse)
{
    while (nurse->deaths) {
        struct death *death = nurse->deaths;
        nurse->deaths = death->next;
        free(death);
    }
    tt_command_free(nurse->command);
    free(nurse);
}

static void unlist(struct tt_nurse *nurse)
{
    struct tt_nurse **at = &all.nurses;
    while (*at && *at != nurse)
        at = &(*at)->next;
    if (*at)
        *at = nurse->next;
}

static void drop(struct tt_nurse *nurse)
{
    if (--nurse->users == 0)
        free_nurse(nurse);
}

static void note_death(struct tt_nurse *nurse,
                       const struct tt_zygote_note *note)
{
    struct death *death = malloc(sizeof *death);
    if (!death)
        return; /* whoever asks for it waits until its time is over */
    int status = note->kind == TT_ZYGOTE_DIED ? note->status : -1;
    *death = (struct death){nurse->deaths, note->worker, status};
    nurse->deaths = death;
}

/* Reads what the first zygote says. False: it is gone. */
static bool hear(struct tt_nurse *nurse)
{
    struct tt_zygote_note note;
    int fd, got;
    while ((got = tt_zygote_receive(nurse->control, &note, &fd, false)) > 0) {
        if (fd >= 0)
            close(fd);
        enter();
        if (note.kind == TT_ZYGOTE_HELLO)
            nurse->serves = true;
        else if (note.kind != TT_ZYGOTE_STOPPED)
            note_death(nurse, &note);
        pthread_cond_broadcast(&all.news);
        leave();
    }
    return got == 0;
}

/* Whether the nurse may end its zygote: nobody has used it for a while. */
static bool is_idle(struct tt_nurse *nurse, int *ms)
{
    enter();
    uint64_t now = tt_clock(), idle = atomic_load(&tt_pool_idle_ns);
    bool over = nurse->wards == 0 && now - nurse->since >= idle;
    *ms = nurse->wards ? -1 : (int)((nurse->since + idle - now) / 1000000 + 1);
    if (over)
        unlist(nurse);
    leave();
    return over;
}

static void attend(struct tt_nurse *nurse)
{
    for (;;) {
        int ms;
        if (is_idle(nurse, &ms))
            return;
        struct pollfd ready = {.fd = nurse->control, .events = POLLIN};
        /* A ward that leaves does not call: look from time to time. */
        if (ms < 0 || ms > 10000)
            ms = 10000;
        if (poll(&ready, 1, ms) > 0 && !hear(nurse))
            return;
    }
}

static void *nurse_main(void *arg)
{
    struct tt_nurse *nurse = arg;
    int control = -1;
    pid_t pid = 0;
    tutti_status failed = tt_spawn_zygote(nurse->command, &control, &pid);
    enter();
    nurse->control = control;
    nurse->pid = pid;
    nurse->failed = failed;
    snprintf(nurse->why, sizeof nurse->why, "%s", tutti_detail());
    nurse->ready = true;
    pthread_cond_broadcast(&all.news);
    leave();
    int status = -1;
    if (!failed) {
        attend(nurse);
        enter();
        unlist(nurse);
        nurse->ending = true;
        leave();
        shutdown(control, SHUT_RDWR);
        status = tt_spawn_wait(pid, END_MS);
    }
    enter();
    unlist(nurse);
    nurse->status = status;
    nurse->gone = nurse->ending = true;
    if (control >= 0)
        close(control);
    nurse->control = -1;
    pthread_cond_broadcast(&all.news);
    drop(nurse);
    leave();
    return NULL;
}

/* Waits for news, at most until `until`. */
static bool await(uint64_t until)
{
    uint64_t now = tt_clock();
    struct timespec t;
    if (now >= until)
        return false;
    clock_gettime(CLOCK_REALTIME, &t);
    uint64_t ns = (uint64_t)t.tv_nsec + (until - now);
    t.tv_sec += (time_t)(ns / 1000000000u);
    t.tv_nsec = (long)(ns % 1000000000u);
    pthread_cond_timedwait(&all.news, &all.lock, &t);
    return true;
}

/* A nurse is hired; its thread has the signals of nobody. */
static struct tt_nurse *hire(const char *const *command)
{
    struct tt_nurse *nurse = calloc(1, sizeof *nurse);
    if (!nurse)
        return NULL;
    nurse->control = -1;
    nurse->users = 1;
    nurse->since = tt_clock();
    nurse->command = tt_command_copy(command);
    pthread_t thread;
    sigset_t none, old;
    sigfillset(&none);
    pthread_sigmask(SIG_SETMASK, &none, &old);
    bool fine =
        nurse->command && pthread_create(&thread, NULL, nurse_main, nurse) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (!fine) {
        free_nurse(nurse);
        return NULL;
    }
    pthread_detach(thread);
    nurse->next = all.nurses;
    all.nurses = nurse;
    return nurse;
}

static struct tt_nurse *find(const char *const *command)
{
    for (struct tt_nurse *nurse = all.nurses; nurse; nurse = nurse->next)
        if (tt_command_same(nurse->command, command))
            return nurse;
    return NULL;
}

/* Sends the order that makes a ward, with its end of the control socket. */
static tutti_status order(struct tt_nurse *nurse, struct tt_ward *ward)
{
    int pair[2];
    struct tt_zygote_note note = {.kind = TT_ZYGOTE_SPLIT,
                                  .worker = ward->number};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return tt_fail(TUTTI_ESYS, "no socket for worker processes: %s",
                       strerror(errno));
    /* When the first zygote is gone, so is its end of this socket. */
    tt_zygote_send(nurse->control, &note, pair[1], SEND_MS);
    close(pair[1]);
    ward->control = pair[0];
    return TUTTI_OK;
}

tutti_status tt_nurse_split(struct tt_ward *ward, const char *const *command)
{
    tutti_status status = TUTTI_EMEM;
    enter();
    struct tt_nurse *nurse = find(command);
    *ward = (struct tt_ward){.first = !nurse, .number = ++all.numbers};
    if (!nurse)
        nurse = hire(command);
    if (!nurse) {
        status = tt_fail_memory("a zygote");
        goto unlock;
    }
    nurse->users++;
    nurse->wards++;
    while (!nurse->ready && await(tt_clock() + 1000000000u))
        ;
    status = nurse->failed ? tt_fail(nurse->failed, "%s", nurse->why)
                           : order(nurse, ward);
    ward->nurse = nurse;
    if (status) {
        nurse->wards--;
        drop(nurse);
    }
unlock:
    leave();
    return status;
}

/* How a ward ended, if its nurse has heard of it. */
static bool take_death(struct tt_nurse *nurse, uint64_t number, int *status)
{
    struct death **at = &nurse->deaths, *death;
    while (*at && (*at)->number != number)
        at = &(*at)->next;
    death = *at;
    if (death) {
        *status = death->status;
        *at = death->next;
        free(death);
    } else if (nurse->gone) {
        *status = nurse->status;
    }
    return death || nurse->gone;
}

/* Kills a ward; one that does not come into being, with the first zygote. */
static void stop(struct tt_nurse *nurse, uint64_t number)
{
    struct tt_zygote_note note = {.kind = TT_ZYGOTE_KILL, .worker = number};
    if (nurse->ending)
        return;
    if (nurse->serves)
        tt_zygote_send(nurse->control, &note, -1, SEND_MS);
    else
        kill(nurse->pid, SIGKILL);
}

int tt_nurse_leave(struct tt_ward *ward, bool kills, int ms)
{
    struct tt_nurse *nurse = ward->nurse;
    int status = -1;
    shutdown(ward->control, SHUT_RDWR);
    enter();
    for (int i = 0; i < 2; i++) {
        uint64_t until = tt_clock() + (uint64_t)ms * 1000000u;
        while (!take_death(nurse, ward->number, &status) && await(until))
            ;
        if (status != -1 || !kills || i)
            break;
        stop(nurse, ward->number);
        ms = END_MS;
    }
    nurse->wards--;
    nurse->since = tt_clock();
    drop(nurse);
    leave();
    close(ward->control);
    return status;
}
