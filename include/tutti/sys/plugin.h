/** For places that come as shared objects of their own (`tutti-NAME.so`), since
 * they need a library that not everybody has. A plug-in exports the one symbol
 * tutti_plugin and imports none of libtutti's: what it may call arrives in a
 * struct. It is looked for in $TUTTI_PLACES, beside the library, and where
 * libtutti was installed. Read place/openmp.
 * Second tier: may change between minor versions. */
#ifndef TUTTI_SYS_PLUGIN_H
#define TUTTI_SYS_PLUGIN_H

#include <tutti/sys/place.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What a plug-in may call. All are for any thread. */
typedef struct tutti_services {
    uint32_t version; /**< TUTTI_PLACE_VERSION of the library */

    /** The clock of `invited`, in nanoseconds. */
    uint64_t (*clock)(void);

    /** Counts workers in, before they are told of the run. */
    void (*count_in)(tutti_run *run, unsigned workers);

    /** Counts out one who will not come. May free the run. */
    void (*count_out)(tutti_run *run);

    /** The whole stay of a worker: joins, claims, runs, counts itself out. May
     * free the run. `invited`: when it was asked. */
    void (*work)(tutti_run *run, uint64_t invited);

    /** Starts a thread that is never joined and takes no signals but its own
     * faults. TUTTI_ESYS: it cannot be. */
    tutti_status (*start)(void *(*main)(void *), void *arg);
} tutti_services;

/** The type of `tutti_plugin`, a constant: keeps `services`, which live for
 * ever, and returns the place's operations; or NULL with a line on why not,
 * such as another version of the services. Two threads may call it at once. */
typedef const tutti_place_ops *(*tutti_plugin_entry)(
    const tutti_services *services, char *reason, size_t size);

#ifdef __cplusplus
}
#endif
#endif
