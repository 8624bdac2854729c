/* Open places, and the table of those this build knows. */
#ifndef TT_SCHED_PLACE_H
#define TT_SCHED_PLACE_H

#include <tutti/place.h>
#include <tutti/sys/place.h>

struct tutti_place {
    const tutti_place_ops *ops;
    void *state;
    unsigned workers; /* asked for; 0: the budget */
    bool automatic;   /* the caller starts alone, the helper invites */
    char text[32];
};

/* The shared place of a text, opened at its first use and kept: a loop that
 * names its place by text finds the team of the loop before. NULL and "auto"
 * are not texts of places here. The detail is written on failure. */
tutti_status tt_place_shared(tutti_place **out, const char *text);

/* The shared place that `auto` spreads to for bodies that take `form`
 * (TUTTI_TAKES_...); NULL: none here. */
tutti_place *tt_place_automatic(unsigned form);

#endif
