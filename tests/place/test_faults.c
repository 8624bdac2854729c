/* The place "processes": what dies, and what is left behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "fault.h"
#include "place/processes/pool.h"
#include "squares.h"

/* Opens a place, runs a loop there, closes it: each allocation, thread and
 * descriptor is refused once. */
static tutti_status open_run_close(void *arg)
{
    struct work *w = arg;
    tutti_place *place;
    tutti_status status = tutti_place_open(&place, "processes:2");
    if (status)
        return status;
    memset(w->results, 0, w->n * sizeof *w->results);
    status = run(w, place, usual);
    tutti_place_close(place);
    if (!status)
        check_squares(w);
    return status;
}

static void test_refusals(void **state)
{
    struct work w;
    (void)state;
    work_init(&w, 5000);
    long faults = tt_fault_each(open_run_close, &w);
    assert_true(faults > 15);
    work_fini(&w);
}

/* Kills workers and their zygote, and sometimes the first one, at random
 * instants. */
struct killer {
    _Atomic bool stop;
    bool zygote;
    unsigned seed;
    _Atomic int kills;
};

static void *kill_some(void *arg)
{
    struct killer *k = arg;
    while (!k->stop) {
        pid_t pids[16], zygote = zygote_of(getpid());
        size_t count = zygote ? family_of(zygote, pids, 16) : 0;
        usleep((useconds_t)(rand_r(&k->seed) % 20000));
        if (k->zygote && zygote && rand_r(&k->seed) % 8 == 0)
            k->kills += kill(zygote, SIGKILL) == 0;
        else if (count > 1) /* a zygote gets to make one worker */
            k->kills +=
                kill(pids[(size_t)rand_r(&k->seed) % count], SIGKILL) == 0;
    }
    return NULL;
}

static int chaos(unsigned retries, bool zygote, int least)
{
    tutti_place *place = open_place("processes:3");
    struct killer killer = {.zygote = zygote, .seed = 1 + retries};
    pthread_t thread;
    int failures = 0;
    uint64_t until = tt_clock() + 20000000000u;
    pthread_create(&thread, NULL, kill_some, &killer);
    while (killer.kills < least && tt_clock() < until) {
        struct work w;
        tutti_options options = usual;
        work_init(&w, 300);
        for (size_t i = 1; i < 6; i++)
            w.items[i].act = ACT_SLEEP;
        options.retries = retries;
        tutti_status status = run(&w, place, options);
        if (status == TUTTI_OK)
            check_squares(&w);
        else if (status != TUTTI_ELOST && status != TUTTI_ESYS)
            fail_msg("%d: %s", status, tutti_detail());
        failures += status != TUTTI_OK;
        work_fini(&w);
    }
    killer.stop = true;
    pthread_join(thread, NULL);
    usleep(100000); /* the last one killed is dead */
    check_run(100, place);
    tutti_place_close(place);
    return failures;
}

static void test_chaos(void **state)
{
    (void)state;
    chaos(0, false, 200);
    int failures = chaos(1000, false, 200);
    if (failures)
        fail_msg("%d loops failed in spite of retries: %s", failures,
                 tutti_detail());
    chaos(0, true, 50);
}

static void test_zygote_killed(void **state)
{
    tutti_place *place = open_place("processes:2");
    struct work w;
    (void)state;
    for (int i = 0; i < 5; i++) {
        tutti_job *job;
        tutti_options options = usual;
        work_init(&w, 10);
        for (size_t k = 0; k < w.n; k++)
            w.items[k].act = ACT_HANG;
        tutti_loop loop = loop_of(&w);
        options.place = place;
        check_run(10, place);
        assert_int_equal(tutti_submit(&job, &loop, &options), TUTTI_OK);
        usleep(30000);
        kill(zygote_of(getpid()), SIGKILL);
        assert_int_equal(tutti_job_wait(job, 30), TUTTI_ELOST);
        expect_detail("died with its zygote");
        expect_detail("(SIGKILL)");
        tutti_job_free(job);
        work_fini(&w);
    }
    check_run(10, place);
    tutti_place_close(place);
}

