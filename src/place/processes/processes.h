#ifndef TT_PLACE_PROCESSES_H
#define TT_PLACE_PROCESSES_H

#include <tutti/sys/place.h>

extern const tutti_place_ops tt_place_processes;

#endif
