#include "place/processes/nurse.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/fork.h"
#include "place/processes/pool.h"
#include "place/processes/spawn.h"
#include "wire/zygote.h"

#define SEND_MS 1000
#define END_MS 2000 /* for a first zygote to end when told to */
#define LOOK_MS 10000
#define START_NS 2000000000u /* for the system to start a program */
#define STARTS_MOST 3

struct tt_nurse {
    struct tt_nurse *next;
    char **command; /* a copy */
    int control;    /* -1: not started */
    pid_t pid;
    unsigned needed;     /* by so many wards */
    unsigned users;      /* wards and the thread: the last one frees */
    uint64_t since;      /* when a ward was last of use */
    bool ready;          /* the start has succeeded or failed */
    bool serves;         /* it said so */
    bool deaf;           /* was stopped: takes no more wards */
    bool ending;         /* nor does this; its pid may not be its own */
    bool gone;           /* it has ended, with */
    int status;          /* as of waitpid() */
    tutti_status failed; /* to start, for */
    char why[TT_DETAIL_SIZE];
    struct tt_ward *wards; /* that may be asked for */
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

/* What nobody asks for any more is no news. */
static void note_death(struct tt_nurse *nurse,
                       const struct tt_zygote_note *note)
{
    struct tt_ward *ward = nurse->wards;
    while (ward && ward->number != note->worker)
        ward = ward->next;
    if (!ward)
        return;
    ward->ended = true;
    ward->status = note->kind == TT_ZYGOTE_DIED ? note->status : -1;
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

/* Whether the nurse is to end its zygote, which then takes no more wards: it
 * hears no more of it, or has no wards, and none was of use for a while. */
static bool is_over(struct tt_nurse *nurse, bool hears, int *ms)
{
    enter();
    uint64_t idle = tt_clock() - nurse->since,
             most = atomic_load(&tt_pool_idle_ns);
    *ms = LOOK_MS;
    if (!nurse->needed && most - idle < LOOK_MS * (uint64_t)1000000)
        *ms = (int)((most - idle) / 1000000 + 1);
    nurse->ending = !hears || (!nurse->needed && (nurse->deaf || idle >= most));
    if (nurse->ending)
        unlist(nurse);
    leave();
    return nurse->ending;
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
    int status = -1, ms;
    bool hears = !failed;
    while (!is_over(nurse, hears, &ms)) {
        struct pollfd ready = {.fd = control, .events = POLLIN};
        if (poll(&ready, 1, ms) > 0)
            hears = hear(nurse);
    }
    if (!failed) {
        shutdown(control, SHUT_RDWR);
        status = tt_spawn_wait(pid, END_MS);
    }
    enter();
    nurse->status = status;
    nurse->gone = true;
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
    if (now >= until)
        return false;
    struct timespec t = tt_clock_in(until - now);
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

static bool check_deaf(struct tt_nurse *nurse)
{
    if (!nurse->deaf && nurse->pid && !nurse->ending &&
        tt_spawn_stopped(nurse->pid)) {
        nurse->deaf = true;
        unlist(nurse);
    }
    return nurse->deaf;
}

bool tt_nurse_stopped(const struct tt_ward *ward)
{
    enter();
    bool deaf = check_deaf(ward->nurse);
    leave();
    return deaf;
}

static struct tt_nurse *find(const char *const *command)
{
    for (struct tt_nurse *nurse = all.nurses; nurse; nurse = nurse->next)
        if (tt_command_same(nurse->command, command))
            return check_deaf(nurse) ? NULL : nurse;
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

static void release(struct tt_nurse *nurse)
{
    nurse->needed--;
    drop(nurse);
}

/* The nurse of a command, hired if there is none, when its first zygote is
 * started or cannot be: counted as its user. One whose child does not even get
 * to run the command, as if stopped, is left. */
static tutti_status engage(struct tt_nurse **out, const char *const *command)
{
    for (int i = 0; i < STARTS_MOST; i++) {
        uint64_t until = tt_clock() + START_NS;
        struct tt_nurse *nurse = find(command);
        if (!nurse)
            nurse = hire(command);
        if (!nurse)
            return tt_fail_memory("a zygote");
        nurse->users++;
        nurse->needed++;
        while (!nurse->ready && await(until))
            ;
        *out = nurse;
        if (nurse->ready)
            return TUTTI_OK;
        nurse->deaf = true;
        unlist(nurse);
        release(nurse);
    }
    return tt_fail(TUTTI_ESYS,
                   "\"%.100s\", which makes worker processes, was not started "
                   "in time",
                   command[0]);
}

tutti_status tt_nurse_split(struct tt_ward *ward, const char *const *command)
{
    struct tt_nurse *nurse = NULL;
    enter();
    *ward = (struct tt_ward){.number = ++all.numbers, .status = -1};
    tutti_status status = engage(&nurse, command);
    if (status)
        goto unlock;
    status = nurse->failed ? tt_fail(nurse->failed, "%s", nurse->why)
                           : order(nurse, ward);
    if (status) {
        release(nurse);
    } else {
        ward->nurse = nurse;
        ward->next = nurse->wards;
        nurse->wards = ward;
    }
unlock:
    leave();
    return status;
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

/* Whether it is known how a ward ended. */
static bool has_ended(struct tt_ward *ward)
{
    if (!ward->ended && ward->nurse->gone)
        ward->status = ward->nurse->status;
    return ward->ended || ward->nurse->gone;
}

int tt_nurse_leave(struct tt_ward *ward, uint64_t used, bool kills, int ms)
{
    struct tt_nurse *nurse = ward->nurse;
    struct tt_ward **at = &nurse->wards;
    enter();
    /* First, so that the nurse knows when it hears of the ward's end. */
    nurse->needed--;
    if (used > nurse->since)
        nurse->since = used;
    shutdown(ward->control, SHUT_RDWR);
    for (int i = 0; i < 2; i++) {
        uint64_t until = tt_clock() + (uint64_t)ms * 1000000u;
        while (!has_ended(ward) && await(until))
            ;
        if (has_ended(ward) || !kills || i)
            break;
        stop(nurse, ward->number);
        ms = END_MS;
    }
    while (*at != ward)
        at = &(*at)->next;
    *at = ward->next;
    drop(nurse);
    leave();
    close(ward->control);
    return ward->status;
}
