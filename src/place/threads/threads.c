/* The threads place: a team of the process's own, which works on the ranges of
 * a run beside its caller. */
#include <stdio.h>
#include <stdlib.h>

#include "core/constants.h"
#include "core/status.h"
#include "place/places.h"
#include "place/threads/team.h"

/* Seconds to share with a member that is awake; to claim a range. */
#define AWAKE 1e-6
#define CLAIM 0.1e-6

/* The inviter pays for the call; until the member runs, the loop goes on with
 * one worker less, of two. */
static double wake_cost(void)
{
    return tt_constant(TT_FUTEX_WAKE) + tt_constant(TT_WAKE_LATENCY) / 2;
}

static bool probe(char *reason, size_t size)
{
    snprintf(reason, size, "own team of POSIX threads");
    return true;
}

static tutti_status open_place(void **state, unsigned workers)
{
    (void)workers;
    struct tt_team *team = malloc(sizeof *team);
    if (!team)
        return tt_fail_memory("a team of threads");
    tt_team_init(team);
    *state = team;
    return TUTTI_OK;
}

static void close_place(void *state)
{
    tt_team_fini(state);
    free(state);
}

static void cost(void *state, tutti_place_cost *cost)
{
    *cost = (tutti_place_cost){
        .invite = tt_team_awake(state) ? AWAKE : wake_cost(),
        .range = CLAIM,
    };
}

static unsigned invite(void *state, tutti_run *run, unsigned workers)
{
    return tt_team_invite(state, run, workers);
}

static void recall(void *state, tutti_run *run)
{
    tt_team_recall(state, run);
}

const tutti_place_ops tt_place_threads = {
    .version = TUTTI_PLACE_VERSION,
    .name = "threads",
    .takes = TUTTI_TAKES_CALL,
    .caller_works = true,
    .probe = probe,
    .open = open_place,
    .close = close_place,
    .cost = cost,
    .invite = invite,
    .recall = recall,
};
