#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tutti.h>
#include <tutti/sys/caller.h>
#include <tutti/sys/message.h>

#include "core/clock.h"
#include "place/processes/pool.h"
#include "squarer.h"

static const char *const command[] = {SQUARER, NULL};

/* A loop's context: items in, results out. */
struct work {
    size_t n;
    struct item *items;
    int64_t *results;
    int64_t job;
    const char *once;
    size_t padding;  /* bytes more in each message */
    size_t bad_item; /* cannot be encoded; SIZE_MAX: none */
    bool bad_job;    /* nor can the job */
    bool inside;     /* a callback runs */
    int overlaps;    /* callbacks that ran at the same time */
    unsigned jobs;   /* calls of encode_job */
};

static void enter(struct work *w)
{
    w->overlaps += w->inside;
    w->inside = true;
}

static tutti_status encode_job(void *context, tutti_bytes *out)
{
    struct work *w = context;
    enter(w);
    w->jobs++;
    tutti_status status = tutti_bytes_append(out, &w->job, sizeof w->job);
    if (!status && w->once)
        status = tutti_bytes_append(out, w->once, strlen(w->once));
    if (w->bad_job) {
        tutti_task_fail("the job cannot travel");
        status = TUTTI_EARG;
    }
    w->inside = false;
    return status;
}

static tutti_status encode_range(void *context, size_t begin, size_t end,
                                 tutti_bytes *out)
{
    struct work *w = context;
    enter(w);
    tutti_status status = tutti_bytes_append(out, w->items + begin,
                                             (end - begin) * sizeof *w->items);
    if (!status && w->padding) {
        char *padding = malloc(w->padding);
        memset(padding, (int)(begin & 0x7f), w->padding);
        status = tutti_bytes_append(out, padding, w->padding);
        free(padding);
    }
    if (begin <= w->bad_item && w->bad_item < end) {
        tutti_task_fail("item %zu cannot travel", w->bad_item);
        status = TUTTI_EARG;
    }
    w->inside = false;
    return status;
}

static tutti_status decode_range(void *context, size_t begin, size_t end,
                                 const void *data, size_t size, size_t *failed)
{
    struct work *w = context;
    enter(w);
    tutti_status status = TUTTI_OK;
    const int64_t *results = data;
    if ((uintptr_t)data % 16)
        status = TUTTI_ESYS;
    for (size_t i = begin; i < end && !status; i++) {
        if (results[i - begin] == -1) {
            tutti_task_fail("told to fail");
            *failed = i;
            w->inside = false;
            return TUTTI_OK;
        }
        w->results[i] = results[i - begin];
    }
    size_t used = (end - begin) * sizeof *results;
    if (size != used + w->padding)
        status = TUTTI_ESYS;
    for (size_t i = used; i < size && !status; i += 4097)
        if (((const char *)data)[i] != (char)(begin & 0x7f))
            status = TUTTI_ESYS;
    w->inside = false;
    return status;
}

static const tutti_message message = {.command = command,
                                      .encode_job = encode_job,
                                      .encode_range = encode_range,
                                      .decode_range = decode_range};

static void work_init(struct work *w, size_t n)
{
    *w = (struct work){.n = n, .bad_item = SIZE_MAX};
    w->items = calloc(n + 1, sizeof *w->items);
    w->results = calloc(n + 1, sizeof *w->results);
    for (size_t i = 0; i < n; i++)
        w->items[i].value = (int64_t)i;
}

static void work_fini(struct work *w)
{
    assert_int_equal(w->overlaps, 0);
    free(w->items);
    free(w->results);
}

static tutti_loop loop_of(struct work *w)
{
    return (tutti_loop){.n = w->n, .context = w, .message = &message};
}

static tutti_status run(struct work *w, tutti_place *place,
                        tutti_options options)
{
    tutti_loop loop = loop_of(w);
    options.place = place;
    return tutti_loop_run(&loop, &options);
}

