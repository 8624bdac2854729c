/* Open places, and the table of those this build knows. */
#ifndef TT_SCHED_PLACE_H
#define TT_SCHED_PLACE_H

#include <stdatomic.h>

#include <tutti/place.h>
#include <tutti/sys/place.h>

struct tutti_place {
    const tutti_place_ops *ops;
    void *state;
    unsigned workers; /* asked for; 0: the budget */
    bool automatic;   /* the caller starts alone, the helper invites */
    char text[32];
    unsigned forks;         /* tt_fork_count when it was opened */
    _Atomic uint32_t loops; /* loops that name it by options.place; a futex */
};

/* A loop begins, and ends, on an open place. */
void tt_place_enter(tutti_place *place);
void tt_place_leave(tutti_place *place);

/* The shared place of a text, opened at its first use and kept: a loop that
 * names its place by text finds the team of the loop before. NULL and "auto"
 * are not texts of places here. The detail is written on failure. */
tutti_status tt_place_shared(tutti_place **out, const char *text);

/* The shared place that `auto` spreads to for bodies that take `form`
 * (TUTTI_TAKES_...); NULL: none here. */
tutti_place *tt_place_automatic(unsigned form);

#endif
