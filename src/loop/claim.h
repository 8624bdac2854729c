/* The claim word: which units of a loop nobody has taken yet. The caller
 * claims from the front, everybody else from the back, so a caller that is
 * alone sees its tasks in order and never competes for a cache line. */
#ifndef TT_LOOP_CLAIM_H
#define TT_LOOP_CLAIM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Units [front, back) are free; front in the high half. */
typedef _Atomic uint64_t tt_claim;

#define TT_CLAIM_MAX UINT32_MAX

static inline uint64_t tt_claim_word(uint32_t front, uint32_t back)
{
    return (uint64_t)front << 32 | back;
}

static inline uint32_t tt_claim_front_of(uint64_t word)
{
    return (uint32_t)(word >> 32);
}

static inline uint32_t tt_claim_back_of(uint64_t word)
{
    return (uint32_t)word;
}

/* How many units are free. */
static inline uint32_t tt_claim_left(tt_claim *claim)
{
    uint64_t word = atomic_load_explicit(claim, memory_order_relaxed);
    return tt_claim_back_of(word) - tt_claim_front_of(word);
}

/* Takes up to `units` from the front: [*begin, *end). False: none left. */
static inline bool tt_claim_front(tt_claim *claim, uint32_t units,
                                  uint32_t *begin, uint32_t *end)
{
    uint64_t old = atomic_load_explicit(claim, memory_order_relaxed), new;
    do {
        uint32_t front = tt_claim_front_of(old), back = tt_claim_back_of(old);
        if (front == back)
            return false;
        *begin = front;
        *end = back - front > units ? front + units : back;
        new = tt_claim_word(*end, back);
    } while (!atomic_compare_exchange_weak_explicit(
        claim, &old, new, memory_order_acq_rel, memory_order_relaxed));
    return true;
}

/* Takes up to `units` from the back. */
static inline bool tt_claim_back(tt_claim *claim, uint32_t units,
                                 uint32_t *begin, uint32_t *end)
{
    uint64_t old = atomic_load_explicit(claim, memory_order_relaxed), new;
    do {
        uint32_t front = tt_claim_front_of(old), back = tt_claim_back_of(old);
        if (front == back)
            return false;
        *end = back;
        *begin = back - front > units ? back - units : front;
        new = tt_claim_word(front, *begin);
    } while (!atomic_compare_exchange_weak_explicit(
        claim, &old, new, memory_order_acq_rel, memory_order_relaxed));
    return true;
}

/* Gives up all free units at `unit` and above. Those below stay free. */
static inline void tt_claim_close(tt_claim *claim, uint32_t unit)
{
    uint64_t old = atomic_load_explicit(claim, memory_order_relaxed), new;
    do {
        uint32_t front = tt_claim_front_of(old), back = tt_claim_back_of(old);
        if (back <= unit)
            return;
        new = tt_claim_word(front, unit > front ? unit : front);
    } while (!atomic_compare_exchange_weak_explicit(
        claim, &old, new, memory_order_acq_rel, memory_order_relaxed));
}

#endif