static tutti_place *open_place(const char *text)
{
    tutti_place *place = NULL;
    assert_int_equal(tutti_place_open(&place, text), TUTTI_OK);
    return place;
}

static const tutti_options usual = TUTTI_OPTIONS_INIT;

static void check_squares(const struct work *w)
{
    for (size_t i = 0; i < w->n; i++)
        if (w->results[i] != (int64_t)(i * i))
            fail_msg("task %zu gave %ld", i, (long)w->results[i]);
}

static void check_run(size_t n, tutti_place *place)
{
    struct work w;
    work_init(&w, n);
    tutti_status status = run(&w, place, usual);
    if (status)
        fail_msg("n = %zu: %s", n, tutti_detail());
    check_squares(&w);
    assert_true(w.jobs <= 1);
    work_fini(&w);
}

static void test_squares(void **state)
{
    static const size_t sizes[] = {0, 1, 2, 3, 7, 100, 10000, 300000};
    tutti_place *place = open_place("processes:3");
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        check_run(sizes[i], place);
    tutti_place_close(place);
}

static void test_units(void **state)
{
    tutti_place *place = open_place("processes:2");
    struct work w;
    (void)state;
    work_init(&w, 1003);
    tutti_loop loop = loop_of(&w);
    tutti_options options = usual;
    loop.unit = 10;
    options.place = place;
    assert_int_equal(tutti_loop_run(&loop, &options), TUTTI_OK);
    check_squares(&w);
    work_fini(&w);
    tutti_place_close(place);
}

static void test_report(void **state)
{
    tutti_place *place = open_place("processes:2");
    struct work w;
    tutti_report report = TUTTI_REPORT_INIT;
    tutti_options options = usual;
    (void)state;
    work_init(&w, 40);
    for (size_t i = 0; i < w.n; i++)
        w.items[i] = (struct item){ACT_SLEEP, (int64_t)i / 8};
    options.report = &report;
    assert_int_equal(run(&w, place, options), TUTTI_OK);
    assert_int_equal(report.done, 40);
    assert_true(report.joined >= 1 && report.joined <= 2);
    double least = 8 * (1 + 2 + 3 + 4) * 1e-3;
    if (report.user < least)
        fail_msg("user %g s, at least %g", report.user, least);
    work_fini(&w);
    tutti_place_close(place);
}

/* The tests of failures: one bad task among good ones. */
static tutti_status run_bad(tutti_place *place, int64_t act, size_t n,
                            size_t bad, tutti_options options)
{
    struct work w;
    work_init(&w, n);
    w.items[bad] = (struct item){act, 7};
    tutti_status status = run(&w, place, options);
    work_fini(&w);
    return status;
}

static void expect_detail(const char *part)
{
    if (!strstr(tutti_detail(), part))
        fail_msg("\"%s\" lacks \"%s\"", tutti_detail(), part);
}

static void test_deaths(void **state)
{
    static const struct {
        int64_t act;
        const char *says;
    } cases[] = {{ACT_CRASH, "was killed by signal 11 (SIGSEGV) while it ran"},
                 {ACT_EXIT, "ended with status 7 while it ran"},
                 {ACT_END, "ended with status 1 while it ran"},
                 {ACT_NONSENSE, "gave no valid answer"}};
    tutti_place *place = open_place("processes:2");
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(run_bad(place, cases[i].act, 1, 0, usual),
                         TUTTI_ELOST);
        expect_detail(cases[i].says);
        expect_detail("while it ran task 0");
        assert_int_equal(run_bad(place, cases[i].act, 50, 31, usual),
                         TUTTI_ELOST);
        expect_detail(cases[i].says);
        check_run(20, place);
    }
    tutti_place_close(place);
}

