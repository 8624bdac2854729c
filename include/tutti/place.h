#ifndef TUTTI_PLACE_H
#define TUTTI_PLACE_H

#include <stdbool.h>
#include <stddef.h>

#include <tutti/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Where workers run ranges: an open team of threads, pool of processes, ... */
typedef struct tutti_place tutti_place;

/** One kind of place, as tutti_place_info() tells it. */
typedef struct tutti_place_kind {
    const char *name; /**< "serial", "threads", ...; constant */
    bool present;     /**< it can be opened here */
    char reason[160]; /**< why not, or what it stands on; never empty */
} tutti_place_kind;

/** Opens a place by its text: `NAME[:COUNT]`, the grammar of `on=` in
 * docs/places.md ("serial", "threads", "threads:4", "processes:2", "auto").
 *
 * out:  [out] the open place, written only on success.
 * text: the place; NULL means "auto". COUNT is the number of workers, the
 *       caller included where it takes part; 1 to 1024.
 * Errors: TUTTI_EARG (unknown name, count that is not a number in range),
 *       TUTTI_EPLACE (absent here; the detail says why), TUTTI_EMEM.
 * Ownership: the caller's, until tutti_place_close().
 * Threads: any; an open place may be used by many threads at once.
 * Cost: microseconds; workers start with the first loop that needs them.
 */
TUTTI_MUST_CHECK tutti_status tutti_place_open(tutti_place **out,
                                               const char *text);

/** Closes a place: waits for the loops that run there, ends its workers, frees.
 *
 * place: NULL is allowed.
 * Threads: any, but not from inside a loop that runs there. No loop may start
 *       there during or after the call: nothing checks this.
 * Cost: until running loops end; joins the place's workers.
 */
void tutti_place_close(tutti_place *place);

/** The text that would open an equal place, such as "threads:4".
 *
 * Returns: a string owned by the place.  Threads: any.  Cost: a load.
 */
const char *tutti_place_text(const tutti_place *place);

/** Tells the index-th kind of place that this build knows, present or not.
 *
 * kind: [out] written only when the call returns true.
 * Returns: false when there is no such index (they run from 0 without gap).
 * Threads: any.  Cost: probes the place, at most some milliseconds.
 */
bool tutti_place_info(size_t index, tutti_place_kind *kind);

#ifdef __cplusplus
}
#endif
#endif
