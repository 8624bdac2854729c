/* The ledger of a run: who owns which range. Written down before the range
 * leaves, so that a lost worker's tasks are known. Used by one thread: that of
 * the place that claims for its workers. */
#ifndef TT_LOOP_LEDGER_H
#define TT_LOOP_LEDGER_H

#include "loop/run.h"

struct tt_entry {
    struct tt_range range;
    uint64_t worker;   /* instance, never used twice; 0: waits for one */
    uint64_t deadline; /* tt_clock(); UINT64_MAX: none */
    unsigned attempts; /* workers lost while they ran it */
};

/* Zero-initialised is empty. There is room for three times the entries, as a
 * lost one may fall in three. Entries stand in the order of their claims. */
struct tt_ledger {
    struct tt_entry *entries;
    size_t count, room;
};

void tt_ledger_fini(struct tt_ledger *ledger);

/* The range to claim next, up to `tasks` tasks: of one that waits, else from
 * the run's back, or from its front if the caller does not claim there. It is
 * not claimed yet: what cannot be sent is left to the caller. False: nothing is
 * left. */
bool tt_ledger_next(const struct tt_ledger *ledger, struct tutti_run *run,
                    size_t tasks, struct tt_range *range);

/* Claims that range for `worker`. *entry is NULL when it was taken meanwhile:
 * look again; else valid until the next call on the ledger. TUTTI_EMEM:
 * nothing is claimed. */
TUTTI_MUST_CHECK tutti_status tt_ledger_take(struct tt_ledger *ledger,
                                             struct tutti_run *run,
                                             const struct tt_range *range,
                                             uint64_t worker,
                                             struct tt_entry **entry);

/* Strikes out [begin, end), which must be the oldest entry of `worker` or its
 * beginning. False: it holds no such range (a late result, a foreign one). */
bool tt_ledger_done(struct tt_ledger *ledger, uint64_t worker, size_t begin,
                    size_t end);

/* The range that `worker` runs: its oldest entry, or NULL. Worker 0: the one
 * that waits longest. */
struct tt_entry *tt_ledger_runs(const struct tt_ledger *ledger,
                                uint64_t worker);

/* How many ranges `worker` holds; worker 0: how many wait. */
size_t tt_ledger_held(const struct tt_ledger *ledger, uint64_t worker);

/* `worker` is lost while it ran `guilty`, which is a part of its oldest entry.
 * The rest of what it held waits for another. So does `guilty`, if it may be
 * run again; else it is struck out, and the result is true. */
bool tt_ledger_lost(struct tt_ledger *ledger, uint64_t worker, unsigned retries,
                    const struct tt_range *guilty);

/* `worker` gives back the rest of its oldest entry, from task `begin` on.
 * False: it has none such. */
bool tt_ledger_give(struct tt_ledger *ledger, uint64_t worker, size_t begin);

/* Whether a worker holds a range that it may give back a part of. */
bool tt_ledger_divides(const struct tt_ledger *ledger, size_t unit);

/* What `worker` held waits for another: it ran none of it. */
void tt_ledger_release(struct tt_ledger *ledger, uint64_t worker);

/* Gives up `range`, which tt_ledger_next() gave. False: it was taken meanwhile.
 */
bool tt_ledger_skip(struct tt_ledger *ledger, struct tutti_run *run,
                    const struct tt_range *range);

/* Strikes out all of `worker`; worker 0: all that wait. */
void tt_ledger_drop(struct tt_ledger *ledger, uint64_t worker);

/* Strikes out waiting ranges from task `index` on. */
void tt_ledger_close(struct tt_ledger *ledger, size_t index);

#endif
