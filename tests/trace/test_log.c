#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/settings.h"
#include "made.h"

static struct tt_recent recent;

static void thread_without_loop_has_none(void **state)
{
    (void)state;
    assert_null(tt_trace_last());
    assert_int_equal(tutti_explain(NULL, 0), 0);
    assert_int_equal(tutti_trace_draw(NULL, 0, 80), 0);
}

static void last_loop_is_whole(void **state)
{
    (void)state;
    tutti_report r = TUTTI_REPORT_INIT;
    uint64_t ended = made_loop(5000, 3, &r);
    const struct tt_last *last = tt_trace_last();
    assert_memory_equal(&last->loop.report, &r, sizeof r);
    assert_true(last->loop.began == 5000 && last->loop.ended == ended);
    assert_int_equal(last->loop.dropped, 0);
    /* 3 ranges, encode, wait; idle, start-up, 3 ranges, idle. */
    assert_int_equal(last->loop.count, 5 + 6);
    assert_int_equal(last->events[5].kind, TT_IDLE);
    assert_true(last->events[5].from == 5000 && last->events[5].to == 15000);
    uint64_t user = 0;
    for (size_t i = 0; i < last->loop.count; i++) {
        assert_int_equal(last->events[i].worker, i >= 5);
        if (last->events[i].kind == TT_USER)
            user += last->events[i].busy;
    }
    assert_true(user == 90000);
}

static void recent_loops_are_bounded(void **state)
{
    (void)state;
    uint64_t now = 1000000;
    for (size_t i = 0; i < 3 * TT_LOG_LOOPS; i++) {
        tutti_report r = TUTTI_REPORT_INIT;
        now = made_loop(now, i % 100, &r) + 10;
    }
    tt_trace_recent(&recent);
    assert_true(recent.loops > 10 && recent.loops <= TT_LOG_LOOPS);
    assert_true(recent.events <= TT_LOG_EVENTS);
    assert_int_equal(recent.forgotten + recent.loops, 3 * TT_LOG_LOOPS + 1);
    for (size_t i = 0; i < recent.loops; i++) {
        const struct tt_kept *loop = &recent.loop[i];
        size_t ranges = (3 * TT_LOG_LOOPS - recent.loops + i) % 100, seen = 0;
        assert_int_equal(loop->report.n, 3 * ranges);
        for (size_t k = 0; k < loop->count; k++) {
            const struct tt_event *e = &recent.event[loop->first + k];
            assert_true(e->from >= loop->began && e->to <= loop->ended);
            seen += e->kind == TT_USER ? e->ranges : 0;
        }
        assert_int_equal(seen, 2 * ranges);
    }
    assert_true(recent.loop[recent.loops - 1].ended + 10 == now);
}

/* Ranges in the events of the last loop, of `count` lanes with 300 each. */
static size_t ranges_of_lanes(unsigned count)
{
    struct tt_lane **lanes = calloc(count, sizeof *lanes);
    size_t seen = 0;
    tt_lane_init(&made_a, 0, TT_CLAIM, 0);
    for (size_t k = 0; k < 300; k++)
        tt_lane_range(&made_a, k * 500000, k * 500000 + 400000, k, k + 1);
    for (unsigned i = 0; i < count; i++)
        lanes[i] = &made_a;
    tutti_report r = TUTTI_REPORT_INIT;
    tt_trace_end(&r, lanes, count, 0, 300 * 500000);
    const struct tt_last *last = tt_trace_last();
    for (size_t i = 0; i < last->loop.count; i++)
        seen += last->events[i].ranges;
    free(lanes);
    return seen;
}

