/* Forks in the middle: the child works on, or is told that it cannot; it never
 * hangs. A child that does hang is killed by its alarm. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "seed.h"
#include "tally.h"

#define SECONDS 20 /* for a child; none needs them */

static uint64_t some_us(size_t index, size_t n)
{
    (void)n;
    return index % 5 * 2000;
}

static bool loop_works(const char *on)
{
    struct tally *tally = tally_new(300);
    tutti_options options = TUTTI_OPTIONS_INIT;
    options.on = on;
    tally->cost = some_us;
    bool good = tutti_for(tally_task, 300, tally, 0, &options) == TUTTI_OK;
    for (size_t i = 0; i < 300; i++)
        good = good && tally->times[i] == 1;
    tally_free(tally);
    return good;
}

static void *works(void *on)
{
    return loop_works(on) ? NULL : on;
}

/* Several threads of the child start its first loops at once. */
static int loop_in_threads(void)
{
    static char names[4][10] = {"auto", "threads:3", "threads:3", "auto"};
    pthread_t threads[4];
    void *bad = NULL, *result;
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, works, names[i]);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], &result);
        bad = result ? result : bad;
    }
    return bad ? 3 : 0;
}

static void children_loop_again(void **state)
{
    (void)state;
    tutti_options options = TUTTI_OPTIONS_INIT;
    assert_int_equal(tutti_place_open(&options.place, "threads:3"), TUTTI_OK);
    for (int turn = 0; turn < 20; turn++) {
        assert_true(loop_works("auto") && loop_works("threads:3"));
        pid_t child = fork();
        if (child == 0) {
            alarm(SECONDS);
            if (!loop_works("threads:3") || !loop_works("auto"))
                _exit(1);
            struct tally *tally = tally_new(9);
            if (tutti_for(tally_task, 9, tally, 0, &options) != TUTTI_OK)
                _exit(2);
            tutti_place_close(options.place);
            _exit(loop_in_threads());
        }
        check_child(child);
    }
    tutti_place_close(options.place);
}

static _Atomic bool stop;

static void *storm(void *arg)
{
    while (!stop)
        if (!loop_works(arg))
            return arg;
    return NULL;
}

/* Takes the locks that every loop takes, as often as it can. */
static void *hammer(void *arg)
{
    tutti_status status = TUTTI_OK;
    while (!stop && status == TUTTI_OK)
        status = tutti_for(tally_task, 0, arg, 0, NULL);
    return status == TUTTI_OK ? NULL : arg;
}

/* Other threads hold whatever locks they may when the process forks. */
static void forks_in_a_storm(void **state)
{
    (void)state;
    pthread_t threads[4];
    void *bad;
    stop = false;
    pthread_create(&threads[0], NULL, storm, "auto");
    pthread_create(&threads[1], NULL, storm, "threads:3");
    pthread_create(&threads[2], NULL, hammer, &stop);
    pthread_create(&threads[3], NULL, hammer, &stop);
    for (int turn = 0; turn < 80; turn++) {
        pid_t child = fork();
        if (child == 0) {
            alarm(SECONDS);
            tutti_report report = TUTTI_REPORT_INIT;
            (void)tutti_report_text(&report, NULL, 0);
            _exit(loop_works("auto") && loop_works("threads:3") ? 0 : 1);
        }
        check_child(child);
    }
    stop = true;
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], &bad);
        assert_null(bad);
    }
}

/* A body that forks once; the child returns from it. */
struct forking {
    size_t when;
    bool by_caller; /* in worker 0, else in another */
    _Atomic bool forked;
    _Atomic pid_t child;
    _Atomic size_t ran;
    pid_t parent;
};

static size_t fork_once(void *context, size_t begin, size_t end,
                        unsigned worker)
{
    struct forking *f = context;
    tally_spin(20000 * (end - begin));
    f->ran += end - begin;
    if (getpid() == f->parent && f->ran >= f->when &&
        (worker == 0) == f->by_caller && !atomic_exchange(&f->forked, true)) {
        pid_t child = fork();
        if (child)
            f->child = child;
        else
            alarm(SECONDS);
    } else if (getpid() != f->parent && worker != 0) {
        _exit(4); /* the parent's tasks are not run by its forked worker */
    }
    return end;
}

static void check_fork(struct forking *f, const char *on)
{
    tutti_loop loop = {.n = 400, .body = fork_once, .context = f};
    tutti_options options = TUTTI_OPTIONS_INIT;
    options.on = on;
    f->parent = getpid();
    tutti_status status = tutti_loop_run(&loop, &options);
    if (getpid() != f->parent) {
        bool told = status == TUTTI_ELOST && strstr(tutti_detail(), "fork");
        _exit(status == TUTTI_OK || told ? loop_works(on) ? 0 : 1 : 2);
    }
    assert_int_equal(status, TUTTI_OK);
    assert_int_equal(f->ran, 400);
    if (f->forked)
        check_child(f->child);
}

static void bodies_that_fork(void **state)
{
    (void)state;
    static const char *const places[] = {"serial", "auto", "threads:3"};
    uint64_t random = tt_seed();
    for (int turn = 0; turn < 30; turn++) {
        struct forking f = {.when = 1 + tt_random(&random) % 300,
                            .by_caller = turn % 2};
        check_fork(&f, places[turn % 3]);
    }
}

static size_t sleepy(void *context, size_t begin, size_t end, unsigned worker)
{
    (void)context;
    (void)worker;
    tally_spin(1000000 * (end - begin));
    return end;
}

static void jobs_stay_with_the_parent(void **state)
{
    (void)state;
    tutti_loop loop = {.n = 50, .body = sleepy};
    tutti_job *job;
    assert_int_equal(tutti_submit(&job, &loop, NULL), TUTTI_OK);
    pid_t child = fork();
    if (child == 0) {
        alarm(SECONDS);
        if (tutti_job_wait(job, -1) != TUTTI_ELOST)
            _exit(1);
        tutti_job_cancel(job);
        tutti_job_free(job);
        _exit(loop_works("auto") ? 0 : 2);
    }
    check_child(child);
    assert_int_equal(tutti_job_wait(job, -1), TUTTI_OK);
    tutti_job_free(job);
}

/* How many of the descriptors from 3 on are devices. */
static int devices(void)
{
    struct stat info;
    int count = 0;
    for (int fd = 3; fd < 256; fd++)
        count += fstat(fd, &info) == 0 && S_ISCHR(info.st_mode);
    return count;
}

/* A child that closes all and opens its own files loses none of them. */
static void children_keep_their_files(void **state)
{
    (void)state;
    assert_true(loop_works("auto"));
    pid_t child = fork();
    if (child == 0) {
        alarm(SECONDS);
        for (int fd = 3; fd < 256; fd++)
            close(fd);
        for (int i = 0; i < 20; i++)
            if (open("/dev/null", O_RDONLY) < 0)
                _exit(1);
        if (!loop_works("auto") || !loop_works("threads:3"))
            _exit(2);
        _exit(devices() == 20 ? 0 : 3);
    }
    check_child(child);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(children_loop_again),
        cmocka_unit_test(forks_in_a_storm),
        cmocka_unit_test(bodies_that_fork),
        cmocka_unit_test(jobs_stay_with_the_parent),
        cmocka_unit_test(children_keep_their_files),
    };
    if (SANITIZED) {
        printf("skipped: the sanitizers' locks are held across a fork\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
