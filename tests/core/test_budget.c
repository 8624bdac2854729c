/* The thread budget of a process tree: forked, exec'd and killed children. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <tutti/loop.h>

#include "core/budget.h"
#include "core/clock.h"
#include "core/cpu.h"
#include "core/settings.h"
#include "fault.h"

static void nap(long ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* Takes all there is, in time: a grant may be less than what is free. */
static unsigned take_all(void)
{
    unsigned limit = tt_cpu_budget(), got = 0;
    for (int i = 0; i < 500 && got < limit; i++) {
        got += tt_budget_take(limit - got);
        if (got < limit)
            nap(10);
    }
    return got;
}

static int exit_code(pid_t pid)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* Runs this program as `test_budget running`, which ends with what
 * tt_budget_running() says there. */
static int running_elsewhere(const char *budget)
{
    pid_t pid = fork();
    if (pid == 0) {
        if (budget)
            setenv("TUTTI_BUDGET", budget, 1);
        execl("/proc/self/exe", "test_budget", "running", NULL);
        _exit(99);
    }
    return exit_code(pid);
}

static void alone(void **state)
{
    (void)state;
    unsigned limit = tt_cpu_budget();
    assert_int_equal(tt_budget_running(), 0);
    assert_int_equal(tutti_cpu_idle(), limit);
    assert_int_equal(tt_budget_take(0), 0);
    assert_int_equal(tt_budget_take(1), 1);
    assert_int_equal(tt_budget_take(limit + 5), limit - 1);
    assert_int_equal(tt_budget_take(1), 0);
    assert_int_equal(tt_budget_running(), limit);
    tt_budget_add(3);
    assert_int_equal(tt_budget_running(), limit + 3);
    assert_int_equal(tutti_cpu_idle(), 0);
    assert_int_equal(tt_budget_take(1), 0);
    tt_budget_give(4);
    assert_int_equal(tt_budget_take(2), 1);
    tt_budget_give(limit + 100);
    assert_int_equal(tt_budget_running(), 0);
}

static void forked(void **state)
{
    (void)state;
    unsigned limit = tt_cpu_budget();
    assert_int_equal(tt_budget_take(limit), limit);
    pid_t pid = fork();
    if (pid == 0) {
        tt_budget_give(limit); /* the parent's: ignored */
        if (tt_budget_running() != limit || tt_budget_take(1))
            _exit(1);
        tt_budget_add(2);
        _exit(tt_budget_running() == limit + 2 ? 0 : 2);
    }
    assert_int_equal(exit_code(pid), 0);
    assert_int_equal(tt_budget_running(), limit + 2); /* not swept yet */
    tt_budget_give(limit);
    assert_int_equal(take_all(), limit);
    assert_int_equal(tt_budget_running(), limit);
    assert_int_equal(tutti_cpu_idle(), 0);
    tt_budget_give(limit);
    assert_int_equal(tutti_cpu_idle(), limit);
}

static void executed(void **state)
{
    (void)state;
    tt_budget_add(7);
    assert_int_equal(running_elsewhere(NULL), 7);
    pid_t pid = fork();
    if (pid == 0) { /* a grandchild finds it after its parent's exec */
        tt_budget_add(4);
        _exit(running_elsewhere(NULL));
    }
    assert_int_equal(exit_code(pid), 11);
    tt_budget_give(7);
    assert_int_equal(take_all(), tt_cpu_budget());
    tt_budget_give(tt_cpu_budget());
}

