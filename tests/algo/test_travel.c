/* C functions in worker processes: what travels, what does not, and what
 * becomes of those that do not come back. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>
#include <tutti.h>

#include "core/constants.h"

#define N 40

static tutti_options away(void)
{
    tutti_options options = TUTTI_OPTIONS_INIT;
    options.on = "processes:2";
    return options;
}

static void assert_says(const char *part)
{
    if (!strstr(tutti_detail(), part))
        fail_msg("\"%s\" is not in \"%s\"", part, tutti_detail());
}

struct add {
    int64_t summand;
    char more[1 << 20];
};

static int add(const void *item, void *result, void *context)
{
    struct add *add = context;
    *(int64_t *)result =
        *(const int64_t *)item + add->summand + add->more[sizeof add->more - 1];
    add->summand += 0; /* it may be written */
    return 0;
}

static void context_travels_by_value(void **state)
{
    (void)state;
    struct add *context = calloc(1, sizeof *context);
    int64_t x[N], y[N];
    tutti_options options = away();
    assert_non_null(context);
    context->more[sizeof context->more - 1] = 5;
    for (int64_t round = 0; round < 3; round++) {
        context->summand = 100 * round;
        for (int i = 0; i < N; i++)
            x[i] = i;
        assert_int_equal(tutti_map(add, (tutti_array){x, 8},
                                   (tutti_array){y, 8}, N, context,
                                   sizeof *context, &options),
                         TUTTI_OK);
        for (int i = 0; i < N; i++)
            assert_int_equal(y[i], i + 100 * round + 5);
    }
    free(context);
}

static int where(const void *item, void *result, void *context)
{
    (void)item, (void)context;
    *(pid_t *)result = getpid();
    return 0;
}

static bool runs_here(const tutti_options *options)
{
    char item = 0;
    pid_t pid[N];
    tutti_options given = *options;
    given.item_size = 1;
    assert_int_equal(tutti_map(where, (tutti_array){&item, 0},
                               (tutti_array){pid, sizeof *pid}, N, NULL, 0,
                               &given),
                     TUTTI_OK);
    for (int i = 1; i < N; i++)
        assert_true((pid[i] == getpid()) == (*pid == getpid()));
    return *pid == getpid();
}

static void only_who_asks_travels(void **state)
{
    (void)state;
    tutti_options options = TUTTI_OPTIONS_INIT;
    assert_true(runs_here(&options));
    options.on = "auto:4";
    assert_true(runs_here(&options));
    options.on = "threads:2";
    assert_true(runs_here(&options));
    options.on = "auto";
    options.retries = 1;
    assert_false(runs_here(&options));
    options.retries = 0;
    options.task_timeout = 60;
    assert_false(runs_here(&options));
    options = away();
    assert_false(runs_here(&options));
    tutti_place *place;
    options.on = NULL;
    assert_int_equal(tutti_place_open(&place, "processes:1"), TUTTI_OK);
    options.place = place;
    assert_false(runs_here(&options));
    tutti_place_close(place);
}

static int nothing(size_t index, void *context)
{
    (void)index, (void)context;
    return 0;
}

static void what_cannot_travel_is_told(void **state)
{
    (void)state;
    int64_t x[N] = {0}, y[N];
    const tutti_array one = {x, 0}, in = {x, 8}, out = {y, 8};
    tutti_options options = away();
    assert_int_equal(tutti_for(nothing, N, x, 0, &options), TUTTI_EARG);
    assert_string_equal(tutti_detail(),
                        "tutti_for: the context cannot be sent to other "
                        "processes: context_size is 0; give its bytes, which "
                        "must mean the same there (no pointers)");
    assert_int_equal(tutti_map(where, one, out, N, NULL, 0, &options),
                     TUTTI_EARG);
    assert_string_equal(tutti_detail(),
                        "tutti_map: items cannot be sent to other processes: "
                        "their stride is 0; give options.item_size");
    assert_int_equal(
        tutti_map(where, in, (tutti_array){y, 0}, 1, NULL, 0, &options),
        TUTTI_EARG);
    assert_says("options.result_size");
    options.item_size = SIZE_MAX;
    assert_int_equal(tutti_map(where, one, out, N, NULL, 0, &options),
                     TUTTI_EARG);
    assert_says("are too large to be sent");
    options.on = "processes:0";
    assert_int_equal(tutti_for(nothing, N, x, 0, &options), TUTTI_EARG);
    assert_says("from 1 to 1024");
    options.on = "threads";
    options.task_timeout = 1;
    assert_int_equal(tutti_for(nothing, N, NULL, 0, &options), TUTTI_EARG);
    assert_says("task_timeout given with place \"threads\"");
}

struct row {
    int32_t before, x, y, after;
};

