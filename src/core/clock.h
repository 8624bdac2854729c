/* Time in nanoseconds since some fixed instant; the same clock in every
 * process of this machine. */
#ifndef TT_CORE_CLOCK_H
#define TT_CORE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t tt_clock_of(clockid_t clock)
{
    struct timespec t = {0}; /* of a process that is gone: 0 */
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline uint64_t tt_clock(void)
{
    return tt_clock_of(CLOCK_MONOTONIC);
}

/* In `ns` nanoseconds, by the clock of waits that have a time limit. */
static inline struct timespec tt_clock_in(uint64_t ns)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    ns += (uint64_t)t.tv_nsec;
    t.tv_sec += (time_t)(ns / 1000000000u);
    t.tv_nsec = (long)(ns % 1000000000u);
    return t;
}

#endif
