#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "loop/ledger.h"

static void run_init(struct tutti_run *run, size_t n, size_t unit, bool caller)
{
    static const tutti_options options = TUTTI_OPTIONS_INIT;
    tutti_loop loop = {.n = n, .unit = unit};
    tt_run_init(run, &loop, &options, 4, caller);
}

/* Claims as a place does. */
static struct tt_entry *claim(struct tt_ledger *ledger, struct tutti_run *run,
                              size_t tasks, uint64_t worker)
{
    struct tt_range range;
    struct tt_entry *entry = NULL;
    if (tt_ledger_next(ledger, run, tasks, &range))
        assert_int_equal(tt_ledger_take(ledger, run, &range, worker, &entry),
                         TUTTI_OK);
    return entry;
}

static void expect(const struct tt_entry *entry, size_t begin, size_t end)
{
    assert_non_null(entry);
    assert_int_equal(entry->range.begin, begin);
    assert_int_equal(entry->range.end, end);
}

static void test_back_or_front(void **state)
{
    struct tutti_run run;
    struct tt_ledger ledger = {0};
    struct tt_range range;
    (void)state;
    run_init(&run, 10, 1, true);
    expect(claim(&ledger, &run, 3, 1), 7, 10);
    assert_true(tt_run_claim_front(&run, 6, &range));
    expect(claim(&ledger, &run, 3, 1), 6, 7);
    assert_null(claim(&ledger, &run, 3, 1));
    assert_int_equal(tt_ledger_held(&ledger, 1), 2);
    tt_ledger_fini(&ledger);
    tt_run_fini(&run);

    run_init(&run, 10, 4, false);
    expect(claim(&ledger, &run, 5, 1), 0, 4);
    expect(claim(&ledger, &run, 100, 1), 4, 10);
    assert_null(claim(&ledger, &run, 1, 1));
    tt_ledger_fini(&ledger);
    tt_run_fini(&run);
}

/* What was looked at is not claimed, and may be gone. */
static void test_taken_meanwhile(void **state)
{
    struct tutti_run run;
    struct tt_ledger ledger = {0};
    struct tt_range range, other;
    struct tt_entry *entry;
    (void)state;
    run_init(&run, 10, 1, true);
    assert_true(tt_ledger_next(&ledger, &run, 4, &range));
    assert_int_equal(tt_run_left(&run), 10);
    assert_true(tt_run_claim_front(&run, 7, &other));
    assert_int_equal(tt_ledger_take(&ledger, &run, &range, 1, &entry),
                     TUTTI_OK);
    assert_null(entry);
    assert_int_equal(tt_run_left(&run), 3);
    assert_true(tt_ledger_next(&ledger, &run, 2, &range));
    tt_run_close(&run, TUTTI_ECANCEL, "");
    assert_int_equal(tt_ledger_take(&ledger, &run, &range, 1, &entry),
                     TUTTI_OK);
    assert_null(entry);
    tt_ledger_fini(&ledger);
    tt_run_fini(&run);
}

static void test_done(void **state)
{
    struct tutti_run run;
    struct tt_ledger ledger = {0};
    (void)state;
    run_init(&run, 10, 1, false);
    claim(&ledger, &run, 2, 1);
    claim(&ledger, &run, 2, 2);
    claim(&ledger, &run, 2, 1);
    expect(tt_ledger_runs(&ledger, 1), 0, 2);
    assert_false(tt_ledger_done(&ledger, 1, 4, 6)); /* not its oldest */
    assert_false(tt_ledger_done(&ledger, 2, 0, 2)); /* not its own */
    assert_false(tt_ledger_done(&ledger, 3, 0, 2));
    assert_true(tt_ledger_done(&ledger, 1, 0, 2));
    assert_false(tt_ledger_done(&ledger, 1, 0, 2)); /* late */
    expect(tt_ledger_runs(&ledger, 1), 4, 6);
    tt_ledger_drop(&ledger, 1);
    assert_null(tt_ledger_runs(&ledger, 1));
    assert_int_equal(ledger.count, 1);
    tt_ledger_fini(&ledger);
    tt_run_fini(&run);
}