static int twice(const void *item, void *result, void *context)
{
    (void)context;
    *(int32_t *)result = 2 * *(const int32_t *)item;
    return 0;
}

/* The last row's y has no whole stride behind it. */
static void fields_of_rows(void **state)
{
    (void)state;
    struct row rows[N];
    tutti_options options = away();
    options.item_size = options.result_size = sizeof(int32_t);
    for (int32_t i = 0; i < N; i++)
        rows[i] = (struct row){-1, i, -2, -3};
    assert_int_equal(
        tutti_map(twice,
                  (tutti_array){&rows[N - 1].x, -(ptrdiff_t)sizeof *rows},
                  (tutti_array){&rows[N - 1].y, -(ptrdiff_t)sizeof *rows}, N,
                  NULL, 0, &options),
        TUTTI_OK);
    for (int32_t i = 0; i < N; i++) {
        assert_int_equal(rows[i].before, -1);
        assert_int_equal(rows[i].x, i);
        assert_int_equal(rows[i].y, 2 * i);
        assert_int_equal(rows[i].after, -3);
    }
}

static int sum_of_three(const void *item, void *result, void *context)
{
    const double *x = item;
    (void)context;
    *(double *)result = x[0] + x[1] + x[2];
    return 0;
}

static void items_that_overlap(void **state)
{
    (void)state;
    double x[N + 2], y[N];
    tutti_options options = away();
    options.item_size = 3 * sizeof *x;
    for (int i = 0; i < N + 2; i++)
        x[i] = i;
    assert_int_equal(tutti_map(sum_of_three, (tutti_array){x, sizeof *x},
                               (tutti_array){y, sizeof *y}, N, NULL, 0,
                               &options),
                     TUTTI_OK);
    for (int i = 0; i < N; i++)
        assert_true(y[i] == 3.0 * i + 3);
}

static int remainder_of(const void *item, void *result, void *context)
{
    size_t align = *(size_t *)context;
    *(size_t *)result = (uintptr_t)item % align + (uintptr_t)result % align +
                        *(const size_t *)item;
    return 0;
}

static void alignment_travels(void **state)
{
    (void)state;
    tutti_options options = away();
    for (size_t align = 8; align <= 64; align *= 2)
        for (ptrdiff_t times = 1; times < 4; times += 2) {
            size_t stride = align * (size_t)times;
            char *x = aligned_alloc(64, 64 * stride), *y = calloc(64, stride);
            assert_true(x && y);
            for (size_t i = 0; i < 64; i++)
                memcpy(x + i * stride, &i, sizeof i);
            assert_int_equal(tutti_map(remainder_of,
                                       (tutti_array){x, (ptrdiff_t)stride},
                                       (tutti_array){y, (ptrdiff_t)stride}, 64,
                                       &align, sizeof align, &options),
                             TUTTI_OK);
            for (size_t i = 0; i < 64; i++)
                assert_memory_equal(y + i * stride, &i, sizeof i);
            free(x);
            free(y);
        }
}

/* A task of this number behaves so. */
enum act { FAIL = 1, CRASH, ABORT, EXIT, KILL, LOOP, ONCE };

struct plan {
    size_t index;
    enum act act;
    char path[100];
};

static void die_once(const char *path)
{
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
    if (fd >= 0)
        raise(SIGKILL);
}

static int act_on(size_t index, void *context)
{
    const struct plan *plan = context;
    if (index != plan->index)
        return 0;
    switch (plan->act) {
    case FAIL:
        tutti_task_fail("index %zu is bad", index);
        return 1;
    case CRASH:
        signal(SIGSEGV, SIG_DFL); /* also where a sanitizer catches it */
        raise(SIGSEGV);
        return 0;
    case ABORT:
        signal(SIGABRT, SIG_DFL);
        abort();
    case EXIT:
        exit(7);
    case KILL:
        return kill(getpid(), SIGKILL);
    case LOOP:
        for (;;)
            pause();
    default:
        die_once(plan->path);
        return 0;
    }
}

static tutti_status run_plan(struct plan plan, const tutti_options *options)
{
    return tutti_for(act_on, N, &plan, sizeof plan, options);
}

static void failures_have_their_index(void **state)
{
    (void)state;
    tutti_options options = away();
    assert_int_equal(run_plan((struct plan){17, FAIL, ""}, &options),
                     TUTTI_ETASK);
    assert_string_equal(tutti_detail(), "task 17 failed: index 17 is bad");
}

static int root(const void *item, void *result, void *context)
{
    (void)context;
    if (*(const int *)item < 0)
        return 1;
    *(int *)result = *(const int *)item + 1;
    return 0;
}