static void test_task_fails(void **state)
{
    tutti_place *place = open_place("processes:3");
    struct work w;
    (void)state;
    for (size_t bad = 0; bad < 400; bad += 57) {
        work_init(&w, 400);
        w.items[bad].act = w.items[399].act = ACT_FAIL;
        assert_int_equal(run(&w, place, usual), TUTTI_ETASK);
        char says[80];
        snprintf(says, sizeof says, "task %zu failed: told to fail", bad);
        assert_string_equal(tutti_detail(), says);
        for (size_t i = 0; i < bad; i++)
            assert_int_equal(w.results[i], i * i);
        work_fini(&w);
    }
    tutti_place_close(place);
}

static void test_retries(void **state)
{
    char once[] = "/tmp/tutti-once-XXXXXX";
    tutti_place *place = open_place("processes:2");
    struct work w;
    tutti_options options = usual;
    (void)state;
    close(mkstemp(once));
    options.retries = 1;
    for (int i = 0; i < 5; i++) {
        unlink(once);
        work_init(&w, 30);
        w.once = once;
        w.items[17].act = ACT_ONCE;
        if (run(&w, place, options))
            fail_msg("%s", tutti_detail());
        check_squares(&w);
        work_fini(&w);
    }
    unlink(once);
    assert_int_equal(run_bad(place, ACT_CRASH, 30, 17, options), TUTTI_ELOST);
    tutti_place_close(place);
}

static void test_timeout(void **state)
{
    tutti_place *place = open_place("processes:2");
    tutti_options options = usual;
    (void)state;
    options.task_timeout = 0.2;
    for (int i = 0; i < 3; i++) {
        uint64_t from = tt_clock();
        assert_int_equal(run_bad(place, ACT_HANG, 20, 11, options),
                         TUTTI_ETIME);
        expect_detail("task 11 took longer than the 0.2 s");
        assert_true(tt_clock() - from >= 200000000u);
        check_run(20, place);
    }
    tutti_place_close(place);
}

static void test_deadline(void **state)
{
    tutti_place *place = open_place("processes:2");
    tutti_options options = usual;
    (void)state;
    options.deadline = 0.2;
    assert_int_equal(run_bad(place, ACT_HANG, 20, 11, options), TUTTI_ETIME);
    check_run(20, place);
    tutti_place_close(place);
}

static void test_cancel(void **state)
{
    tutti_place *place = open_place("processes:2");
    struct work w;
    (void)state;
    for (int i = 0; i < 20; i++) {
        work_init(&w, 100);
        for (size_t k = 0; k < w.n; k++)
            w.items[k] = (struct item){i % 2 ? ACT_HANG : ACT_SLEEP, 20};
        tutti_loop loop = loop_of(&w);
        tutti_options options = usual;
        tutti_job *job;
        options.place = place;
        assert_int_equal(tutti_submit(&job, &loop, &options), TUTTI_OK);
        usleep((useconds_t)(i * 5000));
        tutti_job_cancel(job);
        assert_int_equal(tutti_job_wait(job, 30), TUTTI_ECANCEL);
        tutti_job_free(job);
        work_fini(&w);
    }
    check_run(100, place);
    tutti_place_close(place);
}

static void test_not_sendable(void **state)
{
    tutti_place *place = open_place("processes:2");
    struct work w;
    (void)state;
    work_init(&w, 50);
    w.bad_item = 33;
    assert_int_equal(run(&w, place, usual), TUTTI_EARG);
    assert_string_equal(
        tutti_detail(),
        "task 33 cannot be sent to a worker: item 33 cannot travel");
    for (size_t i = 0; i < 33; i++)
        assert_int_equal(w.results[i], i * i);
    work_fini(&w);

    work_init(&w, 50);
    w.bad_job = true;
    assert_int_equal(run(&w, place, usual), TUTTI_EARG);
    assert_string_equal(tutti_detail(), "the job cannot travel");
    work_fini(&w);
    tutti_place_close(place);
}

