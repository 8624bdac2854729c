/* traveller.c in all its builds: PROGRAMS, and LIBRARIES with their other
 * builds. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <tutti.h>

static const char *const programs[] = {PROGRAMS NULL};
static const char *const libraries[][2] = {LIBRARIES{NULL, NULL}};

static int nothing(size_t index, void *context)
{
    (void)index, (void)context;
    return 0;
}

static char folder[] = "/tmp/tutti-builds-XXXXXX";

/* Runs a line of shell in the folder; what it prints is in `said`. */
static char said[2000];

static int run(const char *format, ...)
{
    char line[2000];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    FILE *pipe = popen(line, "r");
    assert_non_null(pipe);
    said[fread(said, 1, sizeof said - 1, pipe)] = '\0';
    int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void assert_fine(int status, const char *program)
{
    if (status != 0)
        fail_msg("%s: status %d: %s", program, status, said);
}

static void each_build_runs(void **state)
{
    (void)state;
    for (int i = 0; programs[i]; i++)
        assert_fine(run("exec %s here 2>&1", programs[i]), programs[i]);
}

static void from_a_relative_path_and_elsewhere(void **state)
{
    (void)state;
    for (int i = 0; programs[i]; i++)
        assert_fine(run("cd %s && cp %s moving && exec ./moving moved 2>&1",
                        folder, programs[i]),
                    programs[i]);
}

static void from_a_deleted_file(void **state)
{
    (void)state;
    for (int i = 0; programs[i]; i++)
        assert_fine(run("cd %s && cp %s gone && exec ./gone deleted 2>&1",
                        folder, programs[i]),
                    programs[i]);
}

/* Also when it dies after it. */
static void what_a_worker_prints_is_seen_once(void **state)
{
    (void)state;
    for (int i = 0; programs[i]; i++) {
        assert_fine(run("MADE=1 exec %s prints", programs[i]), programs[i]);
        if (strcmp(said, "made a worker's line\nmade the caller's line\n") != 0)
            fail_msg("%s: %s", programs[i], said);
    }
}

/* Whoever says the word without being a place gets main(). */
static void the_word_alone_does_nothing(void **state)
{
    (void)state;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(dup2(pair[0], 9), 9);
    for (int i = 0; programs[i]; i++) {
        assert_int_equal(run("exec %s --tutti-zygote 3<&-", programs[i]), 2);
        assert_string_equal(said,
                            "this is main(), which got \"--tutti-zygote\"\n");
        assert_int_equal(run("exec %s --tutti-zygote 3</dev/null", programs[i]),
                         2);
        assert_int_equal(
            run("exec timeout 20 %s --tutti-zygote 3<&9", programs[i]), 2);
    }
    close(9);
    close(pair[0]);
    close(pair[1]);
}

static void through_a_loader(void **state)
{
    (void)state;
    char loader[200];
    if (run("grep -o -m1 '/.*/ld-linux.*' /proc/self/maps") != 0)
        skip();
    snprintf(loader, sizeof loader, "%.*s", (int)strcspn(said, "\n"), said);
    assert_int_equal(run("exec %s %s here", loader, programs[0]), 1);
    if (!strstr(said, "/proc/self/exe is not this program"))
        fail_msg("%s", said);
}

#ifdef __SANITIZE_ADDRESS__
#define LEAK_CHECKED true /* by who may not look into such a process */
#else
#define LEAK_CHECKED false
#endif

static void with_raised_rights(void **state)
{
    (void)state;
    if (LEAK_CHECKED ||
        run("cd %s && cp %s raised && chown 65534 raised 2>/dev/null && "
            "chmod 4755 raised && chmod 755 .",
            folder, programs[0]) != 0)
        skip(); /* only root may */
    assert_int_equal(run("exec %s/raised here", folder), 1);
    if (!strstr(said, "(setuid)"))
        fail_msg("%s", said);
}

static void functions_of_libraries(void **state)
{
    (void)state;
    for (int i = 0; programs[i]; i++)
        for (int k = 0; libraries[k][0]; k++) {
            assert_fine(
                run("exec %s library %s 2>&1", programs[i], libraries[k][0]),
                programs[i]);
            assert_fine(run("cd %s && cp %s it.so && exec %s library ./it.so "
                            "2>&1",
                            folder, libraries[k][0], programs[i]),
                        programs[i]);
        }
}

static void a_library_that_was_replaced(void **state)
{
    (void)state;
    for (int k = 0; libraries[k][0]; k++) {
        assert_fine(run("cd %s && cp %s it.so && cp %s other.so && exec %s "
                        "library %s/it.so other.so",
                        folder, libraries[k][0], libraries[k][1], programs[0],
                        folder),
                    libraries[k][0]);
        if (!strstr(said, "is not what the caller has loaded"))
            fail_msg("%s", said);
    }
}

static void a_library_that_is_gone(void **state)
{
    (void)state;
    assert_fine(run("cd %s && cp %s it.so && exec %s library ./it.so none",
                    folder, libraries[0][0], programs[0]),
                programs[0]);
    if (!strstr(said, "is not to be found any more"))
        fail_msg("%s", said);
}

/* A program that was not linked with libtutti would reach its main(). */
static void a_libtutti_that_came_late(void **state)
{
    (void)state;
    void *library = dlopen(LIBTUTTI, RTLD_NOW | RTLD_LOCAL);
    assert_non_null(library);
    void *symbols[] = {dlsym(library, "tutti_for"),
                       dlsym(library, "tutti_detail")};
    tutti_status (*run_for)(tutti_for_fn, size_t, void *, size_t,
                            const tutti_options *);
    const char *(*detail)(void);
    memcpy(&run_for, &symbols[0], sizeof run_for);
    memcpy(&detail, &symbols[1], sizeof detail);
    tutti_options options = TUTTI_OPTIONS_INIT;
    options.on = "processes:1";
    assert_int_equal(run_for(nothing, 1, NULL, 0, &options), TUTTI_EPLACE);
    if (!strstr(detail(), "libtutti was loaded while the program ran"))
        fail_msg("%s", detail());
    dlclose(library);
}

static void a_libtutti_that_was_replaced(void **state)
{
    (void)state;
    if (run("cd %s && cp %s libtutti.so.0 && objcopy -R .note.gnu.build-id "
            "libtutti.so.0 other 2>&1",
            folder, LIBTUTTI) != 0)
        skip();
    for (int i = 0; programs[i]; i++)
        if (strstr(programs[i], "shared")) {
            assert_fine(run("cd %s && cp %s libtutti.so.0 && cp other new && "
                            "LD_LIBRARY_PATH=. exec %s updated "
                            "libtutti.so.0 new 2>&1",
                            folder, LIBTUTTI, programs[i]),
                        programs[i]);
            if (!strstr(said, "libtutti was replaced while the program ran"))
                fail_msg("%s", said);
        }
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return run("rm -rf %s", folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_build_runs),
        cmocka_unit_test(from_a_relative_path_and_elsewhere),
        cmocka_unit_test(from_a_deleted_file),
        cmocka_unit_test(what_a_worker_prints_is_seen_once),
        cmocka_unit_test(the_word_alone_does_nothing),
        cmocka_unit_test(through_a_loader),
        cmocka_unit_test(with_raised_rights),
        cmocka_unit_test(functions_of_libraries),
        cmocka_unit_test(a_library_that_was_replaced),
        cmocka_unit_test(a_library_that_is_gone),
        cmocka_unit_test(a_libtutti_that_came_late),
        cmocka_unit_test(a_libtutti_that_was_replaced),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
