/* Blocks that one end of a channel lends the other. A segment's descriptor
 * goes over the socket once, into a slot that the lender chooses; each block
 * has a ticket, which the borrower hands back by a bit in shared memory, from
 * any thread, even when its end is closed. What cannot be lent is copied. */
#ifndef TT_WIRE_LOAN_H
#define TT_WIRE_LOAN_H

#include "wire/block.h"
#include "wire/frame.h"
#include "wire/rights.h"
#include "wire/ring.h"

#define TT_SLOTS 16u

/* A lender's. Zero-initialised is empty. */
struct tt_loans {
    tutti_block **blocks; /* by ticket; NULL: none was lent yet */
    uint16_t *tickets;    /* [0, spare): not in use */
    uint32_t spare;
    uint64_t serial, uses;
    struct {
        uint64_t segment; /* 0: none */
        uint64_t serial, used;
    } slots[TT_SLOTS];
};

/* A borrower's. Begin with tt_debts_init(). */
struct tt_debts {
    struct tt_map *map;
    unsigned way; /* of the ring that they come through */
    uint64_t serial;
    struct {
        uint64_t serial, size;
        int fd; /* -1: none */
    } slots[TT_SLOTS];
};

/* Lends a block through `ring`, or says in *ref that its bytes follow. */
void tt_loans_lend(struct tt_loans *loans, struct tt_ring *ring, int socket,
                   tutti_block *block, struct tt_ref *ref);

/* Drops what was handed back. */
void tt_loans_reap(struct tt_loans *loans, struct tt_ring *ring);

/* The other end gives nothing back any more. */
void tt_loans_fini(struct tt_loans *loans, struct tt_ring *ring);

/* `fd` is one that was made now: it shows how many are left. */
void tt_debts_init(struct tt_debts *debts, struct tt_map *map, unsigned way,
                   int fd);
void tt_debts_fini(struct tt_debts *debts);

/* Takes the block of a reference; `bytes` are those that followed. TUTTI_ESYS:
 * nothing like it was lent; TUTTI_EMEM. */
TUTTI_MUST_CHECK tutti_status tt_debts_take(struct tt_debts *debts, int socket,
                                            const struct tt_ref *ref,
                                            const void *bytes,
                                            tutti_block **out);

/* A message over the socket, with `count` descriptors (TT_NOTE_FDS at most). */
#define TT_NOTE_FDS TT_RIGHTS_MOST

struct tt_note {
    uint32_t magic, slot;
    uint64_t serial, size; /* of a segment; 0: the first message */
};

bool tt_note_send(int socket, const struct tt_note *note, const int *fds,
                  unsigned count);

/* Receives one. TUTTI_ESYS: it is no such message, or has not `count`
 * descriptors, or none is there (never when waiting). */
TUTTI_MUST_CHECK tutti_status tt_note_receive(int socket, struct tt_note *note,
                                              int *fds, unsigned count,
                                              bool wait);

#endif
