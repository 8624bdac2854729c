/* The state of an open place "processes". One thread, the feeder, owns all
 * that concerns workers: it claims ranges for them, sends, receives, and sees
 * them die. Others leave it orders. */
#ifndef TT_PLACE_PROCESSES_POOL_H
#define TT_PLACE_PROCESSES_POOL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include <tutti/sys/message.h>

#include "loop/ledger.h"
#include "loop/run.h"
#include "place/processes/nurse.h"
#include "wire/channel.h"

#define TT_POOL_MOST 1024      /* worker processes of a place */
#define TT_LOOK_NS 1000000000u /* between two looks at a worker with tasks */

/* A worker that has been idle for so many ns leaves, and its zygotes with the
 * last one. */
extern _Atomic uint64_t tt_pool_idle_ns;

/* A zygote or worker that has not served after so many ns is killed. */
extern _Atomic uint64_t tt_pool_start_ns;

struct tt_feeder;

struct tt_pool {
    unsigned workers; /* at most so many processes */
    unsigned forks;   /* tt_fork_count when the feeder was started */
    /* What the cost depends on; written by the feeder. */
    _Atomic uint32_t zygotes, idle;
    pthread_mutex_t guard;    /* guards what follows */
    struct tt_feeder *feeder; /* NULL: not started */
};

/* Seats of a run, asked for and not seen by the feeder yet. */
struct tt_order {
    struct tt_order *next;
    tutti_run *run;
    unsigned workers;
    uint64_t at; /* tt_clock() */
};

struct tt_zygote {
    struct tt_zygote *next;
    char **command; /* a copy */
    struct tt_ward ward;
    pid_t pid;          /* 0: it does not serve yet */
    bool serves;        /* it said so */
    bool gone;          /* to be buried */
    bool late;          /* because it did not serve in time */
    bool stopped;       /* by SIGSTOP or the like: forks no more */
    uint64_t looked;    /* when this was last seen not to be so */
    uint64_t since;     /* when it was started, or last of use */
    unsigned processes; /* its workers, also those that are dying */
    unsigned starting;  /* of these, those that do not serve yet */
    unsigned wanted;    /* seats that wait for one, in this round */
    unsigned failures;  /* workers that never served, in a row */
    bool proved;        /* a worker served */
    bool weighed;       /* a loop that "auto" may send here wanted it */
};

enum tt_process_state {
    TT_PROCESS_STARTS,   /* forked or about to be */
    TT_PROCESS_IDLE,     /* serves, has no job */
    TT_PROCESS_PREPARES, /* was sent the job */
    TT_PROCESS_WORKS,    /* has a seat; prepared, or has ranges for then */
    TT_PROCESS_LOST,     /* its channel ended; the zygote will say why */
    TT_PROCESS_DYING,    /* told to leave, or killed: nobody waits for it */
    TT_PROCESS_DEAD      /* to be buried */
};

/* A worker process. */
struct tt_process {
    struct tt_process *next;
    struct tt_zygote *zygote;
    struct tt_channel channel;
    enum tt_process_state state;
    uint64_t number; /* instance; never used twice */
    pid_t pid;       /* 0: unknown */
    uint64_t since;  /* when the state began */
    uint64_t nudged; /* when it was last looked after while it is busy */
    uint64_t loop;   /* whose job it got last */
    bool keeps;      /* and is not told to forget */
    uint64_t jobs;   /* sent to it */
    bool again;      /* the last one: it answers only if it is not prepared */
    bool answers;    /* the last one: the answer is still to come */
    unsigned ranges; /* it has run */
    struct tt_seat *seat;
    bool reported; /* `status` is what waitpid() gave */
    int status;
    char why[200]; /* it was given up because of this */
};

/* A worker's part in a run, taken by one process after the other if they die.
 * Each seat is counted in run->inside. */
struct tt_seat {
    struct tt_seat *next;
    struct tt_feed *feed;
    struct tt_process *process; /* NULL: waits for one */
    struct tt_lane *lane;       /* NULL: not joined */
    uint64_t invited;
    uint64_t sitting; /* number of the process's stay here */
    bool dealt;       /* it got a range */
    bool busy;        /* it has a turn: see tt_range_turn() */
    bool leads;       /* it has one that the budget does not count */
    uint64_t encoded; /* ns of encoding since the lane's last range */
};

/* A run that has seats here. */
struct tt_feed {
    struct tt_feed *next;
    tutti_run *run;
    const tutti_message *message;
    uint64_t loop;
    tutti_bytes job; /* the frame for its workers; empty: not made */
    struct tt_ledger ledger;
    struct tt_seat *seats;
    struct tt_grain grain; /* ns of a task */
    size_t range;          /* tasks of the last range */
    double bytes;          /* of a task, the larger way */
    uint64_t longest;      /* ns of the longest of the recent ranges */
    uint64_t grace;        /* when unwanted ranges are cut off; 0: none are */
    uint64_t seen;       /* when a seat without a turn looked at the others, */
    uint64_t seen_cpu;   /* ns that those had computed, */
    size_t seen_done;    /* and tasks done */
    unsigned crashes;    /* workers that died without a range, in a row */
    bool keeps;          /* its job is kept by workers */
    bool seeks;          /* the task that cannot be sent, one by one */
    bool unread;         /* what comes back goes again unit by unit */
    bool deal;           /* a range each before anybody gets a second */
    bool broken;         /* it cannot travel: nothing is claimed any more */
    tutti_status status; /* why work may be left over */
    char why[TT_DETAIL_SIZE];
};

