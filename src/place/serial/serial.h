#ifndef TT_PLACE_SERIAL_H
#define TT_PLACE_SERIAL_H

#include <tutti/sys/place.h>

#include "core/status.h"

extern const tutti_place_ops tt_place_serial;

#endif