static void results_before_a_failure_are_there(void **state)
{
    (void)state;
    int x[N] = {0}, y[N] = {0};
    tutti_options options = away();
    x[25] = x[30] = -1;
    assert_int_equal(tutti_map(root, (tutti_array){x, sizeof *x},
                               (tutti_array){y, sizeof *y}, N, NULL, 0,
                               &options),
                     TUTTI_ETASK);
    assert_string_equal(tutti_detail(), "task 25 failed");
    for (int i = 0; i < N; i++)
        assert_true(i < 25 ? y[i] == 1 : y[i] == 0 || i > 25);
}

static void deaths_name_task_and_cause(void **state)
{
    (void)state;
    static const struct {
        enum act act;
        const char *cause;
    } deaths[] = {
        {CRASH, "was killed by signal 11 (SIGSEGV)"},
        {ABORT, "was killed by signal 6 (SIGABRT)"},
        {KILL, "was killed by signal 9 (SIGKILL)"},
        {EXIT, "ended with status 7"},
    };
    tutti_options options = away();
    for (size_t i = 0; i < sizeof deaths / sizeof *deaths; i++) {
        struct plan plan = {3 + 9 * i, deaths[i].act, ""};
        char task[40];
        snprintf(task, sizeof task, "while it ran task %zu", plan.index);
        assert_int_equal(run_plan(plan, &options), TUTTI_ELOST);
        assert_says(deaths[i].cause);
        assert_says(task);
        plan.act = 0; /* the place lives on */
        assert_int_equal(run_plan(plan, &options), TUTTI_OK);
    }
}

static void endless_tasks_are_ended(void **state)
{
    (void)state;
    tutti_options options = TUTTI_OPTIONS_INIT;
    options.task_timeout = 0.3;
    assert_int_equal(run_plan((struct plan){21, LOOP, ""}, &options),
                     TUTTI_ETIME);
    assert_says("task 21 took longer than the 0.3 s");
}

static void lost_tasks_run_again(void **state)
{
    (void)state;
    struct plan plan = {.index = 30, .act = ONCE};
    tutti_options options = TUTTI_OPTIONS_INIT;
    snprintf(plan.path, sizeof plan.path, "/tmp/tutti-once-%ld",
             (long)getpid());
    assert_int_equal(access(plan.path, F_OK), -1);
    options.retries = 1;
    tutti_status status = run_plan(plan, &options);
    assert_int_equal(unlink(plan.path), 0);
    assert_int_equal(status, TUTTI_OK);
}

static int count_range(void *partial, size_t begin, size_t end, void *context)
{
    if (begin <= *(size_t *)context && *(size_t *)context < end)
        return 1;
    *(size_t *)partial += end - begin;
    return 0;
}

static void add_counts(void *left, const void *right, void *context)
{
    (void)context;
    *(size_t *)left += *(const size_t *)right;
}

static void folds_fail_by_their_blocks(void **state)
{
    (void)state;
    static const size_t zero;
    const tutti_fold fold = {sizeof zero, &zero, count_range, add_counts};
    tutti_options options = away();
    size_t bad = SIZE_MAX, sum = 0;
    assert_int_equal(
        tutti_reduce(&sum, &fold, 1003, 10, &bad, sizeof bad, &options),
        TUTTI_OK);
    assert_int_equal(sum, 1003);
    bad = 555;
    assert_int_equal(
        tutti_reduce(&sum, &fold, 1003, 10, &bad, sizeof bad, &options),
        TUTTI_ETASK);
    assert_string_equal(tutti_detail(), "task 550 failed");
    assert_int_equal(tutti_reduce(&sum, &fold, 1003, 10, &bad, 0, &options),
                     TUTTI_EARG);
    assert_says("tutti_reduce: the context cannot be sent");
}

static int read_here(size_t index, void *context)
{
    (void)index;
    return access(context, R_OK);
}

