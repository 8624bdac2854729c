#include "sched/memo.h"
#include "tally.h"

static const void *key(uintptr_t i)
{
    return (const void *)(0x1000 + 16 * i);
}

static void remembers(void **state)
{
    (void)state;
    assert_true(tt_memo_get(key(0)) == 0);
    tt_memo_put(key(0), 12.5);
    assert_true(tt_memo_get(key(0)) == 12.5);
    tt_memo_put(key(0), 3);
    assert_true(tt_memo_get(key(0)) == 3);
    assert_true(tt_memo_get(key(1)) == 0);
}

/* More keys than room: each is known or forgotten, never another's. */
static void collisions_forget(void **state)
{
    (void)state;
    unsigned known = 0, forgotten = 0;
    for (uintptr_t i = 0; i < 2000; i++) {
        tt_memo_put(key(i), 1.0 + (double)i);
        assert_true(tt_memo_get(key(i)) == 1.0 + (double)i);
    }
    for (uintptr_t i = 0; i < 2000; i++) {
        double cost = tt_memo_get(key(i));
        assert_true(cost == 0 || cost == 1.0 + (double)i);
        known += cost > 0;
        forgotten += cost == 0;
    }
    assert_true(known > 100 && forgotten > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(remembers),
        cmocka_unit_test(collisions_forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
