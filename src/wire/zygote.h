/* What a place and a zygote tell each other: one struct a SEQPACKET message.
 * A request to fork carries the worker's channel as a descriptor. */
#ifndef TT_WIRE_ZYGOTE_H
#define TT_WIRE_ZYGOTE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define TT_ZYGOTE_FD 3 /* the control socket in the zygote */

enum tt_zygote_kind {
    TT_ZYGOTE_FORK = 1, /* to it: make worker `worker`; with a descriptor */
    TT_ZYGOTE_SPLIT,    /* to it: fork a zygote, which serves the descriptor */
    TT_ZYGOTE_KILL,     /* to it: kill worker `worker`, if it lives */
    TT_ZYGOTE_HELLO,    /* from it: it serves */
    TT_ZYGOTE_DIED,     /* from it: `status` as of waitpid(), here too: */
    TT_ZYGOTE_STOPPED,  /* by SIGSTOP or the like; it may go on */
    TT_ZYGOTE_FAILED    /* from it: no fork; `status` is errno */
};

struct tt_zygote_note {
    uint32_t kind;
    int32_t status;
    uint64_t worker; /* a number that the place gives; never used twice */
    int64_t pid;
};

/* Sends a note, with a descriptor unless fd is -1. False: the other end is
 * gone, or takes nothing for `ms` milliseconds (errno EAGAIN). */
bool tt_zygote_send(int control, const struct tt_zygote_note *note, int fd,
                    int ms);

/* Receives a note: 1; 0: nothing there (never when waiting); -1: the other end
 * is gone or spoke nonsense. *fd: a descriptor that came with it, or -1. */
int tt_zygote_receive(int control, struct tt_zygote_note *note, int *fd,
                      bool wait);

#endif
