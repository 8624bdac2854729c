/* The tables of the places that are built in, for the registry. */
#ifndef TT_PLACE_PLACES_H
#define TT_PLACE_PLACES_H

#include <tutti/sys/place.h>

extern const tutti_place_ops tt_place_serial, tt_place_threads,
    tt_place_processes;

#endif
