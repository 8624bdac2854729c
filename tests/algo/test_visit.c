/* The worker's half of travelling functions, called here: jobs that are cut
 * off or make no sense, and calls that fail; then those of the caller's half.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <tutti.h>

#include "algo/travel.h"
#include "algo/visit.h"
#include "fault.h"

#define N 8
#define FOLDER "/"

static int add(const void *item, void *result, void *context)
{
    *(int64_t *)result = *(const int64_t *)item + *(const int64_t *)context;
    return 0;
}

static struct tt_travel_job job_of_add(void)
{
    char path[PATH_MAX];
    struct tt_travel_job job = {
        .kind = TT_TRAVEL_MAP,
        .unit = 1,
        .functions = 1,
        .item = {8, 8},
        .result = {8, 8},
        .part = {[TT_PART_FOLDER] = sizeof FOLDER, [TT_PART_CONTEXT] = 8},
    };
    assert_int_equal(tt_object_tell(&job.home[0], path, (tt_function)add),
                     TUTTI_OK);
    assert_string_equal(path, "");
    return job;
}

/* Fills in `data`, and returns how much of it. */
static size_t put_job(char data[1000], const struct tt_travel_job *job)
{
    size_t size = tt_travel_pad(sizeof *job);
    memset(data, 0, 1000);
    memcpy(data, job, sizeof *job);
    memcpy(data + size, FOLDER, sizeof FOLDER);
    memcpy(data + size + 16, &(int64_t){1000}, 8);
    return size + 32;
}

static int take(const void *data, size_t size, const char *says)
{
    tutti_parcel parcel = {.data = data, .size = size};
    tutti_bytes error = {0};
    int refused = tt_visit.job(NULL, 1, &parcel, &error);
    assert_int_equal(tutti_bytes_append(&error, "", 1), TUTTI_OK);
    if (!strstr(error.data, says))
        fail_msg("\"%s\" is not in \"%s\"", says, error.data);
    tutti_bytes_clear(&error);
    return refused;
}

static void jobs_that_are_cut_off(void **state)
{
    (void)state;
    _Alignas(16) char data[1000];
    struct tt_travel_job job = job_of_add();
    size_t size = put_job(data, &job);
    for (size_t cut = 0; cut < size; cut++) {
        char *copy = malloc(cut ? cut : 1); /* its end is watched by ASan */
        assert_non_null(copy);
        memcpy(copy, data, cut);
        assert_int_not_equal(take(copy, cut, "no job that this libtutti knows"),
                             0);
        free(copy);
    }
    assert_int_equal(take(data, size, ""), 0);
    tt_visit.forget(NULL, 1);
}

static void refuse(struct tt_travel_job job, const char *says)
{
    _Alignas(16) char data[1000];
    size_t size = put_job(data, &job);
    assert_int_not_equal(take(data, size, says), 0);
}

static void jobs_that_make_no_sense(void **state)
{
    (void)state;
    static const char nonsense[] = "no job that this libtutti knows";
    struct tt_travel_job good = job_of_add(), job = good;
    job.unit = 0;
    refuse(job, nonsense);
    job = good;
    job.functions = TT_TRAVEL_FUNCTIONS + 1;
    refuse(job, nonsense);
    job = good;
    job.kind = TT_TRAVEL_FOLD;
    refuse(job, nonsense);
    job.part[TT_PART_CONSTANT] = 8;
    job.functions = 3; /* two do not fit in the context */
    refuse(job, nonsense);
    job = good;
    job.part[TT_PART_CONTEXT] = SIZE_MAX; /* a block that did not come */
    refuse(job, nonsense);
    job = good;
    job.part[TT_PART_FOLDER] = 1; /* does not end in a zero */
    refuse(job, nonsense);
    job = good;
    job.home[0].build[0] ^= 1;
    refuse(job, "the program is not what the caller has loaded");
    job = good;
    job.home[0].offset = UINT64_MAX / 2; /* no code is there */
    refuse(job, "is not what the caller has loaded");
}

/* Runs a range of N items; returns the status, fills in the answer. */
static int run(struct tt_travel_answer *answer, int64_t *results, size_t items)
{
    int64_t item[N] = {0, 1, 2, 3, 4, 5, 6, 7};
    tutti_parcel parcel = {.data = item, .size = items};
    tutti_bytes out = {0};
    size_t ran = N;
    int ended = tt_visit.range(NULL, 1, 0, N, 1, &parcel, &out, &ran);
    if (!ended) {
        memcpy(answer, out.data, sizeof *answer);
        size_t head = sizeof *answer + tt_travel_pad(answer->why);
        assert_int_equal(out.size,
                         head + (answer->failed == UINT64_MAX ? 8 * N : 0));
        memcpy(results, out.data + head, out.size - head);
    }
    tutti_bytes_clear(&out);
    return ended;
}

