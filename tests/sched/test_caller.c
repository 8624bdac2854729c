/* The caller and the helper, at the worst instants: by a place whose
 * operations take their time. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>
#include <tutti.h>

#include "core/clock.h"
#include "place/places.h"
#include "sched/memo.h"
#include "sched/place.h"

static long pause_ns;

static unsigned late_invite(void *state, tutti_run *run, unsigned workers)
{
    nanosleep(&(struct timespec){0, pause_ns}, NULL);
    return tt_place_threads.invite(state, run, workers);
}

static int task(size_t index, void *ran)
{
    uint64_t until = tt_clock() + 20000;
    while (tt_clock() < until)
        continue;
    atomic_fetch_add((_Atomic size_t *)ran, 1);
    return index == SIZE_MAX;
}

/* The helper decides to invite, and the loop is over before it has. */
static void invited_when_all_is_done(void **state)
{
    (void)state;
    tutti_place *place;
    assert_int_equal(tt_place_shared(&place, "threads"), TUTTI_OK);
    tutti_place_ops late = *place->ops;
    late.invite = late_invite;
    place->ops = &late;
    pause_ns = 3000000;
    unsigned spread = 0;
    for (int turn = 0; turn < 60; turn++) {
        _Atomic size_t ran = 0;
        tutti_report report = TUTTI_REPORT_INIT;
        tutti_options options = TUTTI_OPTIONS_INIT;
        options.report = &report;
        options.deadline = turn % 2 ? 1000 : 0;
        /* A new key each time: else the memo invites at once. */
        tt_memo_put((const void *)(uintptr_t)task, 0);
        assert_int_equal(tutti_for(task, 60, &ran, 0, &options), TUTTI_OK);
        assert_int_equal(ran, 60);
        spread += report.spread_at > 0;
    }
    place->ops = &tt_place_threads;
    if (tutti_cpu_count() > 1)
        assert_true(spread > 0);
}

static size_t body(void *context, size_t begin, size_t end, unsigned worker)
{
    (void)worker;
    for (size_t i = begin; i < end; i++)
        task(i, context);
    return end;
}

/* What the last look expected sharing to save. */
static double gain_of(const char *on, size_t n)
{
    _Atomic size_t ran = 0;
    tutti_loop loop = {.n = n, .body = body, .context = &ran};
    tutti_options options = TUTTI_OPTIONS_INIT;
    tutti_run *run;
    size_t begin, end;
    options.on = on;
    assert_int_equal(tutti_run_begin(&run, &loop, &options), TUTTI_OK);
    while (tutti_run_claim(run, &begin, &end))
        body(&ran, begin, end, 0);
    double gain = tutti_run_gain(run);
    assert_int_equal(tutti_run_end(run), TUTTI_OK);
    assert_int_equal(ran, n);
    return gain;
}

static void knows_its_gain(void **state)
{
    (void)state;
    assert_true(isinf(gain_of("serial", 3)));
    assert_true(gain_of(NULL, 1) == 0);
    double gain = gain_of(NULL, 1000);
    if (tutti_cpu_count() > 1)
        assert_true(gain > 0 && isfinite(gain));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(invited_when_all_is_done),
        cmocka_unit_test(knows_its_gain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
