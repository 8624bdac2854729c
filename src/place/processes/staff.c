/* Zygotes and worker processes: started, listened to, buried. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/constants.h"
#include "place/processes/nurse.h"
#include "place/processes/pool.h"
#include "place/processes/spawn.h"
#include "wire/zygote.h"

#define ENDING_NS 100000000u  /* from a channel's end to the process's */
#define REPORT_NS 1000000000u /* from being killed to the report of it */
#define LEAVE_NS 5000000000u  /* to end when told to */
#define SEND_MS 1000
#define END_MS 2000 /* for a zygote to reap its workers and end */
#define GONE_MS 100 /* for one that closed its control socket */
#define LOOK_NS \
    100000000u /* for a worker to start, or its zygote is looked at */
/* Nobody waits longer for who prepares for a run that has ended: longer than
 * modules take to import, or a worker would never come to know a function whose
 * runs are short. */
#define UNWANTED_NS 20000000000u
#define FAILURES_MOST 3

_Atomic uint64_t tt_pool_idle_ns = 60000000000u;
_Atomic uint64_t tt_pool_start_ns = 30000000000u;

/* What is made after this round's tt_staff_tend() is looked at in time. */
static void due_to_start(struct tt_feeder *f)
{
    tt_feeder_due(f, f->now + atomic_load(&tt_pool_start_ns));
}

struct tt_zygote *tt_staff_zygote(struct tt_feeder *f,
                                  const char *const *command)
{
    for (struct tt_zygote *z = f->zygotes; z; z = z->next)
        if (!z->gone && !z->stopped && tt_command_same(z->command, command))
            return z;
    struct tt_zygote *z = calloc(1, sizeof *z);
    tutti_status status = TUTTI_EMEM;
    if (z)
        z->command = tt_command_copy(command);
    if (!z || !z->command)
        status = tt_fail_memory("a zygote");
    else
        status = tt_nurse_split(&z->ward, command);
    if (status) {
        if (z)
            tt_command_free(z->command);
        free(z);
        return NULL;
    }
    /* One that cannot be listened to would only be killed at its time limit. */
    if (tt_feeder_watch(f, z->ward.control, true))
        z->gone = true;
    z->since = f->now;
    z->next = f->zygotes;
    f->zygotes = z;
    due_to_start(f);
    return z;
}

struct tt_process *tt_staff_idle(struct tt_feeder *f,
                                 const char *const *command, bool fresh)
{
    for (struct tt_process *p = f->processes; p; p = p->next) {
        if (p->state != TT_PROCESS_IDLE || p->zygote->gone ||
            (fresh && p->loop) || !tt_command_same(p->zygote->command, command))
            continue;
        tt_staff_receive(f, p); /* it may have died since */
        if (p->state == TT_PROCESS_IDLE)
            return p;
    }
    return NULL;
}

static bool tell(struct tt_zygote *z, enum tt_zygote_kind kind, uint64_t number,
                 int fd)
{
    struct tt_zygote_note note = {.kind = kind, .worker = number};
    if (z->gone)
        return false;
    z->gone = !tt_zygote_send(z->ward.control, &note, fd, SEND_MS);
    return !z->gone;
}

void tt_staff_turn(struct tt_feeder *f, struct tt_process *p,
                   enum tt_process_state state)
{
    if (p->state == TT_PROCESS_STARTS && state != TT_PROCESS_STARTS)
        p->zygote->starting--;
    if (state == TT_PROCESS_PREPARES || p->seat)
        p->zygote->since = f->now;
    p->state = state;
    p->since = f->now;
}

void tt_staff_kill(struct tt_feeder *f, struct tt_process *p)
{
    tell(p->zygote, TT_ZYGOTE_KILL, p->number, -1);
    tt_staff_turn(f, p, TT_PROCESS_DYING);
}

/* Gives up a process for a reason. */
static void lose(struct tt_feeder *f, struct tt_process *p, const char *why)
{
    snprintf(p->why, sizeof p->why, "%s", why);
    tell(p->zygote, TT_ZYGOTE_KILL, p->number, -1);
    tt_staff_turn(f, p, TT_PROCESS_LOST);
}

