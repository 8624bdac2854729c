/* Places in shared objects: what is missing, broken or too old is told. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tutti/sys/plugin.h>

#include "seed.h"
#include "tally.h"

static int nothing(size_t index, void *context)
{
    (void)index;
    (void)context;
    return 0;
}

/* In a child, as what became of a plug-in stays: whether a loop there is
 * refused with `why`. */
static bool refuses(const char *folder, const char *why)
{
    int status = 1;
    pid_t child = fork();
    if (child == 0) {
        tutti_options options = TUTTI_OPTIONS_INIT;
        options.on = "openmp";
        setenv("TUTTI_PLACES", folder, 1);
        bool refused = tutti_for(nothing, 9, NULL, 0, &options) == TUTTI_EPLACE;
        if (!refused || !strstr(tutti_detail(), why))
            printf("told: %s\n", tutti_detail());
        _exit(!refused || !strstr(tutti_detail(), why));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status == 0;
}

static void what_is_not_there_is_told(void **state)
{
    (void)state;
    assert_true(refuses("/nowhere", "tutti-openmp.so is not in TUTTI_PLACES"));
}

static void what_is_broken_is_told(void **state)
{
    (void)state;
    char folder[] = "/tmp/tutti-plugin-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/tutti-openmp.so", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("no object", file);
    fclose(file);
    assert_true(refuses(folder, path));
    unlink(path);
    rmdir(folder);
}

static void another_version_is_refused(void **state)
{
    (void)state;
    const char *path = getenv("PLUGIN");
    if (!path)
        skip();
    void *object = dlopen(path, RTLD_NOW);
    assert_non_null(object);
    const tutti_plugin_entry *entry = dlsym(object, "tutti_plugin");
    assert_non_null(entry);
    tutti_services old = {.version = TUTTI_PLACE_VERSION + 1};
    char reason[160] = "";
    assert_null((*entry)(&old, reason, sizeof reason));
    assert_non_null(strstr(reason, "version"));
    dlclose(object);
}

static int some_work(size_t index, void *context)
{
    (void)index;
    (void)context;
    tally_spin(100000);
    return 0;
}

static tutti_status loop(void)
{
    tutti_options options = TUTTI_OPTIONS_INIT;
    options.on = "openmp:3";
    return tutti_for(some_work, 30, NULL, 0, &options);
}

/* A child of a process that has used the team would hang in libgomp's. */
static void children_have_a_team_of_their_own(void **state)
{
    (void)state;
    if (!getenv("PLUGIN"))
        skip();
    for (int turn = 0; turn < 20; turn++) {
        assert_int_equal(loop(), TUTTI_OK);
        pid_t child = fork();
        if (child == 0) {
            alarm(60);
            _exit(loop() != TUTTI_OK);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
}

/* The body of a loop that forks in a thread of the team; the child returns. */
struct forking {
    pid_t parent;
    _Atomic pid_t child;
};

static void end_soon(void)
{
    sigset_t none;
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    alarm(20);
}

static size_t fork_once(void *context, size_t begin, size_t end,
                        unsigned worker)
{
    struct forking *f = context;
    pid_t none = 0;
    tally_spin(100000 * (end - begin));
    if (worker > 0 && getpid() == f->parent &&
        atomic_compare_exchange_strong(&f->child, &none, -1)) {
        pid_t child = fork();
        if (child)
            f->child = child;
        else
            end_soon();
    }
    return end;
}

/* In the child the team is that one thread, which ends: others would be waited
 * for at the end of its region. */
static void bodies_that_fork(void **state)
{
    (void)state;
    if (!getenv("PLUGIN"))
        skip();
    int forks = 0;
    for (int turn = 0; turn < 20; turn++) {
        struct forking f = {.parent = getpid()};
        tutti_loop loop = {.n = 300, .body = fork_once, .context = &f};
        tutti_options options = TUTTI_OPTIONS_INIT;
        options.on = "openmp:3";
        assert_int_equal(tutti_loop_run(&loop, &options), TUTTI_OK);
        int status = 0;
        if (f.child) {
            assert_int_equal(waitpid(f.child, &status, 0), f.child);
            forks++;
        }
        assert_int_equal(status, 0);
    }
    assert_true(forks > 0);
}

/* Tasks that wait for each other: each of two loops has workers beside its
 * caller, or the time is up. */
struct meeting {
    _Atomic unsigned came;
    unsigned wanted;
    _Atomic bool missed;
};

static int meet(size_t index, void *context)
{
    struct meeting *m = context;
    (void)index;
    m->came++;
    for (int i = 0; i < 20000 && m->came < m->wanted; i++)
        usleep(1000);
    if (m->came < m->wanted)
        m->missed = true;
    return 0;
}

static void *loop_and_meet(void *meeting)
{
    tutti_options options = TUTTI_OPTIONS_INIT;
    options.on = "openmp:2";
    return tutti_for(meet, 2, meeting, 0, &options) == TUTTI_OK ? NULL
                                                                : meeting;
}

static void two_loops_at_once_have_workers(void **state)
{
    (void)state;
    if (!getenv("PLUGIN"))
        skip();
    for (int turn = 0; turn < 20; turn++) {
        struct meeting all = {.wanted = 4};
        pthread_t other;
        void *bad;
        assert_int_equal(pthread_create(&other, NULL, loop_and_meet, &all), 0);
        assert_null(loop_and_meet(&all));
        assert_int_equal(pthread_join(other, &bad), 0);
        assert_null(bad);
        assert_false(all.missed);
    }
}

/* A loop of few or many workers, of tasks some of which are loops themselves,
 * or fork. */
static _Atomic size_t ran;

static int leaf(size_t index, void *context)
{
    (void)context;
    tally_spin(index % 7 * 1000);
    ran++;
    return 0;
}

static int branch(size_t index, void *context)
{
    tutti_options options = TUTTI_OPTIONS_INIT;
    options.on = index % 2 ? "openmp:2" : "openmp:3";
    if (index % 5)
        return leaf(index, context);
    return tutti_for(leaf, 20, NULL, 0, &options);
}

static void *loop_at_random(void *seed)
{
    uint64_t random = *(uint64_t *)seed;
    char on[20];
    tutti_options options = TUTTI_OPTIONS_INIT;
    options.on = on;
    for (int i = 0; i < 100; i++) {
        snprintf(on, sizeof on, "openmp:%d", 1 + (int)(tt_random(&random) % 4));
        if (tutti_for(branch, tt_random(&random) % 50, NULL, 0, &options))
            return seed;
    }
    return NULL;
}

static size_t expected_of(uint64_t random)
{
    size_t sum = 0;
    for (int i = 0; i < 100; i++) {
        (void)tt_random(&random);
        size_t n = tt_random(&random) % 50;
        sum += n + (n + 4) / 5 * 19;
    }
    return sum;
}

static void loops_in_loops_in_threads_while_others_fork(void **state)
{
    (void)state;
    if (!getenv("PLUGIN"))
        skip();
    uint64_t random = tt_seed(), seeds[4];
    pthread_t threads[4];
    size_t expected = 0;
    void *bad;
    ran = 0;
    for (int i = 0; i < 4; i++) {
        seeds[i] = tt_random(&random);
        expected += expected_of(seeds[i]);
        pthread_create(&threads[i], NULL, loop_at_random, &seeds[i]);
    }
    for (int turn = 0; turn < 40; turn++) {
        usleep(tt_random(&random) % 2000);
        pid_t child = fork();
        if (child == 0) {
            end_soon();
            _exit(loop() != TUTTI_OK);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], &bad);
        assert_null(bad);
    }
    assert_int_equal(ran, expected);
}

/* Two libraries of different versions may find the same plug-in. */
static void another_version_changes_nothing(void **state)
{
    (void)state;
    const char *path = getenv("PLUGIN");
    if (!path)
        skip();
    assert_int_equal(loop(), TUTTI_OK);
    another_version_is_refused(state);
    assert_int_equal(loop(), TUTTI_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_there_is_told),
        cmocka_unit_test(what_is_broken_is_told),
        cmocka_unit_test(another_version_is_refused),
        cmocka_unit_test(children_have_a_team_of_their_own),
        cmocka_unit_test(another_version_changes_nothing),
        cmocka_unit_test(bodies_that_fork),
        cmocka_unit_test(two_loops_at_once_have_workers),
        cmocka_unit_test(loops_in_loops_in_threads_while_others_fork),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
