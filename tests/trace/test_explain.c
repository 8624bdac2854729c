#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <string.h>

#include "made.h"
#include "trace/text.h"

static char text[4096];

static void times_have_three_digits(void **state)
{
    (void)state;
    static const struct {
        double seconds;
        const char *text;
    } rows[] = {
        {0, "0 ns"},           {2.5e-10, "0.25 ns"},  {1e-9, "1.00 ns"},
        {25.24e-9, "25.2 ns"}, {999.4e-9, "999 ns"},  {999.6e-9, "1.00 us"},
        {99.96e-6, "100 us"},  {9.996e-3, "10.0 ms"}, {0.13, "130 ms"},
        {1.5, "1.50 s"},       {86400, "86400 s"},    {-2e-6, "-2.00 us"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(tt_text_time(rows[i].seconds).text, rows[i].text);
}

static tutti_report example(void)
{
    tutti_report r = TUTTI_REPORT_INIT;
    strcpy(r.place, "threads");
    r.lanes = r.joined = 2;
    r.n = r.done = 10000000;
    r.ranges = 6400;
    r.wall = 0.130;
    r.user = 0.252;
    r.claim = 0.001;
    r.startup = 0.0001;
    r.idle = 0.0069;
    r.task = 25.2e-9;
    r.spread_at = 1e-4;
    r.gain = 0.125;
    r.cost = 2e-5;
    r.reason = TUTTI_WHY_PAYS;
    return r;
}

static void the_example_reads_well(void **state)
{
    (void)state;
    tutti_report r = example();
    size_t length = tutti_report_text(&r, text, sizeof text);
    assert_string_equal(
        text, "10000000 tasks on threads, 2 workers: 130 ms for 252 ms of work "
              "(1.94x)\n"
              "why    100 us after the start, sharing the rest was expected to "
              "save 125 ms and to cost 20.0 us\n"
              "tasks  25.2 ns each, in 6400 ranges of 1562 on average\n"
              "time   2 x 130 ms went to\n"
              "       user      96.9 %    252 ms  in the tasks\n"
              "       claim      0.4 %   1.00 ms  taking ranges, bookkeeping\n"
              "       idle       2.7 %   6.90 ms  workers without work\n");
    assert_int_equal(length, strlen(text));
}

static void the_caller_alone(void **state)
{
    (void)state;
    tutti_report r = TUTTI_REPORT_INIT;
    strcpy(r.place, "serial");
    r.lanes = r.joined = 1;
    r.n = r.done = r.ranges = 1;
    r.wall = 2e-6;
    r.user = r.task = 1.8e-6;
    r.unknown = 2e-7;
    r.spread_at = -1;
    r.reason = TUTTI_WHY_ONE_TASK;
    tutti_report_text(&r, text, sizeof text);
    assert_string_equal(text,
                        "1 task on serial, 1 worker: 2.00 us\n"
                        "why    one task cannot be shared\n"
                        "tasks  1.80 us each, in one range\n"
                        "time   1 x 2.00 us went to\n"
                        "       user      90.0 %   1.80 us  in the tasks\n"
                        "       unknown   10.0 %    200 ns  not explained\n");
}

static void unfinished_and_empty_loops(void **state)
{
    (void)state;
    tutti_report r = example();
    r.done = 1200;
    r.joined = 1;
    tutti_report_text(&r, text, sizeof text);
    assert_ptr_equal(
        text, strstr(text, "1200 of 10000000 tasks on threads, 1 of 2 workers: "
                           "130 ms\n"));
    r = (tutti_report)TUTTI_REPORT_INIT;
    assert_true(tutti_report_text(&r, text, sizeof text) > 0);
    assert_null(strstr(text, "nan"));
    assert_null(strstr(text, "inf"));
}

static void every_reason_has_a_sentence(void **state)
{
    (void)state;
    static const char *const lines[] = {
        [0] = "why    unknown\n",
        [TUTTI_WHY_ASKED] = "why    threads was asked for\n",
        [TUTTI_WHY_PAYS] = "save 125 ms and to cost 20.0 us\n",
        [TUTTI_WHY_COSTS] = "would have saved 125 ms and cost 20.0 us\n",
        [TUTTI_WHY_ENDED] = "why    over before it was worth a look\n",
        [TUTTI_WHY_ONE_TASK] = "why    one task cannot be shared\n",
        [TUTTI_WHY_ONE_CPU] = "why    there is one CPU to run on\n",
    };
    tutti_report r = example();
    for (unsigned i = 0; i < sizeof lines / sizeof *lines; i++) {
        r.reason = (tutti_reason)i;
        tutti_report_text(&r, text, sizeof text);
        assert_non_null(strstr(text, lines[i]));
    }
}

static void overlapping_lanes_are_told(void **state)
{
    (void)state;
    tutti_report r = example();
    r.unknown = -0.0026;
    tutti_report_text(&r, text, sizeof text);
    assert_non_null(
        strstr(text, "       unknown   -1.0 %  -2.60 ms  not explained\n"));
}

static void bad_reports_are_empty(void **state)
{
    (void)state;
    tutti_report r = example();
    text[0] = 'x';
    assert_int_equal(tutti_report_text(NULL, text, sizeof text), 0);
    assert_string_equal(text, "");
    r.size--;
    assert_int_equal(tutti_report_text(&r, text, sizeof text), 0);
    assert_int_equal(tutti_report_text(&r, NULL, 0), 0);
}

static void short_buffers_are_cut(void **state)
{
    (void)state;
    char cut[600];
    tutti_report r = example();
    size_t whole = tutti_report_text(&r, text, sizeof text);
    assert_int_equal(tutti_report_text(&r, NULL, 0), whole);
    for (size_t size = 1; size <= whole + 1; size++) {
        memset(cut, 'x', sizeof cut);
        assert_int_equal(tutti_report_text(&r, cut, size), whole);
        assert_int_equal(strlen(cut), size - 1);
        assert_memory_equal(cut, text, size - 1);
        assert_int_equal(cut[size], 'x');
    }
}

static void explain_tells_the_last_loop(void **state)
{
    (void)state;
    tutti_report r = TUTTI_REPORT_INIT;
    assert_int_equal(tutti_explain(text, sizeof text), 0);
    made_loop(5000, 7, &r);
    char expected[sizeof text];
    tutti_report_text(&r, expected, sizeof expected);
    assert_int_equal(tutti_explain(text, sizeof text), strlen(expected));
    assert_string_equal(text, expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_have_three_digits),
        cmocka_unit_test(the_example_reads_well),
        cmocka_unit_test(the_caller_alone),
        cmocka_unit_test(unfinished_and_empty_loops),
        cmocka_unit_test(every_reason_has_a_sentence),
        cmocka_unit_test(overlapping_lanes_are_told),
        cmocka_unit_test(bad_reports_are_empty),
        cmocka_unit_test(short_buffers_are_cut),
        cmocka_unit_test(explain_tells_the_last_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
