/* Places in shared objects of their own: see tutti/sys/plugin.h. */
#ifndef TT_SCHED_PLUGIN_H
#define TT_SCHED_PLUGIN_H

#include <stdatomic.h>

#include <tutti/sys/place.h>

/* What became of a plug-in; NULL: not looked for yet. No lock, so that a forked
 * child has none to find locked: two threads may load it at once, to the same
 * end. */
typedef struct tt_loaded *_Atomic tt_plugin;

/* The operations of tutti-NAME.so, which is loaded at the first call and stays;
 * NULL, and a line on why, if it cannot be. Any thread. */
const tutti_place_ops *tt_plugin_ops(tt_plugin *plugin, const char *name,
                                     char *reason, size_t size);

#endif