static void test_give(void **state)
{
    struct tutti_run run;
    struct tt_ledger ledger = {0};
    struct tt_range range;
    (void)state;
    run_init(&run, 20, 1, false);
    claim(&ledger, &run, 10, 1);
    claim(&ledger, &run, 10, 1);
    assert_true(tt_ledger_divides(&ledger, 1));
    assert_true(tt_ledger_done(&ledger, 1, 0, 3));
    assert_false(tt_ledger_give(&ledger, 1, 4)); /* not its rest */
    assert_false(tt_ledger_give(&ledger, 2, 3)); /* not its own */
    assert_true(tt_ledger_give(&ledger, 1, 3));
    expect(tt_ledger_runs(&ledger, 1), 10, 20);
    expect(tt_ledger_runs(&ledger, 0), 3, 10);
    expect(claim(&ledger, &run, 2, 2), 3, 5); /* what waits is dealt again */
    expect(tt_ledger_runs(&ledger, 0), 5, 10);
    assert_true(tt_ledger_next(&ledger, &run, 1, &range));
    assert_true(tt_ledger_skip(&ledger, &run, &range));
    expect(claim(&ledger, &run, 10, 2), 6, 10);
    assert_int_equal(tt_ledger_held(&ledger, 0), 0);
    assert_null(claim(&ledger, &run, 10, 2));
    assert_false(tt_ledger_divides(&ledger, 10));
    tt_ledger_drop(&ledger, 1);
    tt_ledger_drop(&ledger, 2);
    assert_int_equal(ledger.count, 0);
    tt_ledger_fini(&ledger);

    run_init(&run, 10, 4, false); /* by units; the last one is short */
    claim(&ledger, &run, 10, 1);
    assert_true(tt_ledger_give(&ledger, 1, 0));
    expect(claim(&ledger, &run, 1, 1), 0, 4);
    expect(claim(&ledger, &run, 1, 1), 4, 8);
    expect(claim(&ledger, &run, 1, 1), 8, 10);
    tt_ledger_fini(&ledger);
    tt_run_fini(&run);

    run_init(&run, 20, 4, false);
    claim(&ledger, &run, 20, 1);
    assert_true(tt_ledger_give(&ledger, 1, 0));
    expect(claim(&ledger, &run, 11, 1), 0, 8);
    assert_true(tt_ledger_lost(&ledger, 1, 0, &(struct tt_range){4, 8}));
    expect(claim(&ledger, &run, 11, 1), 8, 16);
    expect(claim(&ledger, &run, 11, 1), 16, 20);
    expect(claim(&ledger, &run, 11, 1), 0, 4);
    tt_ledger_fini(&ledger);
    tt_run_fini(&run);
}

static void test_lost(void **state)
{
    struct tutti_run run;
    struct tt_ledger ledger = {0};
    struct tt_entry *entry;
    struct tt_range first = {0, 2};
    (void)state;
    run_init(&run, 10, 1, false);
    claim(&ledger, &run, 2, 1)->deadline = 7;
    claim(&ledger, &run, 2, 1);
    assert_false(tt_ledger_lost(&ledger, 9, 0, &first)); /* held nothing */
    assert_false(tt_ledger_lost(&ledger, 1, 1, &first));
    assert_int_equal(tt_ledger_held(&ledger, 0), 2);
    entry = claim(&ledger, &run, 9, 2); /* oldest first */
    expect(entry, 0, 2);
    assert_int_equal(entry->attempts, 1);
    assert_true(entry->deadline == UINT64_MAX);
    entry = claim(&ledger, &run, 9, 2);
    expect(entry, 2, 4);
    assert_int_equal(entry->attempts, 0); /* was not begun */
    assert_true(tt_ledger_lost(&ledger, 2, 1, &first));
    assert_int_equal(tt_ledger_held(&ledger, 0), 1);
    expect(claim(&ledger, &run, 9, 3), 2, 4);
    expect(claim(&ledger, &run, 1, 3), 4, 5);
    tt_ledger_fini(&ledger);
    tt_run_fini(&run);
}

