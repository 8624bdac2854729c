/* Random choices of a test, the same again with TUTTI_TEST_SEED set to what it
 * printed. */
#ifndef TUTTI_TESTS_SEED_H
#define TUTTI_TESTS_SEED_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* The seed of this process, printed at first use. */
static inline uint64_t tt_seed(void)
{
    static uint64_t seed;
    if (seed == 0) {
        const char *text = getenv("TUTTI_TEST_SEED");
        struct timespec t;
        clock_gettime(CLOCK_REALTIME, &t);
        seed = text ? strtoull(text, NULL, 0) : (uint64_t)t.tv_nsec | 1;
        printf("TUTTI_TEST_SEED=%llu\n", (unsigned long long)seed);
        fflush(stdout);
    }
    return seed;
}

/* Next number of a stream (splitmix64); start one at any state. */
static inline uint64_t tt_random(uint64_t *state)
{
    uint64_t x = *state += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

#endif