static void test_refused(void **state)
{
    tutti_place *place = open_place("processes:2");
    struct work w;
    (void)state;
    work_init(&w, 50);
    w.job = JOB_REFUSE;
    assert_int_equal(run(&w, place, usual), TUTTI_EPLACE);
    expect_detail("cannot run this function: it was told to refuse");
    w.job = JOB_CRASH;
    assert_int_equal(run(&w, place, usual), TUTTI_ELOST);
    expect_detail("(SIGSEGV) while it prepared for the function");
    w.job = JOB_FINE;
    assert_int_equal(run(&w, place, usual), TUTTI_OK);
    work_fini(&w);
    tutti_place_close(place);
}

/* A caller that runs tasks itself goes on when nothing can be sent. */
static void run_as_caller(struct work *w)
{
    tutti_loop loop = loop_of(w);
    tutti_run *r;
    size_t begin, end;
    assert_int_equal(tutti_run_begin(&r, &loop, NULL), TUTTI_OK);
    while (tutti_run_claim(r, &begin, &end))
        for (; begin < end; begin++) {
            usleep(2000);
            w->results[begin] = w->items[begin].value * w->items[begin].value;
        }
    tutti_status status = tutti_run_end(r);
    if (status)
        fail_msg("%s", tutti_detail());
    check_squares(w);
}

static void test_automatic(void **state)
{
    struct work w;
    (void)state;
    for (int i = 0; i < 6; i++) {
        work_init(&w, i < 4 ? 200 : 2);
        w.bad_job = i == 1;
        w.bad_item = i == 2 || i == 4 ? w.n - 1 : SIZE_MAX;
        w.job = i == 3 ? JOB_REFUSE : JOB_FINE;
        run_as_caller(&w);
        work_fini(&w);
    }
}

static void test_no_command(void **state)
{
    static const char *const absent[] = {"/nonexistent/python", NULL};
    static const char *const fails[] = {SQUARER, "fail", NULL};
    tutti_place *place = open_place("processes:2");
    struct work w;
    (void)state;
    for (int i = 0; i < 2; i++) {
        tutti_message other = message;
        other.command = i ? fails : absent;
        work_init(&w, 50);
        tutti_loop loop = loop_of(&w);
        loop.message = &other;
        tutti_options options = usual;
        options.place = place;
        assert_int_equal(tutti_loop_run(&loop, &options), TUTTI_ESYS);
        expect_detail(i ? "ended with status 3 before a worker served"
                        : "cannot be started: No such file");
        work_fini(&w);
    }
    check_run(50, place);
    tutti_place_close(place);
}

/* All processes whose parent is `parent`, into `out`; returns how many. */
static size_t children_of(pid_t parent, pid_t *out, size_t room)
{
    DIR *dir = opendir("/proc");
    struct dirent *entry;
    size_t count = 0;
    while ((entry = readdir(dir))) {
        char path[300], state;
        int pid, of;
        snprintf(path, sizeof path, "/proc/%.200s/stat", entry->d_name);
        FILE *file = atoi(entry->d_name) > 0 ? fopen(path, "r") : NULL;
        if (!file)
            continue;
        if (fscanf(file, "%d (%*[^)]) %c %d", &pid, &state, &of) == 3 &&
            of == parent && state != 'Z' && count < room)
            out[count++] = pid;
        fclose(file);
    }
    closedir(dir);
    return count;
}

static pid_t zygote_of(pid_t parent)
{
    pid_t pid = 0;
    children_of(parent, &pid, 1);
    return pid;
}

/* Kills workers, and sometimes the zygote, at random instants. */
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
        size_t count = zygote ? children_of(zygote, pids, 16) : 0;
        usleep((useconds_t)(rand_r(&k->seed) % 20000));
        if (k->zygote && zygote && rand_r(&k->seed) % 8 == 0)
            k->kills += kill(zygote, SIGKILL) == 0;
        else if (count)
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
    tutti_place *place = open_place("processes:2");
    (void)state;
    assert_int_equal(in_child(run_in_child, place), 0);
    check_run(100, place);
    assert_int_equal(in_child(run_in_child, place), 0);
    check_run(100, place);
    tutti_place_close(place);
}

