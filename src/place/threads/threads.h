#ifndef TT_PLACE_THREADS_H
#define TT_PLACE_THREADS_H

#include <tutti/sys/place.h>

extern const tutti_place_ops tt_place_threads;

#endif
