/* Counts the tasks of a loop: which ran, how often. */
#ifndef TUTTI_TESTS_TALLY_H
#define TUTTI_TESTS_TALLY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <tutti.h>

/* Keeps the CPU busy for so long. */
void tally_spin(uint64_t ns);

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

/* The same as a loop's body; the context is the tally. */
size_t tally_range(void *tally, size_t begin, size_t end, unsigned worker);

/* Tasks that ran; asserts that none ran twice. */
size_t tally_ran(const struct tally *tally);

#endif