enum tt_who { TT_FEEDER, TT_DRIVER };

struct tt_feeder {
    struct tt_pool *pool;
    pthread_t thread;
    int bells[2];            /* eventfds that wake tt_who, */
    int polls[2];            /* and epolls: their bell, all sockets */
    _Atomic bool rung;       /* the feeder's bell, and nobody looked */
    struct tt_order *orders; /* pool->guard */
    bool stop;               /* pool->guard */
    pthread_mutex_t role;    /* held by the thread that drives; recursive: it
                                may wait again, in what it settles */
    pthread_mutex_t drive;   /* guards what follows; before pool->guard */
    _Atomic bool asked;      /* somebody has something for who drives */
    bool driven;             /* there is one */
    bool missed;             /* the feeder thread left something to it */
    bool called;             /* a socket called, once, and nobody looked yet */
    uint64_t asleep_until;   /* when the feeder thread wakes by itself */
    struct tt_zygote *zygotes;
    struct tt_process *processes;
    struct tt_feed *feeds;
    struct tt_feed *spare;   /* memory for one more; NULL: none */
    unsigned killed;         /* zygotes in a row, before a worker served */
    tutti_bytes kept;        /* the job's payload that workers keep, */
    uint64_t kept_loop;      /* under this number */
    unsigned open;           /* feeds of open loops: their workers stay */
    tutti_run *unsettled;    /* runs to be settled; counted in by this */
    uint64_t numbers, loops; /* given out so far */
    uint64_t now;            /* when this round began */
    uint64_t next;           /* when to look again at the latest */
};

/* Notes that something is due at `at`. */
static inline void tt_feeder_due(struct tt_feeder *f, uint64_t at)
{
    if (at < f->next)
        f->next = at;
}

/* The task that a process runs, as it says. */
static inline uint64_t tt_process_at(const struct tt_process *p)
{
    return tt_channel_at(&p->channel);
}

/* feeder.c */
TUTTI_MUST_CHECK tutti_status tt_feeder_start(struct tt_feeder **out,
                                              struct tt_pool *pool);
void tt_feeder_ring(struct tt_feeder *f);
size_t tt_feeder_list(struct tt_feeder *f, const tutti_run *run, long *pids,
                      size_t room);
void tt_feeder_free(struct tt_feeder *f);
/* Has the end of a socket watched, and what comes if `reads`, until it is
 * closed. */
TUTTI_MUST_CHECK tutti_status tt_feeder_watch(struct tt_feeder *f, int fd,
                                              bool reads);

/* See tutti_place_ops.help. */
void tt_feeder_help(struct tt_feeder *f, tutti_run *run, uint32_t seen,
                    uint64_t ns);

/* feed.c: runs and their seats. */
void tt_feed_order(struct tt_feeder *f, const struct tt_order *order);
/* Looks after all runs: seats without a process, ranges out of time. */
void tt_feed_tend(struct tt_feeder *f);
/* Frees a feed that has no seats; NULL is allowed. */
void tt_feed_free(struct tt_feed *feed);
/* No process can be had for this command; the detail says why. */
void tt_feed_starve(struct tt_feeder *f, const struct tt_zygote *z,
                    tutti_status status);

/* answer.c */
/* A process answered. TUTTI_ESYS: nonsense. */
tutti_status tt_feed_hear(struct tt_feeder *f, struct tt_process *p,
                          const struct tt_frame *frame,
                          const tutti_parcel *parcel);
/* The process that has this seat is dead. */
void tt_feed_lost(struct tt_feeder *f, struct tt_process *p, const char *cause);
/* A process "was stopped ...": its run is told, and waits. False: it holds no
 * task, so another may take its place. */
bool tt_feed_stopped(struct tt_feeder *f, struct tt_process *p,
                     const char *how);

/* staff.c: zygotes and processes. */
/* The zygote of a command, started if there is none; NULL: see the detail. */
struct tt_zygote *tt_staff_zygote(struct tt_feeder *f,
                                  const char *const *command);
/* An idle process of a command, one that never had a job if `fresh`; or NULL.
 */
struct tt_process *tt_staff_idle(struct tt_feeder *f,
                                 const char *const *command, bool fresh);
/* Buries the dead, lets idle ones go, sets z->wanted to 0. */
void tt_staff_tend(struct tt_feeder *f);
/* Forks what z->wanted asks for. */
void tt_staff_fork(struct tt_feeder *f);
/* A zygote's control socket, a process's channel has something to read. */
void tt_staff_listen(struct tt_feeder *f, struct tt_zygote *z);
void tt_staff_receive(struct tt_feeder *f, struct tt_process *p);
/* Lets an idle process go: it sees its channel end. */
void tt_staff_dismiss(struct tt_feeder *f, struct tt_process *p);
/* Kills a process that nobody waits for. */
void tt_staff_kill(struct tt_feeder *f, struct tt_process *p);
void tt_staff_turn(struct tt_feeder *f, struct tt_process *p,
                   enum tt_process_state state);
/* Ends all zygotes and processes. */
void tt_staff_end(struct tt_feeder *f);

#endif
