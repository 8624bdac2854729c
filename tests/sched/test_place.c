/* Places by their text: what opens, what is refused, what is told. */
#include <sched.h>
#include <string.h>

#include "seed.h"
#include "tally.h"

static uint64_t small(size_t index, size_t n)
{
    (void)n;
    return index % 3 * 1000;
}

static void check_open(const char *text)
{
    for (int turn = 0; turn < 20; turn++) {
        tutti_options options = TUTTI_OPTIONS_INIT;
        struct tally *tally = tally_new(100);
        assert_int_equal(tutti_place_open(&options.place, text), 0);
        assert_string_equal(tutti_place_text(options.place), text);
        options.on = "nowhere: the open place wins";
        tally->cost = small;
        if (turn % 3)
            assert_int_equal(tutti_for(tally_task, 100, tally, 0, &options), 0);
        assert_int_equal(tally_ran(tally), turn % 3 ? 100 : 0);
        tutti_place_close(options.place);
        tally_free(tally);
    }
}

static void open_places_are_used_and_closed(void **state)
{
    static const char *const texts[] = {
        "serial", "threads", "threads:1", "threads:4", "threads:1024", "auto"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        check_open(texts[i]);
    tutti_place_close(NULL);
}

static uint64_t larger(size_t index, size_t n)
{
    return 10 * small(index, n);
}

/* The loop runs in another thread, from before the close to behind it. */
static void closing_waits_for_loops(void **state)
{
    static const char *const texts[] = {"threads:3", "auto", "serial"};
    (void)state;
    uint64_t random = tt_seed();
    for (int turn = 0; turn < 90; turn++) {
        struct tally *tally = tally_new(200);
        tutti_loop loop = {.n = 200, .body = tally_range, .context = tally};
        tutti_options options = TUTTI_OPTIONS_INIT;
        tutti_job *job;
        tally->cost = larger;
        assert_int_equal(tutti_place_open(&options.place, texts[turn % 3]), 0);
        assert_int_equal(tutti_submit(&job, &loop, &options), TUTTI_OK);
        while (tally->times[0] == 0)
            sched_yield();
        tally_spin(tt_random(&random) % 300000);
        tutti_place_close(options.place);
        assert_int_equal(tally_ran(tally), 200);
        assert_int_equal(tutti_job_wait(job, -1), TUTTI_OK);
        tutti_job_free(job);
        tally_free(tally);
    }
}

static unsigned lanes(const char *on, tutti_place *place, unsigned workers)
{
    struct tally *tally = tally_new(1000);
    tutti_report report = TUTTI_REPORT_INIT;
    tutti_options options = TUTTI_OPTIONS_INIT;
    options.on = on;
    options.place = place;
    options.workers = workers;
    options.report = &report;
    tally->cost = small;
    assert_int_equal(tutti_for(tally_task, 1000, tally, 0, &options), 0);
    tally_free(tally);
    return report.lanes;
}

/* A count behind "auto" is the most it spreads to, by text as by place. */
static void auto_has_a_count(void **state)
{
    (void)state;
    tutti_place *one;
    assert_int_equal(tutti_place_open(&one, "auto:1"), TUTTI_OK);
    assert_int_equal(lanes("auto:1", NULL, 0), 1);
    assert_int_equal(lanes("auto:1", NULL, 5), 1);
    assert_int_equal(lanes(NULL, one, 0), 1);
    assert_int_equal(lanes("auto:9", NULL, 1), 1);
    assert_true(lanes("auto:2", NULL, 0) <= 2);
    assert_true(lanes("auto:1024", NULL, 0) <= tutti_cpu_count());
    assert_int_equal(lanes("threads:3", NULL, 0), 3);
    assert_int_equal(lanes("threads:3", NULL, 2), 2);
    tutti_place_close(one);
}

static void refuse(const char *text)
{
    tutti_place *place = NULL;
    tutti_options options = TUTTI_OPTIONS_INIT;
    struct tally *tally = tally_new(1);
    options.on = text;
    assert_int_equal(tutti_place_open(&place, text), TUTTI_EARG);
    assert_null(place);
    assert_true(strlen(tutti_detail()) > 20);
    assert_null(strchr(tutti_detail(), '\n'));
    assert_int_equal(tutti_for(tally_task, 1, tally, 0, &options), TUTTI_EARG);
    assert_true(strlen(tutti_detail()) > 20);
    assert_int_equal(tally_ran(tally), 0);
    tally_free(tally);
}

static void texts_that_are_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "nowhere",
        "Threads",
        " threads",
        "threads ",
        "threads:",
        "threads:0",
        "threads:-1",
        "threads:+1",
        "threads: 1",
        "threads:4x",
        "threads:1025",
        "threads:9999999",
        "serial:2",
        "serial:0",
        "threads:99999999999999999999999999",
        "threads:4:4",
        "thread",
        "auto:",
        "auto:0",
        "automatic",
        ":4",
        "threads:0x4",
        "threads:4.5",
        "threads:0000000000000000000000000000000000000000000000000000000001",
        ("a place whose name is longer than any buffer that could hold a text "
         "of a place, so that it has to be cut when it is told")};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        refuse(texts[i]);
    assert_int_equal(tutti_place_open(NULL, "serial"), TUTTI_EARG);
}

static void kinds_are_told(void **state)
{
    (void)state;
    tutti_place_kind kind;
    size_t i = 0;
    for (; tutti_place_info(i, &kind); i++) {
        tutti_place *place;
        assert_true(kind.name[0] && kind.reason[0]);
        if (!kind.present)
            continue;
        assert_int_equal(tutti_place_open(&place, kind.name), TUTTI_OK);
        tutti_place_close(place);
    }
    assert_true(i >= 2);
    memset(&kind, 7, sizeof kind);
    assert_false(tutti_place_info(i, &kind));
    assert_false(tutti_place_info(SIZE_MAX, &kind));
    assert_int_equal(((char *)&kind)[0], 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(open_places_are_used_and_closed),
        cmocka_unit_test(closing_waits_for_loops),
        cmocka_unit_test(auto_has_a_count),
        cmocka_unit_test(texts_that_are_refused),
        cmocka_unit_test(kinds_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