static void foreign(void **state)
{
    (void)state;
    int pid, fd, null = open("/dev/null", O_RDWR);
    unsigned long long inode;
    char text[64];
    tt_budget_add(7);
    assert_int_equal(
        sscanf(getenv("TUTTI_BUDGET"), "%d:%d:%llu", &pid, &fd, &inode), 3);
    int fake = memfd_create("tutti-budget", 0);
    assert_int_equal(ftruncate(fake, 4096), 0);
    static const char *const bad[] = {
        "", "x", "1:2", "-1:-1:0", "99999999999999999999:1:1", "1:0:0",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(running_elsewhere(bad[i]), 0);
    snprintf(text, sizeof text, "%d:%d:%llu", pid, fd, inode + 1);
    assert_int_equal(running_elsewhere(text), 0);
    snprintf(text, sizeof text, "%d:%d:%llu", pid, null, inode);
    assert_int_equal(running_elsewhere(text), 0);
    snprintf(text, sizeof text, "%d:%d:%llu", pid, fake, inode);
    assert_int_equal(running_elsewhere(text), 0);
    snprintf(text, sizeof text, "%d:%d:%llu", pid, fd, inode);
    assert_int_equal(running_elsewhere(text), 7);
    tt_budget_give(7);
    close(null);
    close(fake);
}

static _Atomic bool stop;
static _Atomic unsigned at_work, most;

static void *taker(void *arg)
{
    while (!stop) {
        unsigned got = tt_budget_take(1 + (unsigned)(rand() & 1));
        unsigned now = atomic_fetch_add(&at_work, got) + got, seen = most;
        while (seen < now && !atomic_compare_exchange_weak(&most, &seen, now))
            ;
        atomic_fetch_sub(&at_work, got);
        tt_budget_give(got);
    }
    return arg;
}

static void threads(void **state)
{
    (void)state;
    pthread_t thread[4];
    stop = false;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, taker, NULL), 0);
    for (int i = 0; i < 20; i++) { /* forks while others take */
        pid_t pid = fork();
        if (pid == 0)
            _exit(tt_budget_take(1) > 1);
        assert_int_equal(exit_code(pid), 0);
        nap(5);
    }
    stop = true;
    for (int i = 0; i < 4; i++)
        pthread_join(thread[i], NULL);
    assert_true(most > 0);
    assert_true(most <= tt_cpu_budget());
    assert_int_equal(take_all(), tt_cpu_budget());
    tt_budget_give(tt_cpu_budget());
    assert_int_equal(tt_budget_running(), 0);
}

static void killed(void **state)
{
    (void)state;
    enum { CHILDREN = 6, KILLS = 100 };
    pid_t child[CHILDREN] = {0};
    stop = false;
    srand(1);
    for (int i = 0; i < KILLS; i++) {
        pid_t *pid = &child[rand() % CHILDREN];
        if (*pid) {
            kill(*pid, SIGKILL);
            assert_int_equal(exit_code(*pid), -SIGKILL);
        }
        *pid = fork();
        if (*pid == 0)
            taker(NULL);
        nap(rand() % 3);
    }
    for (int i = 0; i < CHILDREN; i++)
        if (child[i])
            kill(child[i], SIGKILL); /* zombies do not count either */
    assert_int_equal(take_all(), tt_cpu_budget());
    assert_int_equal(tt_budget_running(), tt_cpu_budget());
    for (int i = 0; i < CHILDREN; i++)
        if (child[i])
            exit_code(child[i]);
    tt_budget_give(tt_cpu_budget());
    assert_int_equal(tt_budget_running(), 0);
}

static tutti_status use(void *arg)
{
    unsigned limit = tt_cpu_budget();
    unsigned got = tt_budget_take(limit);
    tt_budget_give(got);
    *(bool *)arg &= got == limit;
    return TUTTI_OK;
}

/* Runs before this process has a page; without one it counts for itself. */
static void faults(void **state)
{
    (void)state;
    for (int n = 0; n < 8; n++) {
        pid_t pid = fork();
        if (pid == 0) {
            bool all = true;
            tt_fault_set(n);
            use(&all);
            _exit(!all);
        }
        assert_int_equal(exit_code(pid), 0);
    }
}

static void cost(void **state)
{
    (void)state;
    enum { TIMES = 10000 };
    uint64_t start = tt_clock();
    for (int i = 0; i < TIMES; i++)
        tt_budget_give(tt_budget_take(1));
    print_message("take and give: %.2f us\n",
                  (double)(tt_clock() - start) / TIMES / 1e3);
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "running"))
        return (int)tt_budget_running();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults),  cmocka_unit_test(alone),
        cmocka_unit_test(forked),  cmocka_unit_test(executed),
        cmocka_unit_test(foreign), cmocka_unit_test(threads),
        cmocka_unit_test(killed),  cmocka_unit_test(cost),
    };
    unsetenv("TUTTI_WORKERS");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
