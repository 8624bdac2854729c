/* What `tutti info` prints. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tutti/info.h>

#include "core/clock.h"
#include "core/constants.h"
#include "core/folder.h"
#include "core/machine.h"
#include "core/settings.h"
#include "fault.h"

static void subjects(void **state)
{
    (void)state;
    static const char *const wanted[] = {
        "machine     ",
        "\nbudget      ",
        "\nsettings    TUTTI_ON",
        " TUTTI_WORKERS ",
        "\nconstants   clock_read",
        "process_open",
        "\ncache       /nowhere/tutti\n",
    };
    char text[4001], model[64];
    size_t length = tutti_info_text(text, sizeof text);
    assert_int_equal(strlen(text), length);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        assert_non_null(strstr(text, wanted[i]));
    tt_machine_model(model, sizeof model);
    assert_true(model[0]);
    assert_non_null(strstr(text, model));
    print_message("%s", text);
}

static void room(void **state)
{
    (void)state;
    char whole[4001], text[4001];
    size_t length = tutti_info_text(whole, sizeof whole);
    assert_int_equal(tutti_info_text(NULL, 0), length);
    for (size_t size = 1; size < length + 2; size += 7) {
        memset(text, '#', sizeof text);
        assert_int_equal(tutti_info_text(text, size), length);
        size_t shown = size - 1 < length ? size - 1 : length;
        assert_memory_equal(text, whole, shown);
        assert_int_equal(text[shown], 0);
        assert_int_equal(text[size], '#');
    }
}

static void bad_setting(void **state)
{
    (void)state;
    char text[4001];
    setenv("TUTTI_WORKERS", "many", 1);
    tt_settings_reload();
    tutti_info_text(text, sizeof text);
    assert_non_null(strstr(text, "TUTTI_WORKERS is 'many': expected"));
    unsetenv("TUTTI_WORKERS");
    tt_settings_reload();
}

static void not_kept(void **state)
{
    (void)state;
    char text[4001];
    setenv("XDG_CACHE_HOME", "/proc", 1);
    tt_settings_reload();
    assert_int_equal(tutti_info_measure(), TUTTI_ESYS);
    assert_non_null(strstr(tutti_detail(), "/proc/tutti"));
    tutti_info_text(text, sizeof text);
    assert_null(strstr(text, "futex_wake     7.0 us (default)"));
}

static tutti_status show(void *arg)
{
    char text[4001];
    tutti_info_text(text, sizeof text);
    return strlen(text) > 100 ? TUTTI_OK
                              : tt_fail(TUTTI_ESYS, "%s", (char *)arg);
}

static void faults(void **state)
{
    (void)state;
    tt_fault_each(show, "short");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(subjects),    cmocka_unit_test(room),
        cmocka_unit_test(bad_setting), cmocka_unit_test(not_kept),
        cmocka_unit_test(faults),
    };
    setenv("XDG_CACHE_HOME", "/nowhere", 1);
    unsetenv("TUTTI_WORKERS");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
