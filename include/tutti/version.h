#ifndef TUTTI_VERSION_H
#define TUTTI_VERSION_H

#define TUTTI_VERSION_MAJOR 0
#define TUTTI_VERSION_MINOR 1
#define TUTTI_VERSION_PATCH 0
#define TUTTI_VERSION "0.1.0"

#ifdef __cplusplus
extern "C" {
#endif

/** The version of the library that runs, as "MAJOR.MINOR.PATCH".
 *
 * Compare with TUTTI_VERSION, the version compiled against.
 * Returns: a constant string, never NULL, owned by the library.
 * Threads: any.  Cost: a load.
 */
const char *tutti_version(void);

#ifdef __cplusplus
}
#endif
#endif
