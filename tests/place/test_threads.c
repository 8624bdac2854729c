/* The team: invitations, recalls and closing at random instants. Nobody is
 * lost, nobody works twice, nobody touches a run that has ended. */
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <time.h>

#include "core/clock.h"
#include "loop/run.h"
#include "place/threads/team.h"
#include "place/places.h"
#include "seed.h"
#include "tally.h"

#define FOR_EVER 100000000000u /* ns: a lost wake-up hangs the test */
#define INVITERS 8
#define STORM 1200 /* runs an inviter */

static const tutti_options defaults = TUTTI_OPTIONS_INIT;

static void linger(uint64_t *random, uint64_t most)
{
    uint64_t ns = tt_random(random) % most;
    if (tt_random(random) % 4)
        tally_spin(ns);
    else
        nanosleep(&(struct timespec){0, (long)ns}, NULL);
}

/* Waits as a run's owner does, and leaves nothing for a late worker to read. */
static void finish(struct tutti_run *run)
{
    while (!tt_run_sleep(run, FOR_EVER))
        continue;
    tt_run_fini(run);
    memset(run, 0xa5, sizeof *run);
}

struct inviter {
    struct tt_team *team;
    uint64_t random;
    size_t lost; /* tasks, or runs with a worker number too high */
    size_t helped;
};

/* What a body knows. */
struct job {
    _Atomic size_t sum, helped;
    unsigned lanes;
    _Atomic unsigned too_high;
};

static size_t add_up(void *context, size_t begin, size_t end, unsigned worker)
{
    struct job *job = context;
    if (worker >= job->lanes)
        job->too_high++;
    job->sum += end * end - begin * begin;
    job->helped += end - begin;
    tally_spin(300 * (end - begin));
    return end;
}

static void one_run(struct inviter *me, struct tutti_run *run)
{
    struct job job = {.lanes = 2 + (unsigned)(tt_random(&me->random) % 7)};
    size_t n = tt_random(&me->random) % 300, left = 0;
    tutti_loop loop = {.n = n, .body = add_up, .context = &job};
    struct tt_range range;
    unsigned asked = 0;
    uint64_t mode = tt_random(&me->random);
    bool cancels = mode % 3 == 0, claims = mode % 3 == 1;

    tt_run_init(run, &loop, &defaults, job.lanes, true);
    for (unsigned i = 0; i < 1 + mode / 4 % 3; i++) {
        asked += tt_team_invite(me->team, run,
                                (unsigned)(tt_random(&me->random) % 5));
        linger(&me->random, 60000);
    }
    if (cancels)
        tt_run_close(run, TUTTI_ECANCEL, "cancelled");
    while (claims && tt_run_claim_front(run, 7, &range))
        left += range.end * range.end - range.begin * range.begin;
    if (mode / 16 % 2)
        linger(&me->random, 60000);
    tt_team_recall(me->team, run);
    while (!tt_run_empty(run))
        tt_run_sleep(run, FOR_EVER);
    while (tt_run_claim_front(run, 1000, &range))
        left += range.end * range.end - range.begin * range.begin;
    if (!cancels && job.sum + left != n * n)
        me->lost++;
    me->lost += job.too_high + (asked == 0 && job.helped > 0);
    me->helped += job.helped;
    finish(run);
}

static void *invite_much(void *arg)
{
    struct inviter *me = arg;
    struct tutti_run run;
    for (int turn = 0; turn < STORM; turn++)
        one_run(me, &run);
    return NULL;
}

static void storm(void **state)
{
    (void)state;
    struct tt_team team;
    struct inviter inviters[INVITERS];
    pthread_t threads[INVITERS];
    uint64_t random = tt_seed();
    size_t helped = 0;
    tt_team_init(&team);
    for (int i = 0; i < INVITERS; i++) {
        inviters[i] = (struct inviter){&team, tt_random(&random), 0, 0};
        assert_int_equal(
            pthread_create(&threads[i], NULL, invite_much, &inviters[i]), 0);
    }
    for (int i = 0; i < INVITERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(inviters[i].lost, 0);
        helped += inviters[i].helped;
    }
    assert_true(helped > 0);
    tt_team_fini(&team);
}