/* Runs `body` in a forked child; its exit status. */
static int in_child(void (*body)(void *), void *arg)
{
    pid_t pid = fork();
    int status;
    if (pid == 0) {
        alarm(30);
        body(arg);
        _exit(0);
    }
    waitpid(pid, &status, 0);
    return status;
}

static void run_in_child(void *arg)
{
    struct work w;
    work_init(&w, 1000);
    if (run(&w, arg, usual) != TUTTI_OK)
        _exit(1);
    for (size_t i = 0; i < w.n; i++)
        if (w.results[i] != (int64_t)(i * i))
            _exit(2);
    tutti_place_close(arg);
}

static void test_fork(void **state)
{
#if defined(__SANITIZE_THREAD__)
    skip(); /* it takes a thread of the child for one of the parent's */
#endif
    tutti_place *place = open_place("processes:2");
    (void)state;
    assert_int_equal(in_child(run_in_child, place), 0);
    check_run(100, place);
    assert_int_equal(in_child(run_in_child, place), 0);
    check_run(100, place);
    tutti_place_close(place);
}

static void test_parent_killed(void **state)
{
    (void)state;
    for (int round = 0; round < 4; round++) {
        pid_t pids[17], pid = fork();
        if (pid == 0) {
            struct work w;
            alarm(60);
            work_init(&w, 10);
            for (size_t i = 0; i < w.n; i++)
                w.items[i].act = round % 2 ? ACT_HANG : ACT_SQUARE;
            tutti_place *place = open_place("processes:3");
            if (run(&w, place, usual))
                _exit(1);
            for (;;)
                pause();
        }
        size_t count = 0;
        for (int i = 0; i < 2000 && count < 5; i++) {
            usleep(5000);
            count = family_of(pid, pids, 17);
            if (count >= 3 && round % 2 == 0)
                break;
        }
        assert_true(count >= 3); /* two zygotes, and a worker at least */
        kill(pid, round < 2 ? SIGKILL : SIGTERM);
        waitpid(pid, NULL, 0);
        assert_true(all_gone(pids, count, 10));
    }
}

static void test_exit_leaves_nothing(void **state)
{
    static tutti_place *place; /* static: reachable for leak checkers */
    static struct work w;
    int fds[2];
    pid_t pids[8];
    (void)state;
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        place = open_place("processes:2");
        work_init(&w, 1000);
        if (run(&w, place, usual))
            _exit(1);
        size_t count = family_of(getpid(), pids, 8);
        if (write(fds[1], pids, count * sizeof *pids) < 0)
            _exit(2);
        exit(0); /* the place stays open */
    }
    int status;
    close(fds[1]);
    ssize_t got = read(fds[0], pids, sizeof pids);
    waitpid(pid, &status, 0);
    close(fds[0]);
    assert_int_equal(status, 0);
    assert_true(got >= (ssize_t)(3 * sizeof *pids));
    assert_true(all_gone(pids, (size_t)got / sizeof *pids, 10));
}

