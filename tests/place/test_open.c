/* Open loops: queues of tasks whose failures do not end them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tutti/sys/caller.h>

#include "squares.h"

#define MOST 4000

/* What became of the tasks. */
struct queue {
    struct work work; /* first: the callbacks of squares.c take it */
    tutti_message message;
    int lost[MOST];
    tutti_status status;
    char why[300];
    _Atomic unsigned settled;
    _Atomic size_t ended;
};

static tutti_status decode(void *context, size_t begin, size_t end,
                           const tutti_parcel *parcel, size_t *failed)
{
    struct queue *q = context;
    tutti_status status =
        message.decode_range(context, begin, end, parcel, failed);
    q->ended += end - begin;
    return status;
}

static void lost(void *context, size_t begin, size_t end, tutti_status status,
                 const char *why)
{
    struct queue *q = context;
    for (size_t i = begin; i < end; i++)
        q->lost[i]++;
    q->status = status;
    strncpy(q->why, why, sizeof q->why - 1);
    q->ended += end - begin;
}

static void settle(void *context)
{
    ((struct queue *)context)->settled++;
}

/* Begins a queue whose message has what the test has set in q->message. */
static tutti_run *begin_with(struct queue *q, tutti_place *place,
                             double timeout)
{
    tutti_options options = TUTTI_OPTIONS_INIT;
    tutti_message asked = q->message;
    tutti_run *queue = NULL;
    memset(q, 0, sizeof *q);
    work_init(&q->work, MOST);
    q->message = message;
    q->message.decode_range = decode;
    q->message.lost = lost;
    q->message.settle = asked.settle ? asked.settle : settle;
    q->message.ranges_most = asked.ranges_most;
    tutti_loop loop = {.message = &q->message, .context = q};
    options.place = place;
    options.task_timeout = timeout;
    assert_int_equal(tutti_run_open(&queue, &loop, &options), TUTTI_OK);
    return queue;
}

static tutti_run *begin(struct queue *q, tutti_place *place, double timeout)
{
    q->message = (tutti_message){0};
    return begin_with(q, place, timeout);
}

static void await(struct queue *q, tutti_run *queue, size_t ended)
{
    for (int i = 0; i < 2000 && q->ended < ended; i++) {
        uint32_t seen = tutti_run_news(queue);
        if (q->ended < ended)
            tutti_run_help(queue, seen, 0.01);
    }
    assert_int_equal(q->ended, ended);
}

static void end(struct queue *q, tutti_run *queue, tutti_place *place)
{
    tutti_run_finish(queue);
    assert_int_equal(tutti_run_extend(queue, 1, false), TUTTI_EARG);
    assert_int_equal(tutti_run_end(queue), TUTTI_OK);
    work_fini(&q->work);
    tutti_place_close(place);
}

static void *extend(void *queue)
{
    for (int i = 0; i < 100; i++)
        assert_int_equal(tutti_run_extend(queue, 5, false), TUTTI_OK);
    return NULL;
}

/* Tasks come from several threads, before and after pauses. */
static void test_tasks(void **state)
{
    static struct queue q;
    tutti_place *place = open_place("processes:2");
    tutti_run *queue = begin(&q, place, 0);
    pthread_t threads[4];
    (void)state;
    assert_int_equal(tutti_run_extend(queue, 1, true), TUTTI_OK);
    await(&q, queue, 1);
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, extend, queue);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    await(&q, queue, 2001);
    usleep(20000);
    for (size_t i = 2001; i < 2100; i++) {
        assert_int_equal(tutti_run_extend(queue, 1, true), TUTTI_OK);
        await(&q, queue, i + 1);
    }
    for (size_t i = 0; i < 2100; i++)
        assert_int_equal(q.work.results[i], (int64_t)(i * i));
    assert_true(q.settled > 0);
    end(&q, queue, place);
}

static tutti_run *_Atomic nested;

/* Waits for a task of its own, in whatever thread it is. */
static void settle_more(void *context)
{
    struct queue *q = context;
    tutti_run *queue = atomic_exchange(&nested, NULL);
    q->settled++;
    if (!queue)
        return;
    size_t before = q->ended; /* the task that is waited for may be late */
    if (tutti_run_extend(queue, 1, true))
        abort(); /* cmocka fails in the main thread only */
    for (int i = 0; i < 2000 && q->ended <= before; i++) {
        uint32_t seen = tutti_run_news(queue);
        if (q->ended <= before)
            tutti_run_help(queue, seen, 0.01);
    }
}

