/* Where threads run. */
#define _GNU_SOURCE
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/thread.h"

static cpu_set_t mask_of_this(void)
{
    cpu_set_t mask;
    assert_int_equal(sched_getaffinity(0, sizeof mask, &mask), 0);
    return mask;
}

/* Linux may move it back at once, but not each time. */
static void test_leaves(void **state)
{
    (void)state;
    cpu_set_t before = mask_of_this();
    if (CPU_COUNT(&before) < 2)
        skip();
    bool left = false;
    for (int i = 0; i < 100 && !left; i++) {
        int cpu = sched_getcpu();
        tt_thread_leave(cpu);
        left = sched_getcpu() != cpu;
        cpu_set_t after = mask_of_this();
        assert_true(CPU_EQUAL(&before, &after));
    }
    assert_true(left);
}

static void test_only_cpu(void **state)
{
    (void)state;
    cpu_set_t before = mask_of_this(), one;
    int cpu = sched_getcpu();
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    tt_thread_leave(cpu);
    cpu_set_t after = mask_of_this();
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
    assert_true(CPU_EQUAL(&one, &after));
}

static void test_no_cpu(void **state)
{
    (void)state;
    cpu_set_t before = mask_of_this();
    tt_thread_leave(-1);
    tt_thread_leave(INT32_MAX);
    cpu_set_t after = mask_of_this();
    assert_true(CPU_EQUAL(&before, &after));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leaves),
        cmocka_unit_test(test_only_cpu),
        cmocka_unit_test(test_no_cpu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