/* The one that ran is apart; the others need not have been begun. */
static void test_lost_in_the_middle(void **state)
{
    struct tutti_run run;
    struct tt_ledger ledger = {0};
    struct tt_range guilty = {5, 6};
    (void)state;
    run_init(&run, 30, 1, false);
    claim(&ledger, &run, 10, 1);
    claim(&ledger, &run, 10, 1);
    assert_true(tt_ledger_done(&ledger, 1, 0, 3));
    assert_false(tt_ledger_done(&ledger, 1, 0, 10));
    assert_false(tt_ledger_done(&ledger, 1, 3, 3));
    assert_false(tt_ledger_lost(&ledger, 1, 1, &guilty));
    expect(claim(&ledger, &run, 99, 2), 3, 5);
    expect(claim(&ledger, &run, 99, 3), 5, 6);
    assert_int_equal(tt_ledger_runs(&ledger, 3)->attempts, 1);
    expect(claim(&ledger, &run, 99, 2), 6, 10);
    expect(claim(&ledger, &run, 99, 2), 10, 20);
    assert_true(tt_ledger_lost(&ledger, 3, 1, &guilty));
    assert_int_equal(tt_ledger_held(&ledger, 0), 0);
    tt_ledger_fini(&ledger);
    tt_run_fini(&run);
}

/* An open loop gets more tasks than a claim word counts. */
static void test_open(void **state)
{
    struct tutti_run run;
    struct tt_ledger ledger = {0};
    size_t next = 0, most = TT_CLAIM_MAX / 2;
    (void)state;
    run_init(&run, 0, 1, false);
    tt_run_make_open(&run);
    assert_true(tt_run_open(&run));
    assert_null(claim(&ledger, &run, 1, 1));
    for (int i = 0; i < 9; i++) {
        assert_true(tt_run_extend(&run, most));
        expect(claim(&ledger, &run, most - 7, 1), next, next + most - 7);
        expect(claim(&ledger, &run, 99, 1), next + most - 7, next + most);
        next += most;
        tt_ledger_drop(&ledger, 1);
    }
    assert_true(tt_run_extend(&run, most));
    assert_false(tt_run_extend(&run, TT_CLAIM_MAX));
    tt_run_close(&run, TUTTI_ECANCEL, "");
    assert_false(tt_run_open(&run));
    tt_ledger_fini(&ledger);
    tt_run_fini(&run);
}

static void test_close(void **state)
{
    struct tutti_run run;
    struct tt_ledger ledger = {0};
    struct tt_range first = {0, 2};
    (void)state;
    run_init(&run, 100, 1, false);
    for (int i = 0; i < 40; i++)
        claim(&ledger, &run, 2, 1 + (uint64_t)i % 2);
    assert_false(tt_ledger_lost(&ledger, 1, 5, &first));
    tt_ledger_close(&ledger, 41);
    assert_int_equal(tt_ledger_held(&ledger, 0), 11);
    assert_int_equal(tt_ledger_held(&ledger, 2), 20);
    tt_ledger_close(&ledger, 0);
    assert_int_equal(tt_ledger_held(&ledger, 0), 0);
    tt_ledger_fini(&ledger);
    tt_run_fini(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_back_or_front),
        cmocka_unit_test(test_taken_meanwhile),
        cmocka_unit_test(test_done),
        cmocka_unit_test(test_give),
        cmocka_unit_test(test_lost),
        cmocka_unit_test(test_lost_in_the_middle),
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
