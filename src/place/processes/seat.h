/* What becomes of a seat. */
#ifndef TT_PLACE_PROCESSES_SEAT_H
#define TT_PLACE_PROCESSES_SEAT_H

#include "place/processes/pool.h"

/* feed.c */
/* Its process sits down: prepared, or about to be. The seat may leave. */
void tt_seat_join(struct tt_feeder *f, struct tt_seat *seat);
/* Its process, which holds nothing, gets tasks, or waits where some may come;
 * else the seat leaves. */
void tt_seat_serve(struct tt_feeder *f, struct tt_seat *seat);
/* The process of a joined seat is not waited for any more. */
void tt_seat_cut_off(struct tt_feeder *f, struct tt_seat *seat);
/* The last one frees the feed. */
void tt_seat_leave(struct tt_feeder *f, struct tt_seat *seat);

/* answer.c */
/* Cuts off the process of a joined seat whose task takes too long. */
void tt_seat_cut_overdue(struct tt_feeder *f, struct tt_seat *seat);

#endif