static tutti_status start_process(struct tt_feeder *f, struct tt_zygote *z)
{
    int theirs;
    struct tt_process *p = calloc(1, sizeof *p);
    if (!p)
        return tt_fail_memory("a worker process");
    tutti_status status = tt_channel_make(&p->channel, f->bells, &theirs);
    if (status)
        goto free_process;
    status = tt_feeder_watch(f, p->channel.fd, false);
    if (status)
        goto close_channel;
    if (!z->starting)
        z->looked = f->now;
    p->zygote = z;
    p->number = ++f->numbers;
    p->since = f->now;
    p->next = f->processes;
    f->processes = p;
    z->processes++;
    z->starting++;
    due_to_start(f);
    tell(z, TT_ZYGOTE_FORK, p->number, theirs);
    close(theirs);
    return TUTTI_OK;
close_channel:
    close(theirs);
    tt_channel_fini(&p->channel);
free_process:
    free(p);
    return status;
}

static void free_zygote(struct tt_zygote *z)
{
    tt_command_free(z->command);
    free(z);
}

/* Ends a zygote, in order if it has workers, so that it reaps them. One
 * without, or that does not serve yet, ends by itself. */
static void end_zygote(struct tt_zygote *z)
{
    bool reaps = z->serves && z->processes;
    tt_nurse_leave(&z->ward, z->since, reaps, reaps ? END_MS : 0);
    free_zygote(z);
}

static void cause_of(const struct tt_process *p, char *out, size_t size)
{
    if (p->why[0])
        snprintf(out, size, "%s", p->why);
    else if (p->reported)
        tt_spawn_say(out, size, p->status);
    else
        snprintf(out, size, "vanished");
}

static void bury(struct tt_feeder *f, struct tt_process *p)
{
    struct tt_zygote *z = p->zygote;
    char cause[sizeof p->why];
    if (p->seat)
        tt_staff_receive(f, p); /* what it sent before it died */
    cause_of(p, cause, sizeof cause);
    if (p->seat)
        tt_feed_lost(f, p, cause);
    if (p->pid == 0 && ++z->failures >= FAILURES_MOST) {
        z->failures = 0;
        tt_feed_starve(f, z,
                       tt_fail(TUTTI_ESYS,
                               "a worker process of \"%.100s\" %s before it "
                               "served, %d times in a row",
                               z->command[0], cause, FAILURES_MOST));
    }
    z->processes--;
    tt_channel_fini(&p->channel);
    free(p);
}

static void bury_dead(struct tt_feeder *f)
{
    struct tt_process **at = &f->processes, *p;
    while ((p = *at)) {
        if (p->state == TT_PROCESS_DEAD) {
            *at = p->next;
            bury(f, p);
        } else {
            at = &p->next;
        }
    }
}

/* A zygote is gone, and by PR_SET_PDEATHSIG all its workers. */
static void bury_zygote(struct tt_feeder *f, struct tt_zygote *z)
{
    char how[100];
    int status = tt_nurse_leave(&z->ward, f->now, !z->stopped,
                                z->late || z->stopped ? 0 : GONE_MS);
    bool killed = !z->late && status != -1 && WIFSIGNALED(status);
    tt_spawn_say(how, sizeof how, status);
    if (z->late)
        snprintf(how, sizeof how, "did not start in time and was killed");
    for (struct tt_process *p = f->processes; p; p = p->next) {
        if (p->zygote != z || p->state == TT_PROCESS_DEAD)
            continue;
        if (!p->why[0])
            snprintf(p->why, sizeof p->why,
                     "died with its zygote (pid %ld), which %s,", (long)z->pid,
                     how);
        p->reported = true;
        p->pid = p->pid ? p->pid : -1;
        tt_staff_turn(f, p, TT_PROCESS_DEAD);
    }
    bury_dead(f);
    if ((killed || z->stopped) && !z->proved && ++f->killed < FAILURES_MOST)
        tt_feeder_due(f, 0); /* not its own fault: another may serve */
    else if (!z->proved)
        tt_feed_starve(f, z,
                       tt_fail(TUTTI_ESYS,
                               "\"%.100s\", which makes worker processes, %s "
                               "before a worker served",
                               z->command[0], how));
    free_zygote(z);
}

void tt_staff_dismiss(struct tt_feeder *f, struct tt_process *p)
{
    tt_channel_fini(&p->channel);
    tt_staff_turn(f, p, TT_PROCESS_DYING);
}