/* Waits until none of the processes is left. */
static bool all_gone(const pid_t *pids, size_t count, double seconds)
{
    uint64_t until = tt_clock() + (uint64_t)(seconds * 1e9);
    for (;;) {
        size_t left = 0;
        for (size_t i = 0; i < count; i++) {
            char path[64], line[300] = "";
            snprintf(path, sizeof path, "/proc/%d/stat", pids[i]);
            FILE *file = fopen(path, "r");
            if (!file)
                continue;
            char *got = fgets(line, sizeof line, file);
            fclose(file);
            left += got && !strstr(line, ") Z ");
        }
        if (!left || tt_clock() > until)
            return !left;
        usleep(5000);
    }
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
        for (int i = 0; i < 2000 && count < 4; i++) {
            usleep(5000);
            count = children_of(pid, pids, 1);
            if (count)
                count += children_of(pids[0], pids + 1, 16);
            if (count >= 2 && round % 2 == 0)
                break;
        }
        assert_true(count >= 2);
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
        pid_t zygote = zygote_of(getpid());
        size_t count = children_of(zygote, pids + 1, 7);
        pids[0] = zygote;
        if (write(fds[1], pids, (count + 1) * sizeof *pids) < 0)
            _exit(2);
        exit(0); /* the place stays open */
    }
    int status;
    close(fds[1]);
    ssize_t got = read(fds[0], pids, sizeof pids);
    waitpid(pid, &status, 0);
    close(fds[0]);
    assert_int_equal(status, 0);
    assert_true(got >= (ssize_t)(2 * sizeof *pids));
    assert_true(all_gone(pids, (size_t)got / sizeof *pids, 10));
}

static void test_large(void **state)
{
    tutti_place *place = open_place("processes:2");
    struct work w;
    (void)state;
    work_init(&w, 6);
    w.padding = 64u << 20;
    if (run(&w, place, usual))
        fail_msg("%s", tutti_detail());
    check_squares(&w);
    work_fini(&w);
    tutti_place_close(place);
}

static size_t count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    size_t count = 0;
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
    size_t before = count_fds();
    for (int i = 0; i < 50; i++) {
        tutti_place *place = open_place("processes:2");
        if (i % 2)
            check_run(10, place);
        tutti_place_close(place);
    }
    assert_int_equal(count_fds(), before);
    pid_t pids[4];
    assert_true(children_of(getpid(), pids, 4) <= 1);
}

static void test_idle(void **state)
{
    tutti_place *place = open_place("processes:2");
    pid_t pids[4];
    (void)state;
    tt_pool_idle_ns = 100000000u;
    check_run(100, place);
    pid_t zygote = zygote_of(getpid());
    size_t count = children_of(zygote, pids, 3);
    assert_true(count >= 1);
    pids[count] = zygote;
    assert_true(all_gone(pids, count + 1, 20));
    check_run(100, place);
    tt_pool_idle_ns = 60000000000u;
    tutti_place_close(place);
}

static void *run_many(void *arg)
{
    for (int i = 0; i < 30; i++)
        check_run((size_t)(50 * i), arg);
    return NULL;
}

static void test_many_callers(void **state)
{
    tutti_place *place = open_place("processes:2");
    pthread_t threads[4];
    (void)state;
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, run_many, place);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    tutti_place_close(place);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_squares),
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_report),
        cmocka_unit_test(test_deaths),
        cmocka_unit_test(test_task_fails),
        cmocka_unit_test(test_retries),
        cmocka_unit_test(test_timeout),
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_not_sendable),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_no_command),
        cmocka_unit_test(test_chaos),
        cmocka_unit_test(test_zygote_killed),
        cmocka_unit_test(test_fork),
        cmocka_unit_test(test_parent_killed),
        cmocka_unit_test(test_exit_leaves_nothing),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_many_callers),
        cmocka_unit_test(test_automatic),
        cmocka_unit_test(test_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
