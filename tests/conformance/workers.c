/* Workers: their numbers, nested and simultaneous loops, where time goes. */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "conformance.h"

#define MOST 1024

struct nest {
    _Atomic size_t leaves, failed;
    size_t width;
};

struct level {
    struct nest *nest;
    int depth;
};

static int nested(size_t index, void *context)
{
    const struct level *level = context;
    struct level below = {level->nest, level->depth - 1};
    (void)index;
    if (level->depth == 0) {
        level->nest->leaves++;
        tally_spin(2000);
        return 0;
    }
    tutti_options options = conform_options();
    return tutti_for(nested, level->nest->width, &below, 0, &options);
}

static void loops_nest(void **state)
{
    (void)state;
    struct nest nest = {.width = 12};
    struct level top = {&nest, 2};
    tutti_options options = conform_options();
    assert_int_equal(tutti_for(nested, 12, &top, 0, &options), TUTTI_OK);
    assert_int_equal(nest.leaves, 12 * 12 * 12);
}

static uint64_t small(size_t index, size_t n)
{
    (void)n;
    return index % 3 * 1000;
}

static void *many_loops(void *arg)
{
    size_t *lost = arg;
    for (size_t n = 0; n < 60; n++) {
        struct tally *tally = tally_new(n);
        tutti_options options = conform_options();
        tally->cost = small;
        if (tutti_for(tally_task, n, tally, 0, &options) != TUTTI_OK)
            ++*lost;
        for (size_t i = 0; i < n; i++)
            *lost += tally->times[i] != 1;
        tally_free(tally);
    }
    return NULL;
}

static void threads_loop_at_once(void **state)
{
    (void)state;
    pthread_t threads[5];
    size_t lost[5] = {0};
    for (int i = 0; i < 5; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, many_loops, &lost[i]), 0);
    for (int i = 0; i < 5; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(lost[i], 0);
    }
}

/* A worker's scratch, written without atomics: TSan sees a number that two
 * threads have. */
struct scratch {
    size_t sum[MOST];
    _Atomic int busy[MOST];
    _Atomic size_t twice, highest;
};

static size_t use_scratch(void *context, size_t begin, size_t end,
                          unsigned worker)
{
    struct scratch *scratch = context;
    if (worker >= MOST)
        abort();
    scratch->twice += (size_t)atomic_exchange(&scratch->busy[worker], 1);
    size_t highest = scratch->highest;
    while (worker > highest &&
           !atomic_compare_exchange_weak(&scratch->highest, &highest, worker))
        continue;
    scratch->sum[worker] += end - begin;
    tally_spin(5000 * (end - begin));
    scratch->busy[worker] = 0;
    return end;
}

static void check_report(const tutti_report *r, size_t n)
{
    double sum = r->user + r->encode + r->claim + r->copy + r->wait +
                 r->startup + r->idle + r->unknown;
    double whole = r->lanes * r->wall;
    char text[4000];
    if (fabs(sum - whole) > 1e-6 * whole + 1e-9)
        fail_msg("times add up to %g s of %g s", sum, whole);
    if (r->wall > 0.01 && fabs(r->unknown) > 0.03 * whole)
        fail_msg("%g s of %g s are unknown", r->unknown, whole);
    assert_int_equal(r->n, n);
    assert_int_equal(r->done, n);
    assert_true(r->joined >= 1 && r->joined <= r->lanes && r->lanes <= MOST);
    assert_true(r->ranges >= r->joined && r->ranges <= n);
    assert_true(r->user > 0 && r->task > 0 && r->place[0]);
    assert_true(tutti_report_text(r, text, sizeof text) < sizeof text);
    assert_true(tutti_explain(text, sizeof text) > 20);
    assert_true(tutti_explain(NULL, 0) > 20);
}

static void workers_have_numbers_of_their_own(void **state)
{
    (void)state;
    for (unsigned workers = 0; workers < 6; workers++) {
        struct scratch *scratch = calloc(1, sizeof *scratch);
        tutti_report report = TUTTI_REPORT_INIT;
        tutti_options options = conform_options();
        tutti_loop loop = {.n = 4000, .body = use_scratch, .context = scratch};
        size_t sum = 0;
        options.report = &report;
        options.workers = workers;
        assert_int_equal(tutti_loop_run(&loop, &options), TUTTI_OK);
        for (unsigned i = 0; i < MOST; i++)
            sum += scratch->sum[i];
        assert_int_equal(sum, 4000);
        assert_int_equal(scratch->twice, 0);
        assert_true(scratch->highest < report.lanes);
        assert_true(workers == 0 || report.lanes <= workers);
        check_report(&report, 4000);
        free(scratch);
    }
}

CONFORM_PART(workers) = {
    cmocka_unit_test(loops_nest),
    cmocka_unit_test(threads_loop_at_once),
    cmocka_unit_test(workers_have_numbers_of_their_own),
};
const size_t conform_workers_count =
    sizeof conform_workers / sizeof *conform_workers;
