/* The program run again as a zygote of workers, without its main(). */
#ifndef TT_ALGO_DIVERT_H
#define TT_ALGO_DIVERT_H

#include "core/status.h"

/* The command that becomes a zygote whose workers serve tt_visit.
 * TUTTI_EPLACE: this program cannot be run again so, and why. Any thread. */
TUTTI_MUST_CHECK tutti_status tt_divert_command(const char *const **out);

#endif
