/* The ranges of a seat: how many tasks, out and back. */
#ifndef TT_PLACE_PROCESSES_RANGE_H
#define TT_PLACE_PROCESSES_RANGE_H

#include "place/processes/pool.h"

/* The tasks of `range` will have no result: the face is told, or the run fails
 * at the first. */
void tt_range_fail(struct tt_feeder *f, struct tt_feed *feed,
                   const struct tt_range *range, tutti_status status,
                   const char *why);

/* Whether every seat that has a process, or soon may, had a range, where that
 * matters. */
bool tt_range_dealt(const struct tt_feeder *f, const struct tt_feed *feed);

/* Whether workers hold ranges of which they may give back a part. */
bool tt_range_divides(const struct tt_feed *feed);

/* Whether the process of a seat has run as many ranges as it may. */
bool tt_range_worn_out(const struct tt_seat *seat);

/* Sends what the process of a seat should have. False: it holds nothing and
 * there is nothing, so the seat leaves. */
bool tt_range_send(struct tt_feeder *f, struct tt_seat *seat);

/* Whether a seat may have tasks now. A loop that counts its workers by turns
 * takes one from the budget of the process tree. Inside of a task of another
 * process there may be none: it asks again; its first worker needs none. */
bool tt_range_turn(struct tt_feeder *f, struct tt_seat *seat);

/* The turn is over, if it has one. */
void tt_range_end_turn(struct tt_seat *seat);

/* Results came. TUTTI_ESYS: not of the range that the process runs. */
tutti_status tt_range_done(struct tt_feeder *f, struct tt_seat *seat,
                           const struct tt_frame *frame,
                           const tutti_parcel *parcel);

/* feed.c: the run's function or items cannot travel: nothing more is claimed
 * here. */
void tt_feed_break(struct tt_feed *feed, tutti_status status, const char *why);

/* Has the face settle what was decoded, lost or said, once no lock is held;
 * until then the run stays. */
void tt_range_note_news(struct tt_feeder *f, tutti_run *run);

/* A wild task may write over what its worker shares with the place, so that
 * neither wakes the other: while something is expected of a process with a
 * seat, it is looked after once a second. */
void tt_range_look_after(struct tt_feeder *f, struct tt_process *p);

#endif
