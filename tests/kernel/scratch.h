/* A folder of the test's own, in which the cache and its sources are. */
#ifndef TUTTI_TESTS_SCRATCH_H
#define TUTTI_TESTS_SCRATCH_H

#include <stddef.h>

/* Makes the folder and points XDG_CACHE_HOME to CACHE in it, and removes it.
 * For cmocka's set-up and tear-down of a test. */
int scratch_open(void **state);
int scratch_close(void **state);

/* The path of `name` in the folder; good until the eighth next call. */
const char *scratch_path(const char *name);

/* Writes a file that looks as old as a header that nobody edits. */
const char *scratch_write(const char *name, const char *text);

/* The files in the cache whose names end in `end`; the path of one of them, if
 * there is one, is copied to `path`. */
size_t scratch_cached(const char *end, char *path, size_t room);

/* From now on $CC is a script that runs the system's compiler; counts its runs
 * so far. */
void scratch_count_compilers(void);
size_t scratch_compilers(void);

#endif