static bool passed(struct tt_feeder *f, uint64_t since, uint64_t ns)
{
    if (f->now - since >= ns)
        return true;
    tt_feeder_due(f, since + ns);
    return false;
}

/* A stopped zygote has its workers go on, but forks no others; they come from
 * another one. */
static void look_at_zygote(struct tt_feeder *f, struct tt_zygote *z)
{
    if (z->stopped || !passed(f, z->looked, LOOK_NS))
        return;
    z->looked = f->now;
    tt_feeder_due(f, f->now + LOOK_NS);
    z->stopped =
        z->serves ? tt_spawn_stopped(z->pid) : tt_nurse_stopped(&z->ward);
    z->gone |= z->stopped && !z->serves;
}

static void tend_start(struct tt_feeder *f, struct tt_process *p)
{
    look_at_zygote(f, p->zygote);
    if (p->zygote->stopped) {
        p->pid = -1; /* is not its failure */
        tt_staff_turn(f, p, TT_PROCESS_DEAD);
    } else if (passed(f, p->since, atomic_load(&tt_pool_start_ns))) {
        lose(f, p, "did not start in time");
    }
}

static void tend_process(struct tt_feeder *f, struct tt_process *p)
{
    switch (p->state) {
    case TT_PROCESS_STARTS:
        tend_start(f, p);
        break;
    case TT_PROCESS_IDLE:
    case TT_PROCESS_PREPARES:
        if (!p->seat && !f->open &&
            passed(f, p->since, atomic_load(&tt_pool_idle_ns)))
            tt_staff_dismiss(f, p);
        break;
    case TT_PROCESS_LOST:
        if (passed(f, p->since, REPORT_NS))
            tt_staff_turn(f, p, TT_PROCESS_DEAD);
        else if (!p->why[0] && passed(f, p->since, ENDING_NS))
            lose(f, p, "closed its channel");
        break;
    case TT_PROCESS_DYING:
        if (passed(f, p->since, LEAVE_NS))
            tt_staff_kill(f, p);
        if (p->zygote->stopped) /* which reports no deaths */
            tt_staff_turn(f, p, TT_PROCESS_DEAD);
        break;
    default:
        break;
    }
}

/* Whether a zygote has nothing to do any more: it leaves with its last idle
 * worker. One that lost a worker at work may be needed for another. */
static bool tend_zygote(struct tt_feeder *f, struct tt_zygote *z)
{
    if (!z->serves && passed(f, z->since, atomic_load(&tt_pool_start_ns)))
        z->gone = z->late = true;
    return !z->gone && z->processes == 0 &&
           (z->stopped || passed(f, z->since, atomic_load(&tt_pool_idle_ns)));
}

void tt_staff_tend(struct tt_feeder *f)
{
    for (struct tt_process *p = f->processes; p; p = p->next)
        tend_process(f, p);
    bury_dead(f);
    struct tt_zygote **at = &f->zygotes, *z;
    while ((z = *at)) {
        z->wanted = 0;
        bool done = tend_zygote(f, z);
        if (!done && !z->gone) {
            at = &z->next;
            continue;
        }
        *at = z->next;
        if (z->gone)
            bury_zygote(f, z);
        else
            end_zygote(z);
    }
}

/* Whether a process makes room for one of `other`: it is idle, and of another
 * command, or prepares still, and perhaps for ever, for a run that has ended.
 */
static bool may_go(struct tt_feeder *f, const struct tt_process *p,
                   const struct tt_zygote *other)
{
    if (p->state == TT_PROCESS_IDLE)
        return p->zygote != other;
    return p->state == TT_PROCESS_PREPARES && !p->seat &&
           passed(f, p->since, UNWANTED_NS);
}

static unsigned count_processes(struct tt_feeder *f, struct tt_process **idle,
                                const struct tt_zygote *other)
{
    unsigned count = 0;
    *idle = NULL;
    for (struct tt_process *p = f->processes; p; p = p->next) {
        count += p->state < TT_PROCESS_DYING;
        if (may_go(f, p, other))
            *idle = p;
    }
    return count;
}

/* Forks until as many processes start as seats wait, if the place is not full,
 * or one makes room. */
static tutti_status fork_wanted(struct tt_feeder *f, struct tt_zygote *z)
{
    while (z->starting < z->wanted && !z->gone) {
        struct tt_process *idle;
        if (count_processes(f, &idle, z) >= f->pool->workers) {
            if (!idle)
                return TUTTI_OK;
            tt_staff_dismiss(f, idle);
        }
        tutti_status status = start_process(f, z);
        if (status)
            return status;
    }
    return TUTTI_OK;
}

