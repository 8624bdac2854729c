/* A team of threads that wait for runs. A thread that waits spins for some
 * 300 us, then parks on a futex; parked threads wake one another in a chain,
 * so the inviter pays for one wake-up. */
#ifndef TT_PLACE_THREADS_TEAM_H
#define TT_PLACE_THREADS_TEAM_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <tutti/sys/caller.h>

#define TT_TEAM_MOST 1024

enum tt_member_state {
    TT_MEMBER_SPINS,   /* idle, awake */
    TT_MEMBER_PARKED,  /* idle, asleep on `state` */
    TT_MEMBER_INVITED, /* `run` is to be worked on */
    TT_MEMBER_WORKS,
    TT_MEMBER_LEAVES /* the team closes */
};

struct tt_member {
    _Atomic uint32_t state; /* tt_member_state; a futex */
    bool was_parked;        /* before it was invited; the team's lock */
    struct tutti_run *run;  /* written before the state says invited */
    uint64_t invited;       /* when */
    pid_t id;               /* set before it is idle */
    _Atomic bool avoids;    /* a CPU, since it was invited */
    struct tt_member *_Atomic wakes; /* parked member to wake up next */
    struct tt_member *idle;          /* next on the idle list */
    struct tt_member *all;           /* next in the team */
    struct tt_team *team;
    pthread_t thread;
};

struct tt_team {
    pthread_mutex_t lock; /* guards what follows */
    struct tt_member *idle, *all;
    unsigned size;          /* members */
    _Atomic unsigned forks; /* tt_fork_count when the members were made */
    bool closing;
};

void tt_team_init(struct tt_team *team);

/* Ends and joins all members. They hold no run. */
void tt_team_fini(struct tt_team *team);

/* Asks up to `workers` members, made if there are fewer, to work on `run`;
 * returns how many were asked. No member at all can be made: 0. */
unsigned tt_team_invite(struct tt_team *team, struct tutti_run *run,
                        unsigned workers);

/* Takes back the invitations to `run` that nobody took up. */
void tt_team_recall(struct tt_team *team, struct tutti_run *run);

/* Whether an idle member is awake. */
bool tt_team_awake(struct tt_team *team);

#endif
