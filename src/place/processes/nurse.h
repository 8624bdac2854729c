/* The first zygote of a command, from which the places' own are forked: so that
 * a place opens in a millisecond or two once there is one. Each has a thread,
 * its nurse, that starts it, hears of deaths, and ends it when no place needs
 * it and none had work for a while; the kernel kills it should that thread
 * end. */
#ifndef TT_PLACE_PROCESSES_NURSE_H
#define TT_PLACE_PROCESSES_NURSE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/status.h"

struct tt_nurse;

/* A zygote of a place; it stays where it is while its nurse knows it. */
struct tt_ward {
    struct tt_nurse *nurse;
    struct tt_ward *next; /* the nurse's, as are the two last */
    uint64_t number;
    int control; /* a SOCK_SEQPACKET socket; the ward's */
    bool ended;  /* with */
    int status;  /* as of waitpid(); -1: unknown */
};

/* Asks for a zygote; it says hello when it serves. Blocks until a first zygote
 * is started, if there was none: about a millisecond. Any thread. */
TUTTI_MUST_CHECK tutti_status tt_nurse_split(struct tt_ward *ward,
                                             const char *const *command);

/* Whether one that does not serve yet waits for a first zygote that is stopped
 * now; that takes no more wards. */
bool tt_nurse_stopped(const struct tt_ward *ward);

/* The zygote is not needed any more, or gone: waits up to `ms` milliseconds for
 * its end, and then, if `kills`, two seconds more after killing it. `used`:
 * when (tt_clock()) it was last of use; the first one leaves a while after the
 * last of these. Returns what waitpid() says, or -1: unknown. */
int tt_nurse_leave(struct tt_ward *ward, uint64_t used, bool kills, int ms);

#endif
