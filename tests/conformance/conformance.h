/* What every place must do, written once. A place's file calls conform() for
 * each text that opens it; the answers must be those of a plain loop. */
#ifndef TUTTI_TESTS_CONFORMANCE_H
#define TUTTI_TESTS_CONFORMANCE_H

#include "tally.h"

/* Whether bodies see the caller's memory and run in its process. */
enum { CONFORM_SHARES = 1 };

/* Runs the suite in the place `on`; returns how many tests failed. */
int conform(const char *on, unsigned traits);

/* The parts of the suite, a file each. */
extern const struct CMUnitTest conform_results[], conform_tasks[],
    conform_ends[], conform_workers[];
extern const size_t conform_results_count, conform_tasks_count,
    conform_ends_count, conform_workers_count;

#define CONFORM_PART(name) const struct CMUnitTest conform_##name[]

/* For the parts: the place under test, and options that name it. */
extern const char *conform_on;
tutti_options conform_options(void);

#endif
