/* Every allocation and thread start of a loop, a job, a place fails once: an
 * error with a sentence, or all tasks run; never a crash, a leak, a hang. */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tutti/sys/caller.h>

#include "fault.h"
#include "tally.h"

static uint64_t some_us(size_t index, size_t n)
{
    (void)n;
    return index % 3 * 5000;
}

/* The tally is made while nothing fails. */
static struct tally *tally;

static tutti_status check_ran(tutti_status status, size_t n)
{
    size_t ran = 0;
    for (size_t i = 0; i < tally->n; i++) {
        if (tally->times[i] > 1)
            abort();
        ran += tally->times[i];
        tally->times[i] = 0;
    }
    if (status == TUTTI_OK && ran != n)
        abort();
    return status;
}

static tutti_status loop_once(void *options)
{
    return check_ran(tutti_for(tally_task, 300, tally, 0, options), 300);
}

static tutti_status open_loop_close(void *text)
{
    tutti_options options = TUTTI_OPTIONS_INIT;
    tutti_status status = tutti_place_open(&options.place, text);
    if (status)
        return status;
    status = loop_once(&options);
    tutti_place_close(options.place);
    return status;
}

static tutti_status submit(void *options)
{
    tutti_loop loop = {.n = 300, .body = tally_range, .context = tally};
    tutti_job *job;
    tutti_status status = tutti_submit(&job, &loop, options);
    if (status)
        return status;
    status = tutti_job_wait(job, -1);
    tutti_job_free(job);
    return check_ran(status, 300);
}

static tutti_status step_by_step(void *options)
{
    tutti_loop loop = {.n = 300, .body = tally_range, .context = tally};
    tutti_run *run;
    size_t begin, end;
    tutti_status status = tutti_run_begin(&run, &loop, options);
    if (status)
        return status;
    while (tutti_run_claim(run, &begin, &end))
        tally_range(tally, begin, end, 0);
    while (!tutti_run_wait(run, 1))
        continue;
    return check_ran(tutti_run_end(run), 300);
}

static int add_one(void *partial, size_t begin, size_t end, void *context)
{
    (void)context;
    *(size_t *)partial += end - begin;
    return 0;
}

static void add(void *left, const void *right, void *context)
{
    (void)context;
    *(size_t *)left += *(const size_t *)right;
}

static tutti_status reduce(void *options)
{
    static const size_t zero;
    const tutti_fold fold = {sizeof zero, &zero, add_one, add};
    size_t sum = 77;
    tutti_status status = tutti_reduce(&sum, &fold, 1000, 0, NULL, 0, options);
    if (sum != (status ? 77 : 1000))
        abort();
    return status;
}

static void each_call_fails(void **state)
{
    (void)state;
    tutti_options threads = TUTTI_OPTIONS_INIT, late = TUTTI_OPTIONS_INIT;
    threads.on = "threads:4";
    late.deadline = 1000;
    assert_true(tt_fault_each(open_loop_close, "threads:3") > 3);
    assert_true(tt_fault_each(open_loop_close, "auto") > 1);
    assert_true(tt_fault_each(open_loop_close, "serial") > 0);
    assert_true(tt_fault_each(submit, &threads) > 2);
    assert_true(tt_fault_each(submit, NULL) > 2);
    assert_true(tt_fault_each(step_by_step, &threads) > 0);
    assert_true(tt_fault_each(step_by_step, &late) > 0);
    assert_true(tt_fault_each(reduce, &threads) > 0);
    tt_fault_each(loop_once, &threads);
    tt_fault_each(loop_once, NULL);
}

/* The first loop of a process makes what is made once: each time in a child of
 * its own, which tells the number of calls that it got through. */
static void first_loops(void **state)
{
    (void)state;
    static const char *const places[] = {"auto", "threads:3", "serial"};
    for (long n = 0; n < 60; n++) {
        pid_t child = fork();
        if (child == 0) {
            alarm(30);
            tutti_options options = TUTTI_OPTIONS_INIT;
            options.on = places[n % 3];
            options.deadline = n % 2 ? 1000 : 0;
            tt_fault_set(n / 3);
            tutti_status status = loop_once(&options);
            tt_fault_set(-1);
            if (status && !*tutti_detail())
                _exit(1);
            _exit(loop_once(&options) == TUTTI_OK ? 0 : 2);
        }
        int status;
        assert_true(child > 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        if (!WIFEXITED(status) || WEXITSTATUS(status))
            fail_msg("call %ld failed: the child ended with %x", n / 3, status);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_loops),
        cmocka_unit_test(each_call_fails),
    };
    tally = tally_new(300);
    tally->cost = some_us;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    tally_free(tally);
    return failed;
}
