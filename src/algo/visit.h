/* The worker's half of travel.c. */
#ifndef TT_ALGO_VISIT_H
#define TT_ALGO_VISIT_H

#include <tutti/sys/message.h>

extern const tutti_worker tt_visit;

#endif
