/* The claim word: against a model for small cases, then with many threads. */
#include <pthread.h>

#include "loop/claim.h"
#include "seed.h"
#include "tally.h"

/* The model: units [front, back) are free. */
static void check_step(uint32_t front, uint32_t back, uint32_t units)
{
    uint32_t begin = 77, end = 78,
             n = back - front < units ? back - front : units;
    for (int from_back = 0; from_back < 2; from_back++) {
        tt_claim claim = tt_claim_word(front, back);
        bool some = from_back ? tt_claim_back(&claim, units, &begin, &end)
                              : tt_claim_front(&claim, units, &begin, &end);
        assert_int_equal(some, front != back);
        assert_int_equal(tt_claim_left(&claim), back - front - n);
        if (!some) {
            assert_int_equal(claim, tt_claim_word(front, back));
            continue;
        }
        assert_int_equal(end - begin, n);
        assert_int_equal(from_back ? end : begin, from_back ? back : front);
    }
    for (uint32_t unit = 0; unit < back + 3; unit++) {
        tt_claim claim = tt_claim_word(front, back);
        uint32_t left = unit <= front ? 0
                        : unit < back ? unit - front
                                      : back - front;
        tt_claim_close(&claim, unit);
        assert_int_equal(tt_claim_left(&claim), left);
        if (left)
            assert_int_equal(tt_claim_front_of(claim), front);
    }
}

static void as_the_model_says(void **state)
{
    (void)state;
    for (uint32_t back = 0; back < 12; back++)
        for (uint32_t front = 0; front <= back; front++)
            for (uint32_t units = 1; units < 14; units++)
                check_step(front, back, units);
}

static void the_largest_word(void **state)
{
    (void)state;
    uint32_t begin = 0, end = 0;
    tt_claim claim = tt_claim_word(0, TT_CLAIM_MAX);
    assert_true(tt_claim_back(&claim, 1, &begin, &end));
    assert_true(end == TT_CLAIM_MAX && begin == TT_CLAIM_MAX - 1);
    assert_true(tt_claim_front(&claim, TT_CLAIM_MAX, &begin, &end));
    assert_true(begin == 0 && end == TT_CLAIM_MAX - 1);
    assert_false(tt_claim_front(&claim, 1, &begin, &end));
    claim = tt_claim_word(TT_CLAIM_MAX - 1, TT_CLAIM_MAX);
    assert_true(tt_claim_front(&claim, TT_CLAIM_MAX, &begin, &end));
    assert_true(end == TT_CLAIM_MAX);
}

enum { UNITS = 30000, THREADS = 5 };

static struct {
    tt_claim claim;
    _Atomic unsigned char given[UNITS];
    _Atomic uint32_t closed_at;
} all;

struct claimer {
    uint64_t random;
    bool front, closes;
};

static void *claim_much(void *arg)
{
    struct claimer *me = arg;
    uint32_t begin, end, units = 1 + (uint32_t)(tt_random(&me->random) % 9);
    while (me->front ? tt_claim_front(&all.claim, units, &begin, &end)
                     : tt_claim_back(&all.claim, units, &begin, &end)) {
        for (; begin < end; begin++)
            all.given[begin]++;
        units = 1 + (uint32_t)(tt_random(&me->random) % 9);
        if (me->closes && tt_random(&me->random) % 1000 == 0) {
            uint32_t unit = (uint32_t)(tt_random(&me->random) % UNITS);
            uint32_t known = all.closed_at;
            tt_claim_close(&all.claim, unit);
            while (unit < known &&
                   !atomic_compare_exchange_weak(&all.closed_at, &known, unit))
                continue;
        }
    }
    return NULL;
}

/* Below the lowest unit at which it was closed all are given, once. */
static void units_are_given_once(void **state)
{
    (void)state;
    uint64_t random = tt_seed();
    for (int turn = 0; turn < 60; turn++) {
        pthread_t threads[THREADS];
        struct claimer claimers[THREADS];
        atomic_store(&all.claim, tt_claim_word(0, UNITS));
        all.closed_at = UNITS;
        for (int i = 0; i < UNITS; i++)
            all.given[i] = 0;
        for (int i = 0; i < THREADS; i++) {
            claimers[i] =
                (struct claimer){tt_random(&random), i == 0, turn % 2};
            assert_int_equal(
                pthread_create(&threads[i], NULL, claim_much, &claimers[i]), 0);
        }
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        for (uint32_t i = 0; i < UNITS; i++)
            if (all.given[i] > 1 || (i < all.closed_at && all.given[i] != 1))
                fail_msg("unit %u was given %d times, closed at %u", i,
                         all.given[i], all.closed_at);
        assert_int_equal(tt_claim_left(&all.claim), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_the_model_says),
        cmocka_unit_test(the_largest_word),
        cmocka_unit_test(units_are_given_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