static void test_waits_in_settle(void **state)
{
    static struct queue q;
    tutti_place *place = open_place("processes:2");
    q.message = (tutti_message){.settle = settle_more};
    tutti_run *queue = begin_with(&q, place, 0);
    (void)state;
    for (size_t i = 0; i < 40; i++) {
        nested = queue;
        assert_int_equal(tutti_run_extend(queue, 1, i % 2), TUTTI_OK);
        for (int k = 0; k < 2000 && i % 2 && q.ended < 2 * i + 2; k++)
            tutti_run_help(queue, tutti_run_news(queue), 0.001);
        for (int k = 0; k < 2000 && q.ended < 2 * i + 2; k++)
            usleep(1000);
        assert_int_equal(q.ended, 2 * i + 2);
    }
    end(&q, queue, place);
}

/* Whose turn it is: of who settles, of who asks meanwhile, of both. */
static _Atomic int turn;

static void settle_late(void *context)
{
    struct queue *q = context;
    q->settled++;
    if (turn != 1)
        return;
    turn = 2;
    for (int i = 0; i < 2000 && turn == 2; i++)
        usleep(1000);
    usleep(50000);
}

static void *ask_beside(void *queue)
{
    while (turn != 2)
        usleep(100);
    uint32_t seen = tutti_run_news(queue);
    assert_int_equal(tutti_run_extend(queue, 1, true), TUTTI_OK);
    turn = 3;
    tutti_run_help(queue, seen, 20);
    assert_int_not_equal(tutti_run_news(queue), seen);
    return NULL;
}

/* Who asks when another has done its last work, but is not gone, is served. */
static void test_asks_late(void **state)
{
    static struct queue q, beside;
    tutti_place *place = open_place("processes:2");
    q.message = (tutti_message){.settle = settle_late};
    tutti_run *queue = begin_with(&q, place, 0);
    tutti_run *other = begin(&beside, place, 0);
    pthread_t thread;
    (void)state;
    assert_int_equal(tutti_run_extend(other, 1, true), TUTTI_OK);
    await(&beside, other, 1);
    assert_int_equal(tutti_run_extend(queue, 1, true), TUTTI_OK);
    await(&q, queue, 1);
    turn = 1;
    pthread_create(&thread, NULL, ask_beside, other);
    assert_int_equal(tutti_run_extend(queue, 1, true), TUTTI_OK);
    await(&q, queue, 2);
    pthread_join(thread, NULL);
    assert_int_equal(beside.ended, 2);
    tutti_run_finish(other);
    assert_int_equal(tutti_run_end(other), TUTTI_OK);
    work_fini(&beside.work);
    end(&q, queue, place);
}

struct asker {
    struct queue *q;
    tutti_run *queue;
    tutti_place *place;
};

static _Atomic size_t asked;

/* A loop beside, whose workers may be killed. */
static void run_other(tutti_place *place)
{
    struct work other;
    tutti_options options = usual;
    work_init(&other, 30);
    options.retries = 20;
    assert_int_equal(run(&other, place, options), TUTTI_OK);
    check_squares(&other);
    work_fini(&other);
}

/* Adds a task and waits, as many do at once: one of them drives. */
static void *ask(void *arg)
{
    struct asker *a = arg;
    for (int i = 0; i < 150; i++) {
        size_t before = asked++;
        assert_int_equal(tutti_run_extend(a->queue, 1, true), TUTTI_OK);
        for (int k = 0; k < 4000 && a->q->ended <= before; k++) {
            uint32_t seen = tutti_run_news(a->queue);
            if (a->q->ended <= before)
                tutti_run_help(a->queue, seen, 0.005);
        }
        if (i % 50 == 0)
            run_other(a->place);
    }
    return NULL;
}

static void test_many_wait(void **state)
{
    static struct queue q;
    tutti_place *place = open_place("processes:2");
    tutti_run *queue = begin(&q, place, 0);
    struct asker a = {&q, queue, place};
    pthread_t threads[4];
    long pids[2];
    (void)state;
    asked = 0;
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, ask, &a);
    for (int i = 0; i < 5; i++) {
        usleep(3000);
        if (tutti_run_workers(queue, pids, 2) > 0)
            kill((pid_t)pids[0], SIGKILL);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    await(&q, queue, 600);
    for (size_t i = 0; i < 600; i++)
        assert_true(q.lost[i] || q.work.results[i] == (int64_t)(i * i));
    end(&q, queue, place);
}

