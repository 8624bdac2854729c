/* The board of running loops. Who looks at a loop reads how far it came, and
 * invites workers if the rest pays for them: its caller between two ranges, or
 * the helper, a thread that ticks as long as there are loops, for callers
 * inside of a long task. */
#ifndef TT_SCHED_BOARD_H
#define TT_SCHED_BOARD_H

#include "loop/run.h"

/* Puts a run on the board, for the helper to look at. No thread for the helper:
 * the caller looks. */
void tt_board_add(struct tutti_run *run);

/* Takes it off: from here on nobody invites for it. */
void tt_board_remove(struct tutti_run *run);

/* Before a run is on the board, its owner invites at once: all workers that
 * the place asked for has, */
void tt_board_invite(struct tutti_run *run);

/* or those that the loop is expected to pay for. */
void tt_board_decide(struct tutti_run *run);

/* The caller looks at its run, which is on the board. */
void tt_board_look(struct tutti_run *run, uint64_t now);

/* Gives the threads of an ended run back to the budget. */
void tt_board_settle(struct tutti_run *run);

/* Sets the workers that a run may have: the least of the CPU budget or the
 * place's count, and the user's cap. Asks the system. */
void tt_board_measure(struct tutti_run *run);

#endif
