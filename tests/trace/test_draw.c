#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <string.h>

#include "made.h"

static char text[200000];

static int plain(void **state)
{
    (void)state;
    return setenv("LC_ALL", "C", 1);
}

/* Characters of the line that starts at `line`. */
static size_t width(const char *line)
{
    size_t count = 0;
    for (; *line && *line != '\n'; line++)
        count += ((unsigned char)*line & 0xc0) != 0x80;
    return count;
}

static const char *next_line(const char *line)
{
    line = strchr(line, '\n');
    return line ? line + 1 : NULL;
}

static void known_loop_in_ascii(void **state)
{
    (void)state;
    tutti_report r = TUTTI_REPORT_INIT;
    made_loop(7000, 6, &r);
    size_t length = tutti_trace_draw(text, sizeof text, 69);
    assert_string_equal(
        text,
        "caller   |################################################eeww"
        "|  92 %\n"
        "worker  1|    ssss########################                    "
        "|  46 %\n"
        "         +--------------------------+-------------------------+\n"
        "          0                     65.0 us                  130 us\n"
        "          # tasks  s start-up  e encode  w wait\n");
    assert_int_equal(length, strlen(text));
}

static void known_loop_in_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *all, *type, *lang;
        int utf8;
    } rows[] = {
        {"C.UTF-8", "C", "C", 1},    {"", "de_DE.utf8", "C", 1},
        {"", "", "en_US.UTF-8", 1},  {"C", "C.UTF-8", "C.UTF-8", 0},
        {"", "POSIX", "C.UTF-8", 0}, {"", "", "", 0},
    };
    tutti_report r = TUTTI_REPORT_INIT;
    made_loop(7000, 6, &r);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        setenv("LC_ALL", rows[i].all, 1);
        setenv("LC_CTYPE", rows[i].type, 1);
        setenv("LANG", rows[i].lang, 1);
        tutti_trace_draw(text, sizeof text, 80);
        assert_int_equal(strstr(text, "█") != NULL, rows[i].utf8);
        assert_int_equal(strchr(text, '#') != NULL, !rows[i].utf8);
    }
}

/* No line is wider than asked, those of the lanes are as wide. */
static void every_width_fits(void **state)
{
    (void)state;
    static const size_t ranges[] = {0, 1, 7, 5000};
    for (size_t k = 0; k < 8; k++) {
        tutti_report r = TUTTI_REPORT_INIT;
        setenv("LC_ALL", k < 4 ? "C" : "C.UTF-8", 1);
        made_loop(7000, ranges[k % 4], &r);
        for (unsigned columns = 0; columns <= 600; columns++) {
            unsigned want = columns < 40 ? 40 : columns > 500 ? 500 : columns;
            size_t length = tutti_trace_draw(text, sizeof text, columns);
            assert_int_equal(length, strlen(text));
            const char *line = text;
            for (int i = 0; line && *line; i++, line = next_line(line)) {
                if (i < 2)
                    assert_int_equal(width(line), want);
                assert_true(width(line) <= want);
            }
        }
    }
}

static void short_buffers_are_cut(void **state)
{
    (void)state;
    char cut[64];
    tutti_report r = TUTTI_REPORT_INIT;
    made_loop(7000, 6, &r);
    size_t whole = tutti_trace_draw(text, sizeof text, 80);
    assert_int_equal(tutti_trace_draw(NULL, 0, 80), whole);
    for (size_t size = 1; size < sizeof cut; size++) {
        memset(cut, 'x', sizeof cut);
        assert_int_equal(tutti_trace_draw(cut, size, 80), whole);
        assert_int_equal(strlen(cut), size - 1);
        assert_memory_equal(cut, text, size - 1);
        assert_true(size == sizeof cut || cut[size] == 'x');
    }
}

static void merged_ranges_are_counted(void **state)
{
    (void)state;
    tutti_report r = TUTTI_REPORT_INIT;
    made_loop(7000, 6, &r);
    tutti_trace_draw(text, sizeof text, 80);
    assert_null(strstr(text, "drawn as"));
    made_loop(7000, 5000, &r);
    tutti_trace_draw(text, sizeof text, 80);
    assert_non_null(strstr(text, "10000 ranges drawn as"));
}

static void workers_that_never_came_are_counted(void **state)
{
    (void)state;
    struct tt_lane *lane = &made_a;
    tutti_report r = TUTTI_REPORT_INIT;
    tt_lane_init(lane, 0, TT_USER, 0);
    tt_lane_range(lane, 0, 4000, 0, 1);
    tt_account(&r, &lane, 1, 3, 0, 4000);
    tt_trace_end(&r, &lane, 1, 0, 4000);
    tutti_trace_draw(text, sizeof text, 40);
    assert_ptr_equal(
        text, strstr(text, "caller   |#######################| 100 %\n     "));
    assert_non_null(strstr(text, " 2 of 3 workers were not called\n"));
}

/* A loop too short for any event still has its caller's line. */
static void an_empty_loop_is_drawn(void **state)
{
    (void)state;
    tutti_report r = TUTTI_REPORT_INIT;
    tt_account(&r, NULL, 0, 1, 10, 10);
    tt_trace_end(&r, NULL, 0, 10, 10);
    tutti_trace_draw(text, sizeof text, 40);
    assert_ptr_equal(
        text, strstr(text, "caller   |                       |   0 %\n     "));
    assert_null(strstr(text, "not called"));
    assert_null(strstr(text, "nan"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(known_loop_in_ascii, plain),
        cmocka_unit_test(known_loop_in_utf8),
        cmocka_unit_test(every_width_fits),
        cmocka_unit_test_setup(short_buffers_are_cut, plain),
        cmocka_unit_test_setup(merged_ranges_are_counted, plain),
        cmocka_unit_test_setup(workers_that_never_came_are_counted, plain),
        cmocka_unit_test_setup(an_empty_loop_is_drawn, plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
