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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
