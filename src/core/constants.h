/* What this machine takes for what tutti does, in seconds: defaults until
 * measured, by `tutti info` or in passing, then kept in the user's cache
 * folder. Never measured in a user's loop. */
#ifndef TT_CORE_CONSTANTS_H
#define TT_CORE_CONSTANTS_H

#include <stdbool.h>

#include "core/status.h"

enum tt_constant {
    TT_CLOCK_READ,   /* a look at the clock */
    TT_FUTEX_WAKE,   /* waking a thread: for the one that wakes */
    TT_WAKE_LATENCY, /* waking a thread: until it runs */
    TT_THREAD_START, /* starting a thread: for the one that starts it */
    TT_PROCESS_OPEN, /* starting processes: until the first one can work */
    TT_CONSTANTS
};

/* The name of a constant, as in the file. */
const char *tt_constant_name(enum tt_constant which);

/* A load (the first call reads the file: 50 us). Any thread. */
double tt_constant(enum tt_constant which);

/* Whether it was ever measured on this machine. */
bool tt_constant_measured(enum tt_constant which);

/* Moves the constant an eighth of the way to `seconds`; one sample counts at
 * most as four times the constant. Kept at exit if it moved much. Any thread.
 */
void tt_constant_learn(enum tt_constant which, double seconds);

/* Replaces it: measured at leisure. */
void tt_constant_set(enum tt_constant which, double seconds);

/* Measures all but the last and keeps them: about 3 ms, with a thread of its
 * own. Errors: TUTTI_ESYS (no thread; the file cannot be written: the values
 * hold all the same). */
TUTTI_MUST_CHECK tutti_status tt_constants_measure(void);

/* Writes the file. Errors: TUTTI_ESYS; the old file is then left. */
TUTTI_MUST_CHECK tutti_status tt_constants_save(void);

/* Forgets all and reads the file again. For tests. */
void tt_constants_reload(void);

#endif
