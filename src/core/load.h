/* The system's loader, and forks. */
#ifndef TT_CORE_LOAD_H
#define TT_CORE_LOAD_H

#include <tutti/status.h>

/* The loader's locks are the system's: a child that is forked while another
 * thread loads has them locked for ever. So what calls it (dlopen(), dlsym(),
 * dlclose(), dladdr(), dl_iterate_phdr()) does so between these two, while no
 * thread forks.
 *
 * Errors: TUTTI_ESYS in a child that was forked all the same, as the loading
 * took too long. Nests. Threads: any. */
TUTTI_MUST_CHECK tutti_status tt_load_begin(void);
void tt_load_end(void);

/* dlclose(); NULL is allowed. */
void tt_load_close(void *library);

#endif