/* A task that kills its worker is lost alone; the workers are back. */
static void test_lost(void **state)
{
    static struct queue q;
    tutti_place *place = open_place("processes:2");
    tutti_run *queue = begin(&q, place, 0);
    long pids[9];
    (void)state;
    q.work.items[30].act = ACT_EXIT;
    assert_int_equal(tutti_run_extend(queue, 100, false), TUTTI_OK);
    await(&q, queue, 100);
    assert_int_equal(q.status, TUTTI_ELOST);
    assert_non_null(strstr(q.why, "task 30"));
    for (size_t i = 0; i < 100; i++)
        if (i == 30 || !q.lost[i])
            assert_int_equal(q.lost[i], i == 30);
    assert_int_equal(tutti_run_extend(queue, 100, false), TUTTI_OK);
    await(&q, queue, 200);
    for (int i = 0; i < 500 && tutti_run_workers(queue, pids, 9) < 2; i++)
        usleep(10000);
    assert_int_equal(tutti_run_workers(queue, pids, 9), 2);
    kill((pid_t)pids[0], SIGKILL);
    assert_int_equal(tutti_run_extend(queue, 100, false), TUTTI_OK);
    await(&q, queue, 300);
    end(&q, queue, place);
}

/* A task out of time is stopped; another loop uses the workers meanwhile. */
static void test_late(void **state)
{
    static struct queue q;
    tutti_place *place = open_place("processes:2");
    tutti_run *queue = begin(&q, place, 0.1);
    struct work other;
    tutti_options options = TUTTI_OPTIONS_INIT;
    (void)state;
    work_init(&other, 50);
    tutti_loop loop = {.n = 50, .message = &message, .context = &other};
    options.place = place;
    assert_int_equal(tutti_loop_run(&loop, &options), TUTTI_OK);
    q.work.items[1].act = ACT_HANG;
    assert_int_equal(tutti_run_extend(queue, 3, false), TUTTI_OK);
    assert_int_equal(tutti_loop_run(&loop, &options), TUTTI_OK);
    await(&q, queue, 3);
    assert_int_equal(q.status, TUTTI_ETIME);
    assert_true(q.lost[1] && !q.lost[0] && !q.lost[2]);
    for (size_t i = 0; i < 50; i++)
        assert_int_equal(other.results[i], (int64_t)(i * i));
    work_fini(&other);
    end(&q, queue, place);
}

/* Each worker runs two ranges at most. */
static void test_worn_out(void **state)
{
    static struct queue q;
    tutti_place *place = open_place("processes:2");
    tutti_run *queue;
    int64_t seen[20];
    size_t different = 0;
    (void)state;
    q.message = (tutti_message){.ranges_most = 2};
    queue = begin_with(&q, place, 0);
    for (int i = 0; i < 20; i++)
        q.work.items[i].act = ACT_PID;
    assert_int_equal(tutti_run_extend(queue, 20, false), TUTTI_OK);
    await(&q, queue, 20);
    for (size_t i = 0; i < 20; i++) {
        size_t same = 0;
        for (size_t j = 0; j < i; j++)
            same += seen[j] == q.work.results[i];
        different += same == 0;
        assert_true(same < 2);
        seen[i] = q.work.results[i];
    }
    assert_true(different >= 10);
    end(&q, queue, place);
}

/* A cancelled loop leaves what it had. */
static void test_cancel(void **state)
{
    static struct queue q;
    tutti_place *place = open_place("processes:2");
    tutti_run *queue = begin(&q, place, 0);
    (void)state;
    q.work.items[0].act = ACT_HANG;
    assert_int_equal(tutti_run_extend(queue, 100, false), TUTTI_OK);
    usleep(10000);
    tutti_run_cancel(queue);
    assert_int_equal(tutti_run_extend(queue, 1, false), TUTTI_EARG);
    assert_int_equal(tutti_run_end(queue), TUTTI_ECANCEL);
    work_fini(&q.work);
    tutti_place_close(place);
}

static void test_bad(void **state)
{
    static struct queue q;
    tutti_options options = TUTTI_OPTIONS_INIT;
    tutti_loop loop = {.message = &message, .context = &q.work};
    tutti_run *queue = NULL;
    (void)state;
    assert_int_equal(tutti_run_open(&queue, &loop, &options), TUTTI_EARG);
    tutti_message losing = message;
    losing.lost = lost;
    loop.message = &losing;
    assert_int_equal(tutti_run_open(&queue, &loop, &options), TUTTI_EPLACE);
    options.on = "threads:2";
    assert_int_equal(tutti_run_open(&queue, &loop, &options), TUTTI_EPLACE);
    options.on = "processes:2";
    options.deadline = 1;
    assert_int_equal(tutti_run_open(&queue, &loop, &options), TUTTI_EARG);
    assert_null(queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tasks),
        cmocka_unit_test(test_many_wait),
        cmocka_unit_test(test_waits_in_settle),
        cmocka_unit_test(test_asks_late),
        cmocka_unit_test(test_lost),
        cmocka_unit_test(test_late),
        cmocka_unit_test(test_worn_out),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
