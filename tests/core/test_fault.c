/* The fault injection itself. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/cpu.h"
#include "core/status.h"
#include "fault.h"

static void one_fails(void **state)
{
    (void)state;
    tt_fault_set(1);
    void *a = malloc(9), *b = calloc(3, 3), *c = malloc(9);
    assert_non_null(a);
    assert_null(b);
    assert_non_null(c);
    assert_true(tt_fault_fired());
    assert_int_equal(tt_fault_count(), 3);
    free(a);
    free(c);
    tt_fault_set(-1);
    free(malloc(1));
    assert_false(tt_fault_fired());
}

static void *nothing(void *arg)
{
    return arg;
}

static void kinds(void **state)
{
    (void)state;
    pthread_t thread;
    void *p;
    tt_fault_set(0);
    assert_int_equal(pthread_create(&thread, NULL, nothing, NULL), EAGAIN);
    tt_fault_set(0);
    assert_ptr_equal(
        mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
        MAP_FAILED);
    tt_fault_set(0);
    assert_int_equal(memfd_create("x", 0), -1);
    tt_fault_set(0);
    assert_int_equal(eventfd(0, 0), -1);
    tt_fault_set(0);
    assert_int_equal(posix_memalign(&p, 64, 64), ENOMEM);
    tt_fault_set(0);
    assert_null(fopen("/dev/null", "r"));
    tt_fault_set(-1);
}

static tutti_status scenario(void *arg)
{
    (*(int *)arg)++;
    char *a = malloc(8), *b = strdup("text");
    tutti_status status = a && b ? TUTTI_OK : tt_fail_memory("the scenario");
    free(a);
    free(b);
    return status;
}

static void each(void **state)
{
    (void)state;
    int runs = 0;
    assert_int_equal(tt_fault_each(scenario, &runs), 2);
    assert_int_equal(runs, 3);
}

/* Calls in libtutti are reached, and the CPU budget needs none of them. */
static tutti_status read_cpu(void *arg)
{
    (void)arg;
    struct tt_cpu cpu;
    tt_cpu_read(&cpu, "", 0);
    return cpu.count >= 1 ? TUTTI_OK : tt_fail(TUTTI_ESYS, "no CPU");
}

static void library(void **state)
{
    (void)state;
    assert_true(tt_fault_each(read_cpu, NULL) > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_fails),
        cmocka_unit_test(kinds),
        cmocka_unit_test(each),
        cmocka_unit_test(library),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
