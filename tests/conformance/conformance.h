/* What every place must do, written once. A place's file calls conform() for
 * each text that opens it; the answers must be those of a plain loop. */
#ifndef TUTTI_TESTS_CONFORMANCE_H
#define TUTTI_TESTS_CONFORMANCE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <tutti.h>

/* Whether bodies see the caller's memory and run in its process. */
enum { CONFORM_SHARES = 1 };

/* Runs the suite in the place `on`; returns how many tests failed. */
int conform(const char *on, unsigned traits);

/* The parts of the suite, a file each. */
extern const struct CMUnitTest conform_results[], conform_tasks[],
    conform_ends[], conform_workers[];
extern const size_t conform_results_count, conform_tasks_count,
    conform_ends_count, conform_workers_count;

#define CONFORM_PART(name) \
    const struct CMUnitTest conform_##name[]; \
    const size_t conform_##name##_count; \
    const struct CMUnitTest conform_##name[]

/* For the parts: the place under test, and options that name it. */
extern const char *conform_on;
tutti_options conform_options(void);

/* Keeps the CPU busy for so long. */
void conform_spin(uint64_t ns);

/* Which tasks of a loop ran, how often, and what each costs. */
struct tally {
    _Atomic unsigned char *times;
    size_t n;
    uint64_t (*cost)(size_t index, size_t n); /* ns; NULL: none */
    const bool *fails;                        /* a task; NULL: none */
};

struct tally *tally_new(size_t n);
void tally_free(struct tally *tally);

/* A tutti_for_fn on a tally: counts the task, pays its cost, fails with
 * "index %zu is bad" if it shall. */
int tally_task(size_t index, void *tally);

/* Tasks that ran; asserts that none ran twice. */
size_t tally_ran(const struct tally *tally);

#endif
