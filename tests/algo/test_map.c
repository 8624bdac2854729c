/* The arguments of map, for-each and reduce; what is refused of them. */
#include <stdio.h>

#include "tally.h"

static int copy(const void *item, void *result, void *context)
{
    (void)context;
    *(char *)result = *(const char *)item;
    return 0;
}

static void map_of_nothing_needs_no_arrays(void **state)
{
    (void)state;
    tutti_options options = TUTTI_OPTIONS_INIT;
    tutti_array none = {NULL, 0};
    assert_int_equal(tutti_map(copy, none, none, 0, NULL, 0, &options),
                     TUTTI_OK);
    assert_int_equal(tutti_map(copy, none, none, 1, NULL, 0, &options),
                     TUTTI_EARG);
    assert_int_equal(tutti_map(NULL, none, none, 0, NULL, 0, &options),
                     TUTTI_EARG);
}

/* h(end) - h(begin): sums to h(n) - h(0) if the ranges tile [0, n). */
static int tile(void *partial, size_t begin, size_t end, void *context)
{
    (void)context;
    *(uint64_t *)partial += (uint64_t)end * end - (uint64_t)begin * begin;
    return begin >= end;
}

static void add_whole(void *left, const void *right, void *context)
{
    (void)context;
    *(uint64_t *)left += *(const uint64_t *)right;
}

static void reduce_tiles_huge_counts(void **state)
{
    (void)state;
    static const uint64_t zero;
    const tutti_fold fold = {sizeof zero, &zero, tile, add_whole};
    static const size_t counts[] = {4097, (size_t)1 << 33, SIZE_MAX - 4096,
                                    SIZE_MAX};
    tutti_options options = TUTTI_OPTIONS_INIT;
    for (size_t i = 0; i < 4; i++)
        for (size_t unit = 0; unit < 2; unit++) {
            uint64_t got = 0;
            size_t n = counts[i];
            assert_int_equal(tutti_reduce(&got, &fold, n,
                                          unit ? n / 100 * 99 : 0, NULL, 0,
                                          &options),
                             TUTTI_OK);
            assert_true(got == (uint64_t)n * n);
        }
}

static void reduce_refuses(void **state)
{
    (void)state;
    static const uint64_t zero;
    tutti_options options = TUTTI_OPTIONS_INIT;
    uint64_t got = 7;
    tutti_fold fold = {sizeof zero, &zero, tile, add_whole};
    assert_int_equal(tutti_reduce(NULL, &fold, 1, 0, NULL, 0, &options),
                     TUTTI_EARG);
    assert_int_equal(tutti_reduce(&got, NULL, 1, 0, NULL, 0, &options),
                     TUTTI_EARG);
    fold.size = 0;
    assert_int_equal(tutti_reduce(&got, &fold, 1, 0, NULL, 0, &options),
                     TUTTI_EARG);
    fold.size = (1 << 20) + 1;
    assert_int_equal(tutti_reduce(&got, &fold, 1, 0, NULL, 0, &options),
                     TUTTI_EARG);
    fold.size = sizeof zero;
    assert_true(got == 7);
    assert_int_equal(tutti_reduce(&got, &fold, 0, 0, NULL, 0, &options), 0);
    assert_true(got == 0);
}

static int block_fails(void *partial, size_t begin, size_t end, void *context)
{
    (void)partial;
    size_t bad = *(size_t *)context;
    if (begin <= bad && bad < end)
        tutti_task_fail("block from %zu to %zu", begin, end);
    return begin <= bad && bad < end;
}

/* Details and reports count tasks; a block fails as its first task. */
static void reduce_counts_tasks(void **state)
{
    (void)state;
    static const uint64_t zero;
    const tutti_fold fold = {sizeof zero, &zero, block_fails, add_whole};
    size_t bad = 3456;
    uint64_t got;
    for (int i = 0; i < 2; i++) {
        tutti_options options = TUTTI_OPTIONS_INIT;
        tutti_report report = TUTTI_REPORT_INIT;
        options.on = i ? "threads:4" : "serial";
        options.report = &report;
        assert_int_equal(tutti_reduce(&got, &fold, 9995, 10, &bad, 0, &options),
                         TUTTI_ETASK);
        assert_string_equal(tutti_detail(),
                            "task 3450 failed: block from 3450 to 3460");
        assert_true(report.done >= 3450 && report.done < 9995);
    }
    bad = 9995;
    tutti_options options = TUTTI_OPTIONS_INIT;
    tutti_report report = TUTTI_REPORT_INIT;
    options.report = &report;
    assert_int_equal(tutti_reduce(&got, &fold, 9995, 10, &bad, 0, &options),
                     TUTTI_OK);
    assert_int_equal(report.n, 9995);
    assert_int_equal(report.done, 9995);
}

/* The failure of an inner loop is the outer task's sentence. */
static int inner_fails(size_t index, void *context)
{
    tutti_options options = TUTTI_OPTIONS_INIT;
    options.on = "threads:4";
    return index == 5 ? tutti_for(tally_task, 8, context, 0, &options) : 0;
}

static void inner_failures_come_out(void **state)
{
    (void)state;
    static const bool fails[8] = {[3] = true};
    struct tally *tally = tally_new(8);
    tutti_options options = TUTTI_OPTIONS_INIT;
    options.on = "threads:4";
    tally->fails = fails;
    assert_int_equal(tutti_for(inner_fails, 10, tally, 0, &options),
                     TUTTI_ETASK);
    assert_string_equal(tutti_detail(),
                        "task 5 failed: task 3 failed: index 3 is bad");
    tally_free(tally);
}

static void each_refuses(void **state)
{
    (void)state;
    assert_int_equal(tutti_for(NULL, 0, NULL, 0, NULL), TUTTI_EARG);
    assert_string_equal(tutti_detail(), "tutti_for: the function is NULL");
}

/* Fails at one task of a range, silently. */
static size_t fail_at(void *context, size_t begin, size_t end, unsigned worker)
{
    size_t bad = *(const size_t *)context;
    (void)worker;
    return begin <= bad && bad < end ? bad : end;
}

static void check_silent_failures(const char *on)
{
    static const size_t bad[] = {0, 1, 99, 4096};
    for (size_t i = 0; i < 4; i++)
        for (size_t unit = 0; unit < 3; unit++) {
            size_t n = unit == 2 ? SIZE_MAX : 5000;
            tutti_loop loop = {n, unit * 10, fail_at, (void *)&bad[i],
                               0, NULL,      NULL};
            tutti_options options = TUTTI_OPTIONS_INIT;
            char want[40];
            options.on = on;
            snprintf(want, sizeof want, "task %zu failed", bad[i]);
            assert_int_equal(tutti_loop_run(&loop, &options), TUTTI_ETASK);
            assert_string_equal(tutti_detail(), want);
        }
}

static void failures_without_a_sentence(void **state)
{
    (void)state;
    check_silent_failures("serial");
    check_silent_failures("threads:4");
    check_silent_failures("auto");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(map_of_nothing_needs_no_arrays),
        cmocka_unit_test(reduce_tiles_huge_counts),
        cmocka_unit_test(reduce_refuses),
        cmocka_unit_test(reduce_counts_tasks),
        cmocka_unit_test(inner_failures_come_out),
        cmocka_unit_test(each_refuses),
        cmocka_unit_test(failures_without_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
