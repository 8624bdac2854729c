/* Makes one allocation, thread start or descriptor fail, to see what the code
 * does then. See README.md. */
#ifndef TUTTI_TESTS_FAULT_H
#define TUTTI_TESTS_FAULT_H

#include <stdbool.h>

#include <tutti/status.h>

/* The n-th call from now on fails, counted from 0 over all threads; the others
 * succeed. Negative: none fails. */
void tt_fault_set(long n);

/* Calls since tt_fault_set(). */
long tt_fault_count(void);

/* Whether the call that should fail has been made. */
bool tt_fault_fired(void);

/* Runs `scenario` again and again, with the first, second, ... call failing,
 * until it ends before the call that should fail. Asserts (cmocka) that each
 * run returns TUTTI_OK or an error with a sentence, and the last TUTTI_OK.
 * Returns the number of faults. The scenario cleans up after itself. */
long tt_fault_each(tutti_status (*scenario)(void *arg), void *arg);

#endif
