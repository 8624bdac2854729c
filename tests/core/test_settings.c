/* The environment's settings: defaults, good and bad values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/settings.h"

static int clear(void **state)
{
    (void)state;
    unsetenv("TUTTI_ON");
    unsetenv("TUTTI_WORKERS");
    unsetenv("TUTTI_TRACE");
    unsetenv("TUTTI_ISA");
    unsetenv("TUTTI_PLACES");
    unsetenv("SLURM_CPUS_PER_TASK");
    unsetenv("SLURM_CPUS_ON_NODE");
    setenv("XDG_CACHE_HOME", "/xdg", 1);
    setenv("HOME", "/home/u", 1);
    tt_settings_reload();
    return 0;
}

static const struct tt_settings *with(const char *name, const char *value)
{
    setenv(name, value, 1);
    tt_settings_reload();
    return tt_settings();
}

static void defaults(void **state)
{
    (void)state;
    const struct tt_settings *s = tt_settings();
    assert_int_equal(tt_settings_check(), TUTTI_OK);
    assert_string_equal(s->on, "auto");
    assert_int_equal(s->workers, 0);
    assert_int_equal(s->granted, 0);
    assert_true(s->trace);
    assert_string_equal(s->cache, "/xdg/tutti");
}

static void good_values(void **state)
{
    (void)state;
    assert_string_equal(with("TUTTI_ON", "threads:3")->on, "threads:3");
    assert_int_equal(with("TUTTI_WORKERS", "1024")->workers, 1024);
    assert_false(with("TUTTI_TRACE", "off")->trace);
    assert_true(with("TUTTI_TRACE", "1")->trace);
    assert_int_equal(with("TUTTI_ISA", "plain")->isa, 0);
    assert_int_equal(with("TUTTI_ISA", "avx512")->isa, 2);
    assert_int_equal(tt_settings_check(), TUTTI_OK);
}

static void bad_values(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"TUTTI_WORKERS", "0"},
        {"TUTTI_WORKERS", "-1"},
        {"TUTTI_WORKERS", "1025"},
        {"TUTTI_WORKERS", "two"},
        {"TUTTI_WORKERS", ""},
        {"TUTTI_WORKERS", "4 "},
        {"TUTTI_WORKERS", "99999999999999999999"},
        {"TUTTI_TRACE", "maybe"},
        {"TUTTI_ISA", "mmx"},
        {"TUTTI_ON", ""},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        clear(NULL);
        const struct tt_settings *s = with(bad[i][0], bad[i][1]);
        assert_int_equal(tt_settings_check(), TUTTI_EARG);
        assert_non_null(strstr(tutti_detail(), bad[i][0]));
        assert_non_null(strstr(tutti_detail(), "expected"));
        assert_int_equal(s->workers, 0);
        assert_string_equal(s->on, "auto");
        assert_true(s->trace);
    }
}

static void cache_folder(void **state)
{
    (void)state;
    assert_string_equal(with("XDG_CACHE_HOME", "not/absolute")->cache,
                        "/home/u/.cache/tutti");
    char longer[TT_CACHE_SIZE + 9];
    memset(longer, '/', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    assert_string_equal(with("XDG_CACHE_HOME", longer)->cache, "");
    unsetenv("XDG_CACHE_HOME");
    assert_string_equal(with("HOME", "")->cache, "");
    assert_int_equal(tt_settings_check(), TUTTI_OK);
}

static void grant(void **state)
{
    (void)state;
    assert_int_equal(with("SLURM_CPUS_ON_NODE", "8")->granted, 8);
    assert_int_equal(with("SLURM_CPUS_PER_TASK", "2")->granted, 2);
    assert_string_equal(tt_settings()->granted_by, "SLURM_CPUS_PER_TASK");
    assert_int_equal(with("SLURM_CPUS_PER_TASK", "x")->granted, 8);
    assert_int_equal(with("SLURM_CPUS_ON_NODE", "4(x2)")->granted, 0);
    assert_int_equal(tt_settings_check(), TUTTI_OK);
}

static void listing(void **state)
{
    (void)state;
    struct tt_setting line;
    size_t count = 0;
    with("TUTTI_WORKERS", "3");
    for (; tt_settings_list(count, &line); count++) {
        assert_non_null(line.help);
        assert_true(line.value[0]);
        assert_int_equal(line.given, !strcmp(line.name, "TUTTI_WORKERS"));
    }
    assert_int_equal(count, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(defaults, clear),
        cmocka_unit_test_setup(good_values, clear),
        cmocka_unit_test_setup(bad_values, clear),
        cmocka_unit_test_setup(cache_folder, clear),
        cmocka_unit_test_setup(grant, clear),
        cmocka_unit_test_setup(listing, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