static size_t count_fds(pid_t pid)
{
    char path[40];
    snprintf(path, sizeof path, "/proc/%d/fd", pid);
    DIR *dir = opendir(path);
    size_t count = 0;
    assert_non_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

static void test_descriptors(void **state)
{
    (void)state;
    tutti_place *first = open_place("processes:2");
    check_run(10, first); /* what is shared is open from here on */
    tutti_place_close(first);
    size_t before = count_fds(getpid());
    for (int i = 0; i < 50; i++) {
        tutti_place *place = open_place("processes:2");
        if (i % 2)
            check_run(10, place);
        tutti_place_close(place);
    }
    assert_int_equal(count_fds(getpid()), before);
    pid_t pids[4];
    assert_true(children_of(getpid(), pids, 4) <= 1);
}

/* What a task started goes with its worker. */
static void test_children(void **state)
{
    char noted[] = "/tmp/tutti-child-XXXXXX";
    tutti_place *place = open_place("processes:2");
    tutti_options options = usual;
    struct work w;
    pid_t pid = 0;
    (void)state;
    int fd = mkstemp(noted);
    work_init(&w, 3);
    w.once = noted;
    w.items[1].act = ACT_CHILD;
    options.task_timeout = 2;
    assert_int_equal(run(&w, place, options), TUTTI_ETIME);
    assert_int_equal(read(fd, &pid, sizeof pid), sizeof pid);
    assert_true(all_gone(&pid, 1, 10));
    close(fd);
    unlink(noted);
    work_fini(&w);
    tutti_place_close(place);
}

/* Neither Ctrl-C nor a pipe of the caller's reaches zygote and workers. */
static void test_surroundings(void **state)
{
    int fds[2];
    pid_t pids[5];
    char byte;
    (void)state;
    assert_int_equal(pipe(fds), 0); /* not close-on-exec */
    tutti_place *place = open_place("processes:2");
    check_run(100, place);
    size_t count = family_of(getpid(), pids, 5);
    assert_true(count >= 3);
    for (size_t i = 0; i < count; i++) {
        char path[40], target[40] = "";
        assert_int_equal(getpgid(pids[i]), pids[i]);
        snprintf(path, sizeof path, "/proc/%d/fd/0", pids[i]);
        assert_true(readlink(path, target, sizeof target - 1) > 0);
        assert_string_equal(target, "/dev/null");
    }
    close(fds[1]);
    assert_int_equal(read(fds[0], &byte, 1), 0);
    close(fds[0]);
    tutti_place_close(place);
}

/* One place, two commands, room for one process. */
static void *run_other(void *arg)
{
    static const char *const other[] = {SQUARER, "other", NULL};
    tutti_message changed = message;
    struct work w;
    changed.command = other;
    for (int i = 0; i < 10; i++) {
        work_init(&w, 100);
        tutti_loop loop = loop_of(&w);
        tutti_options options = usual;
        loop.message = &changed;
        options.place = arg;
        if (tutti_loop_run(&loop, &options))
            fail_msg("%s", tutti_detail());
        check_squares(&w);
        work_fini(&w);
    }
    return NULL;
}

static void test_commands(void **state)
{
    tutti_place *place = open_place("processes:1");
    pthread_t thread;
    (void)state;
    check_run(100, place);
    run_other(place);
    assert_int_equal(pthread_create(&thread, NULL, run_other, place), 0);
    for (int i = 0; i < 10; i++)
        check_run(100, place);
    pthread_join(thread, NULL);
    tutti_place_close(place);
}

/* The first zygote that has a worker, its ward, the worker. */
static bool find_worker(pid_t line[3])
{
    pid_t first[8];
    size_t count = children_of(getpid(), first, 8);
    for (size_t i = 0; i < count; i++) {
        line[0] = first[i];
        line[1] = zygote_of(line[0]);
        line[2] = line[1] ? zygote_of(line[1]) : 0;
        if (line[2])
            return true;
    }
    return false;
}

/* Whether both zygotes left long before another idle time had passed. */
static bool leave_together(tutti_place *place)
{
    pid_t line[3];
    check_run(100, place);
    assert_true(find_worker(line));
    assert_true(all_gone(&line[2], 1, 60));
    uint64_t since = tt_clock();
    assert_true(all_gone(line, 2, 60));
    return tt_clock() - since < tt_pool_idle_ns / 2;
}

/* All zygotes leave with the last idle worker: sooner or later, where the
 * machine is busy, so one time out of many is enough. */
static void test_idle(void **state)
{
    tutti_place *place = open_place("processes:2");
    int times = 0;
    (void)state;
    tt_pool_idle_ns = 1000000000u;
    while (!leave_together(place))
        assert_true(++times < 10);
    check_run(100, place);
    tt_pool_idle_ns = 60000000000u;
    tutti_place_close(place);
}

/* A loop that comes when workers and zygotes leave gets others. */
static void test_leaving(void **state)
{
    tutti_place *place = open_place("processes:2");
    (void)state;
    tt_pool_idle_ns = 2000000u;
    for (unsigned i = 0; i < 200; i++) {
        check_run(10, place);
        usleep(i * 577 % 4000);
    }
    tt_pool_idle_ns = 60000000000u;
    tutti_place_close(place);
}

/* A stopped zygote is left to its workers; others come from another one. */
static void test_zygotes_stopped(void **state)
{
    tutti_place *place = open_place("processes:1");
    (void)state;
    for (int i = 0; i < 2; i++) {
        pid_t line[3];
        check_run(10, place);
        assert_true(find_worker(line));
        assert_int_equal(kill(line[i], SIGSTOP), 0);
        assert_int_equal(kill(line[2], SIGKILL), 0);
        uint64_t begin = tt_clock();
        tutti_place *other = open_place("processes:1");
        check_run(10, i ? place : other); /* line[0] takes no more places */
        tutti_place_close(other);
        assert_true(tt_clock() - begin < tt_pool_start_ns / 2);
        assert_int_equal(kill(line[0], SIGKILL), 0);
        assert_true(all_gone(line, 3, 20));
    }
    tutti_place_close(place);
}

/* One that is stopped before a worker served is given up. */
static void test_zygote_stopped_at_once(void **state)
{
    tutti_place *place = open_place("processes:2");
    struct work w;
    tutti_job *job;
    pid_t old = zygote_of(getpid()), zygote = old;
    (void)state;
    if (old)
        kill(old, SIGKILL);
    work_init(&w, 10);
    tutti_loop loop = loop_of(&w);
    tutti_options options = usual;
    options.place = place;
    assert_int_equal(tutti_submit(&job, &loop, &options), TUTTI_OK);
    while (!zygote || zygote == old)
        zygote = zygote_of(getpid());
    kill(zygote, SIGSTOP);
    uint64_t begin = tt_clock();
    assert_int_equal(tutti_job_wait(job, 60), TUTTI_OK);
    assert_true(tt_clock() - begin < tt_pool_start_ns / 2);
    check_squares(&w);
    tutti_job_free(job);
    kill(zygote, SIGKILL);
    assert_true(all_gone(&zygote, 1, 20));
    work_fini(&w);
    tutti_place_close(place);
}

/* A zygote that is killed before a worker served was not at fault. */
static void test_zygote_killed_at_once(void **state)
{
    tutti_place *place = open_place("processes:2");
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct work w;
        tutti_job *job;
        pid_t old = zygote_of(getpid()), zygote = old;
        work_init(&w, 10);
        tutti_loop loop = loop_of(&w);
        tutti_options options = usual;
        options.place = place;
        if (old)
            kill(old, SIGKILL);
        assert_int_equal(tutti_submit(&job, &loop, &options), TUTTI_OK);
        for (int k = 0; k < 2000 && (!zygote || zygote == old); k++)
            zygote = zygote_of(getpid());
        if (zygote && zygote != old)
            kill(zygote, SIGKILL);
        if (tutti_job_wait(job, 30)) /* it served, and lost its worker */
            expect_detail("died with its zygote");
        tutti_job_free(job);
        work_fini(&w);
    }
    tutti_place_close(place);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_chaos),
        cmocka_unit_test(test_zygote_killed),
        cmocka_unit_test(test_fork),
        cmocka_unit_test(test_parent_killed),
        cmocka_unit_test(test_exit_leaves_nothing),
        cmocka_unit_test(test_descriptors),
        cmocka_unit_test(test_children),
        cmocka_unit_test(test_surroundings),
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_leaving),
        cmocka_unit_test(test_zygotes_stopped),
        cmocka_unit_test(test_zygote_stopped_at_once),
        cmocka_unit_test(test_zygote_killed_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