static void many_lanes_are_squeezed(void **state)
{
    (void)state;
    const struct tt_kept *loop;
    assert_int_equal(ranges_of_lanes(64), 64 * 300);
    loop = &tt_trace_last()->loop;
    assert_true(loop->count <= TT_LOG_SHARE && loop->count >= 64 * 16);
    assert_int_equal(loop->dropped, 0);
    assert_int_equal(ranges_of_lanes(1024), 1024 * 300);
    assert_int_equal(ranges_of_lanes(5000), TT_LOG_SHARE * 300);
    loop = &tt_trace_last()->loop;
    assert_int_equal(loop->count, TT_LOG_SHARE);
    assert_int_equal(loop->dropped, 5000 - TT_LOG_SHARE);
}

static void *own_loop(void *arg)
{
    tutti_report r = TUTTI_REPORT_INIT;
    if (tt_trace_last())
        return NULL;
    for (int i = 0; i < 200; i++) {
        struct tt_lane *lane = malloc(sizeof *lane);
        tt_lane_init(lane, 0, TT_USER, 10);
        tt_lane_range(lane, 10, 20, 0, 1);
        tt_account(&r, &lane, 1, 1, 10, 20);
        tt_trace_end(&r, &lane, 1, 10, 20);
        free(lane);
    }
    return tt_trace_last()->loop.count == 1 ? arg : NULL;
}

static void threads_keep_their_own(void **state)
{
    (void)state;
    pthread_t threads[4];
    tutti_report r = TUTTI_REPORT_INIT;
    made_loop(77, 2, &r);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, own_loop, &r), 0);
    for (int i = 0; i < 4; i++) {
        void *result;
        pthread_join(threads[i], &result);
        assert_ptr_equal(result, &r);
    }
    assert_int_equal(tt_trace_last()->loop.began, 77);
}

static void *keep_on(void *stop)
{
    while (!atomic_load((atomic_bool *)stop))
        own_loop(NULL);
    return NULL;
}

/* The child must not find the lock taken, and starts with no loops. */
static void forked_child_goes_on(void **state)
{
    (void)state;
    static atomic_bool stop;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, keep_on, &stop), 0);
    for (int i = 0; i < 50; i++) {
        pid_t child = fork();
        if (!child) {
            tutti_report r = TUTTI_REPORT_INIT;
            alarm(20);
            made_loop(5, 2, &r);
            tt_trace_recent(&recent);
            _exit(recent.loops == 1 ? 0 : 1);
        }
        int result = -1;
        assert_int_equal(waitpid(child, &result, 0), child);
        assert_int_equal(result, 0);
    }
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
}

static void off_keeps_the_report_only(void **state)
{
    (void)state;
    tutti_report r = TUTTI_REPORT_INIT;
    tt_trace_recent(&recent);
    uint64_t before = recent.forgotten + recent.loops;
    setenv("TUTTI_TRACE", "off", 1);
    tt_settings_reload();
    made_loop(5, 3, &r);
    assert_int_equal(made_a.used, 0);
    assert_int_equal(made_a.ranges, 3);
    assert_true(r.user > 0 && r.unknown == 0);
    assert_true(tutti_explain(NULL, 0) > 20);
    assert_int_equal(tutti_trace_draw(NULL, 0, 80), 0);
    assert_int_equal(tutti_trace_write("never.json"), TUTTI_EARG);
    assert_non_null(strstr(tutti_detail(), "TUTTI_TRACE"));
    assert_int_equal(access("never.json", F_OK), -1);
    tt_trace_recent(&recent);
    assert_int_equal(recent.forgotten + recent.loops, before);
    unsetenv("TUTTI_TRACE");
    tt_settings_reload();
    made_loop(5, 3, &r);
    assert_true(tutti_trace_draw(NULL, 0, 80) > 80);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thread_without_loop_has_none),
        cmocka_unit_test(last_loop_is_whole),
        cmocka_unit_test(recent_loops_are_bounded),
        cmocka_unit_test(many_lanes_are_squeezed),
        cmocka_unit_test(threads_keep_their_own),
        cmocka_unit_test(forked_child_goes_on),
        cmocka_unit_test(off_keeps_the_report_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