static void the_working_directory_goes_along(void **state)
{
    (void)state;
    char folder[] = "/tmp/tutti-travel-XXXXXX", name[] = "a file";
    tutti_options options = away();
    char *before = getcwd(NULL, 0);
    assert_true(before && mkdtemp(folder) && chdir(folder) == 0);
    int fd = open(name, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    close(fd);
    tutti_status status = tutti_for(read_here, 4, name, sizeof name, &options);
    unlink(name);
    assert_int_equal(chdir(before), 0);
    rmdir(folder);
    free(before);
    assert_int_equal(status, TUTTI_OK);
}

static int draw(const void *item, void *result, void *context)
{
    (void)item, (void)context;
    ((long *)result)[0] = getpid();
    ((long *)result)[1] = rand();
    usleep(2000);
    return 0;
}

static void random_streams_differ(void **state)
{
    (void)state;
    long drawn[N][2];
    char item = 0;
    size_t others = 0, same = 0;
    tutti_options options = away();
    assert_int_equal(tutti_map(draw, (tutti_array){&item, 1},
                               (tutti_array){drawn, sizeof *drawn}, 1, NULL, 0,
                               &options),
                     TUTTI_OK);
    options.item_size = 1;
    assert_int_equal(tutti_map(draw, (tutti_array){&item, 0},
                               (tutti_array){drawn, sizeof *drawn}, N, NULL, 0,
                               &options),
                     TUTTI_OK);
    for (int i = 0; i < N; i++)
        for (int k = 0; k < i; k++) {
            others += drawn[i][0] != drawn[k][0];
            same += drawn[i][1] == drawn[k][1];
        }
    assert_true(others > 0);
    assert_int_equal(same, 0);
}

static void functions_in_no_file(void **state)
{
    (void)state;
    tutti_options options = away();
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(page != MAP_FAILED);
    assert_int_equal(
        tutti_for((tutti_for_fn)(uintptr_t)page, 1, NULL, 0, &options),
        TUTTI_EPLACE);
    assert_string_equal(tutti_detail(),
                        "the function is in no file (made while the program "
                        "ran?): a worker process cannot have it");
    munmap(page, 4096);
}

static void *hold_output(void *arg)
{
    int *pipes = arg;
    char byte = 0;
    flockfile(stdout);
    assert_int_equal(write(pipes[1], &byte, 1), 1);
    assert_int_equal(read(pipes[2], &byte, 1), 1);
    funlockfile(stdout);
    return NULL;
}

static int print(size_t index, void *context)
{
    (void)index, (void)context;
    return printf("%s", "") < 0;
}

static void locks_of_the_caller_do_not_matter(void **state)
{
    (void)state;
    int pipes[4];
    char byte;
    pthread_t thread;
    tutti_options options = away();
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(pipe(pipes + 2), 0);
    assert_int_equal(pthread_create(&thread, NULL, hold_output, pipes), 0);
    assert_int_equal(read(pipes[0], &byte, 1), 1);
    tutti_place *place; /* whose workers start now */
    assert_int_equal(tutti_place_open(&place, "processes:3"), TUTTI_OK);
    options.place = place;
    tutti_status status = tutti_for(print, N, NULL, 0, &options);
    assert_int_equal(write(pipes[3], &byte, 1), 1);
    pthread_join(thread, NULL);
    assert_int_equal(status, TUTTI_OK);
    tutti_place_close(place);
    for (int i = 0; i < 4; i++)
        close(pipes[i]);
}

/* What auto knows of starting an interpreter is not what a program takes. */
static void starting_is_not_learned(void **state)
{
    (void)state;
    double before = tt_constant(TT_PROCESS_OPEN);
    tutti_options options = TUTTI_OPTIONS_INIT;
    assert_int_equal(tutti_place_open(&options.place, "processes:1"), TUTTI_OK);
    assert_int_equal(tutti_for(nothing, 3, NULL, 0, &options), TUTTI_OK);
    assert_true(tt_constant(TT_PROCESS_OPEN) == before);
    tutti_place_close(options.place);
}

static int nested(size_t index, void *context)
{
    tutti_options options = TUTTI_OPTIONS_INIT;
    options.on = context;
    (void)index;
    return tutti_for(nothing, 1000, NULL, 0, &options);
}

static void loops_nest(void **state)
{
    (void)state;
    static const char *const places[] = {"auto", "serial", "threads:2",
                                         "processes:2"};
    tutti_options options = away();
    for (int i = 0; i < 4; i++) {
        char on[20];
        snprintf(on, sizeof on, "%s", places[i]);
        assert_int_equal(tutti_for(nested, 6, on, sizeof on, &options),
                         TUTTI_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(context_travels_by_value),
        cmocka_unit_test(only_who_asks_travels),
        cmocka_unit_test(what_cannot_travel_is_told),
        cmocka_unit_test(fields_of_rows),
        cmocka_unit_test(items_that_overlap),
        cmocka_unit_test(alignment_travels),
        cmocka_unit_test(failures_have_their_index),
        cmocka_unit_test(results_before_a_failure_are_there),
        cmocka_unit_test(deaths_name_task_and_cause),
        cmocka_unit_test(endless_tasks_are_ended),
        cmocka_unit_test(lost_tasks_run_again),
        cmocka_unit_test(folds_fail_by_their_blocks),
        cmocka_unit_test(the_working_directory_goes_along),
        cmocka_unit_test(random_streams_differ),
        cmocka_unit_test(functions_in_no_file),
        cmocka_unit_test(locks_of_the_caller_do_not_matter),
        cmocka_unit_test(starting_is_not_learned),
        cmocka_unit_test(loops_nest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
