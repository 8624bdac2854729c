/* The first zygote of a command, from which the places' own are forked: so that
 * a place opens in a millisecond or two once there is one. Each has a thread,
 * its nurse, that starts it, hears of deaths, and ends it when it was not used
 * for a while; the kernel kills it should that thread end. */
#ifndef TT_PLACE_PROCESSES_NURSE_H
#define TT_PLACE_PROCESSES_NURSE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/status.h"

struct tt_nurse;

/* A zygote of a place. */
struct tt_ward {
    struct tt_nurse *nurse;
    uint64_t number;
    bool first;  /* the first zygote was started for it */
    int control; /* a SOCK_SEQPACKET socket; the ward's */
};

/* Asks for a zygote; it says hello when it serves. Blocks until a first zygote
 * is started, if there was none: about a millisecond. Any thread. */
TUTTI_MUST_CHECK tutti_status tt_nurse_split(struct tt_ward *ward,
                                             const char *const *command);

/* The zygote is not needed any more, or gone: waits up to `ms` milliseconds for
 * its end, and then, if `kills`, for as long after killing it. Returns what
 * waitpid() says, or -1: unknown. */
int tt_nurse_leave(struct tt_ward *ward, bool kills, int ms);

#endif