static void items_of_the_wrong_size(void **state)
{
    (void)state;
    _Alignas(16) char data[1000];
    int64_t results[N];
    struct tt_travel_answer answer;
    struct tt_travel_job job = job_of_add();
    size_t size = put_job(data, &job);
    assert_int_equal(take(data, size, ""), 0);
    assert_int_equal(run(&answer, results, 8 * N), 0);
    assert_true(answer.failed == UINT64_MAX);
    for (int i = 0; i < N; i++)
        assert_int_equal(results[i], 1000 + i);
    assert_int_equal(run(&answer, results, 8 * N - 1), 0);
    assert_int_equal(answer.failed, 0);
    tt_visit.forget(NULL, 1);
}

/* Adds what it finds in its context, and leaves one more there. */
static int count(const void *item, void *result, void *context)
{
    *(int64_t *)result = *(const int64_t *)item + (*(int64_t *)context)++;
    return 0;
}

/* The same job once more finds the folder and the context as they came. */
static void the_same_once_more(void **state)
{
    (void)state;
    _Alignas(16) char data[1000];
    char path[PATH_MAX];
    int64_t results[N];
    struct tt_travel_answer answer;
    struct tt_travel_job job = job_of_add();
    assert_int_equal(tt_object_tell(&job.home[0], path, (tt_function)count),
                     TUTTI_OK);
    size_t size = put_job(data, &job);
    char *copy = malloc(size); /* gone after the call, as what comes is */
    assert_non_null(copy);
    memcpy(copy, data, size);
    assert_int_equal(take(copy, size, ""), 0);
    free(copy);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(run(&answer, results, 8 * N), 0);
        assert_int_equal(results[N - 1], 1000 + N - 1 + N - 1);
        assert_int_equal(chdir("/tmp"), 0);
        assert_int_equal(take("", 0, ""), 0);
        assert_string_equal(getcwd(path, sizeof path), FOLDER);
    }
    tt_visit.forget(NULL, 1);
    assert_int_not_equal(take("", 0, "no job that this libtutti knows"), 0);
}

#define LARGE 65536

static int fill(const void *item, void *result, void *context)
{
    (void)context;
    memset(result, (int)*(const int64_t *)item, LARGE);
    return *(const int64_t *)item == 5;
}

static void large_results_up_to_a_failure(void **state)
{
    (void)state;
    _Alignas(16) char data[1000];
    char path[PATH_MAX];
    int64_t item[N] = {0, 1, 2, 3, 4, 5, 6, 7};
    tutti_parcel parcel = {.data = item, .size = sizeof item};
    tutti_bytes out = {0};
    size_t ran = N;
    struct tt_travel_job job = job_of_add();
    job.result = (struct tt_layout){LARGE, LARGE};
    assert_int_equal(tt_object_tell(&job.home[0], path, (tt_function)fill),
                     TUTTI_OK);
    assert_int_equal(take(data, put_job(data, &job), ""), 0);
    assert_int_equal(tt_visit.range(NULL, 1, 0, N, 1, &parcel, &out, &ran), 0);
    assert_int_equal(((struct tt_travel_answer *)out.data)->failed, 5);
    assert_int_equal(out.count, 1);
    assert_int_equal(tutti_block_size(*out.blocks), 5 * LARGE);
    const char *bytes = tutti_block_data(*out.blocks);
    for (int i = 0; i < 5; i++)
        assert_true(bytes[i * LARGE] == i && bytes[(i + 1) * LARGE - 1] == i);
    tutti_bytes_clear(&out);
    tt_visit.forget(NULL, 1);
}

/* A worker that lacks memory refuses, fails the task, or ends. */
static tutti_status visit_once(void *arg)
{
    struct tt_travel_answer answer = {0};
    int64_t results[N];
    tutti_bytes error = {0};
    tutti_status status = TUTTI_OK;
    if (tt_visit.job(NULL, 1, arg, &error))
        status = TUTTI_EMEM;
    else if (run(&answer, results, 8 * N) || answer.failed != UINT64_MAX)
        status = TUTTI_EMEM;
    tt_visit.forget(NULL, 1);
    tutti_bytes_clear(&error);
    return status;
}

static tutti_status map_once(void *arg)
{
    int64_t x[N] = {0}, y[N] = {0}, more = 7;
    tutti_options options = TUTTI_OPTIONS_INIT;
    options.on = "processes:2";
    options.result_size = *(size_t *)arg;
    tutti_status status =
        tutti_map(add, (tutti_array){x, 8}, (tutti_array){y, 8}, N, &more,
                  sizeof more, &options);
    for (int i = 0; i < N && status == TUTTI_OK; i++)
        if (y[i] != 7)
            abort();
    return status;
}

static void each_call_fails(void **state)
{
    (void)state;
    _Alignas(16) char data[1000];
    struct tt_travel_job job = job_of_add();
    tutti_parcel parcel = {.data = data, .size = put_job(data, &job)};
    size_t none = 0;
    assert_true(tt_fault_each(visit_once, &parcel) > 2);
    assert_int_equal(map_once(&none), TUTTI_OK); /* the workers are there */
    assert_true(tt_fault_each(map_once, &none) > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_that_are_cut_off),
        cmocka_unit_test(jobs_that_make_no_sense),
        cmocka_unit_test(items_of_the_wrong_size),
        cmocka_unit_test(the_same_once_more),
        cmocka_unit_test(large_results_up_to_a_failure),
        cmocka_unit_test(each_call_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