void tt_staff_fork(struct tt_feeder *f)
{
    unsigned zygotes = 0, idle = 0;
    for (struct tt_zygote *z = f->zygotes; z; z = z->next) {
        tutti_status status = fork_wanted(f, z);
        if (status)
            tt_feed_starve(f, z, status);
        if (z->gone)
            tt_feeder_due(f, 0);
        zygotes += z->serves;
    }
    for (struct tt_process *p = f->processes; p; p = p->next)
        idle += p->state == TT_PROCESS_IDLE;
    atomic_store(&f->pool->zygotes, zygotes);
    atomic_store(&f->pool->idle, idle);
}

/* What a stopped process would get next would wait for ever. */
static void changed(struct tt_feeder *f, const struct tt_zygote_note *note)
{
    for (struct tt_process *p = f->processes; p; p = p->next) {
        if (p->number != note->worker)
            continue;
        if (note->kind == TT_ZYGOTE_STOPPED) {
            char how[100];
            tt_spawn_say(how, sizeof how, note->status);
            if (p->state < TT_PROCESS_LOST && !tt_feed_stopped(f, p, how))
                lose(f, p, how);
            continue;
        }
        p->reported = true;
        p->status = note->status;
        if (note->kind == TT_ZYGOTE_FAILED)
            snprintf(p->why, sizeof p->why, "could not be forked (%s)",
                     strerror(note->status));
        tt_staff_turn(f, p, TT_PROCESS_DEAD);
    }
}

void tt_staff_listen(struct tt_feeder *f, struct tt_zygote *z)
{
    struct tt_zygote_note note;
    int fd, got;
    while ((got = tt_zygote_receive(z->ward.control, &note, &fd, false)) > 0) {
        if (fd >= 0)
            close(fd);
        if (note.kind == TT_ZYGOTE_HELLO) {
            z->serves = true;
            z->pid = (pid_t)note.pid;
        } else {
            changed(f, &note);
        }
    }
    if (got < 0)
        z->gone = true;
}

static void greet(struct tt_feeder *f, struct tt_process *p,
                  const struct tt_frame *frame)
{
    struct tt_zygote *z = p->zygote;
    p->pid = (pid_t)frame->begin;
    z->failures = 0;
    if (!z->proved && z->weighed)
        tt_constant_learn(TT_PROCESS_OPEN, (double)(f->now - z->since) * 1e-9);
    z->proved = true;
    f->killed = 0;
    tt_staff_turn(f, p, TT_PROCESS_IDLE);
}

/* Hands out the frames that are there. */
static tutti_status hear(struct tt_feeder *f, struct tt_process *p)
{
    for (;;) {
        struct tt_frame frame;
        tutti_parcel parcel;
        bool there;
        tutti_status status =
            tt_channel_next(&p->channel, &there, &frame, &parcel);
        if (status || !there)
            return status;
        if (p->state == TT_PROCESS_STARTS && frame.kind == TT_FRAME_HELLO)
            greet(f, p, &frame);
        else
            status = tt_feed_hear(f, p, &frame, &parcel);
        if (status)
            return status;
    }
}

void tt_staff_receive(struct tt_feeder *f, struct tt_process *p)
{
    tt_channel_send(&p->channel, false);
    tutti_status status = hear(f, p);
    bool live = p->state < TT_PROCESS_LOST;
    if (status) {
        char why[sizeof p->why];
        snprintf(why, sizeof why, "gave no valid answer (%.150s)",
                 tutti_detail());
        if (live)
            lose(f, p, why);
        else
            snprintf(p->why, sizeof p->why, "%s", why);
    } else if (live && p->channel.ended) {
        /* It ends; the zygote will say how. */
        tt_staff_turn(f, p, TT_PROCESS_LOST);
    }
}

void tt_staff_end(struct tt_feeder *f)
{
    struct tt_process *p, *after;
    struct tt_zygote *z, *next;
    for (z = f->zygotes; z; z = next) {
        next = z->next;
        end_zygote(z);
    }
    for (p = f->processes; p; p = after) {
        after = p->next;
        tt_channel_fini(&p->channel);
        free(p);
    }
}