/* Members spin, park, or are just told to leave their run. */
static void closing_at_any_time(void **state)
{
    (void)state;
    uint64_t random = tt_seed();
    struct tt_team team;
    struct tutti_run run;
    for (int turn = 0; turn < 300; turn++) {
        struct job job = {.lanes = 4};
        tutti_loop loop = {.n = 10, .body = add_up, .context = &job};
        struct tt_range range;
        size_t left = 0;
        tt_team_init(&team);
        tt_run_init(&run, &loop, &defaults, 4, true);
        tt_team_invite(&team, &run, (unsigned)(tt_random(&random) % 4));
        linger(&random, 100000);
        while (tt_run_claim_front(&run, 1, &range))
            left += range.end * range.end - range.begin * range.begin;
        tt_team_recall(&team, &run);
        while (!tt_run_empty(&run))
            tt_run_sleep(&run, FOR_EVER);
        assert_int_equal(job.sum + left, 100);
        finish(&run);
        if (turn % 2)
            linger(&random, 150000);
        tt_team_fini(&team);
    }
}

/* Everybody must come: each task waits for all others to have begun. A member
 * whom nobody wakes comes when its sleep ends, a second later. */
struct meeting {
    _Atomic unsigned here;
    unsigned all;
};

static size_t meet(void *context, size_t begin, size_t end, unsigned worker)
{
    struct meeting *meeting = context;
    (void)begin;
    (void)worker;
    meeting->here++;
    while (meeting->here < meeting->all)
        sched_yield();
    return end;
}

static void everybody_comes(void **state)
{
    (void)state;
    uint64_t random = tt_seed(), worst = 0;
    struct tt_team team;
    struct tutti_run run;
    tt_team_init(&team);
    for (int turn = 0; turn < 3000; turn++) {
        struct meeting meeting = {0, 2 + turn % 4};
        tutti_loop loop = {.n = meeting.all, .body = meet, .context = &meeting};
        struct tt_range range;
        uint64_t began = tt_clock();
        tt_run_init(&run, &loop, &defaults, meeting.all, true);
        assert_int_equal(tt_team_invite(&team, &run, meeting.all - 1),
                         meeting.all - 1);
        assert_true(tt_run_claim_front(&run, 1, &range));
        meet(&meeting, range.begin, range.end, 0);
        finish(&run);
        uint64_t took = tt_clock() - began;
        worst = took > worst ? took : worst;
        linger(&random, 200000);
    }
    printf("the last came %.3g ms after the invitation\n",
           1e-6 * (double)worst);
    tt_team_fini(&team);
}

/* More are asked than the run has lanes. */
static void too_many(void **state)
{
    (void)state;
    struct tt_team team;
    struct tutti_run run;
    struct job job = {.lanes = 8};
    tutti_loop loop = {.n = 3000, .body = add_up, .context = &job};
    tt_team_init(&team);
    tt_run_init(&run, &loop, &defaults, 8, true);
    assert_int_equal(tt_team_invite(&team, &run, 90), 90);
    while (!tt_run_empty(&run))
        tt_run_sleep(&run, FOR_EVER);
    assert_int_equal(job.sum, 3000 * 3000);
    assert_int_equal(job.too_high, 0);
    finish(&run);
    assert_int_equal(team.size, 90);
    tt_team_fini(&team);
}

static void a_team_may_never_work(void **state)
{
    (void)state;
    struct tt_team team;
    struct tutti_run run;
    tutti_loop loop = {.n = 1, .body = add_up};
    tt_team_init(&team);
    assert_false(tt_team_awake(&team));
    tt_run_init(&run, &loop, &defaults, 4, true);
    assert_int_equal(tt_team_invite(&team, &run, 0), 0);
    tt_team_recall(&team, &run);
    assert_true(tt_run_empty(&run));
    finish(&run);
    tt_team_fini(&team);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(storm),
        cmocka_unit_test(closing_at_any_time),
        cmocka_unit_test(everybody_comes),
        cmocka_unit_test(too_many),
        cmocka_unit_test(a_team_may_never_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
