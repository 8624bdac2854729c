#include "trace/lane.h"

#include <string.h>

#include "core/settings.h"

#define GRAIN_FIRST 100000 /* ns: longer ones stay single while they fit */
#define ROOM_AFTER (TT_LANE_EVENTS * 3 / 4)

_Static_assert(sizeof(struct tt_lane) <= 16384, "a lane is small");
_Static_assert(TT_LANE_EVENTS < TT_LANE_NONE, "indices fit");

void tt_lane_init(struct tt_lane *lane, unsigned worker, enum tt_kind kind,
                  uint64_t now)
{
    memset(lane, 0, offsetof(struct tt_lane, events));
    lane->start = lane->since = now;
    lane->kind = kind;
    lane->worker = worker;
    lane->kept = tt_settings()->trace;
    for (unsigned k = 0; k < TT_KINDS; k++)
        lane->last[k] = TT_LANE_NONE;
}

/* Merges `e` into `into` if both lie within `grain` ns. */
static bool merge(struct tt_event *into, const struct tt_event *e,
                  uint64_t grain)
{
    uint64_t from = e->from < into->from ? e->from : into->from;
    uint64_t to = e->to > into->to ? e->to : into->to;
    if (to - from > grain)
        return false;
    into->from = from;
    into->to = to;
    into->busy += e->busy;
    into->begin = e->begin < into->begin ? e->begin : into->begin;
    into->end = e->end > into->end ? e->end : into->end;
    into->tasks += e->tasks;
    into->ranges += e->ranges;
    return true;
}

/* Merges `e` into the newest of its kind, or appends it: there is room. */
static void put(struct tt_lane *lane, const struct tt_event *e)
{
    uint16_t *last = &lane->last[e->kind];
    if (lane->grain && *last != TT_LANE_NONE &&
        merge(&lane->events[*last], e, lane->grain))
        return;
    lane->events[lane->used] = *e;
    *last = lane->used++;
}

void tt_lane_squeeze(struct tt_lane *lane, unsigned room)
{
    while (lane->used > room && lane->grain < UINT64_MAX) {
        uint16_t used = lane->used;
        if (lane->grain > UINT64_MAX / 2)
            lane->grain = UINT64_MAX;
        else
            lane->grain = lane->grain ? 2 * lane->grain : GRAIN_FIRST;
        lane->used = 0;
        for (unsigned k = 0; k < TT_KINDS; k++)
            lane->last[k] = TT_LANE_NONE;
        for (uint16_t i = 0; i < used; i++) {
            struct tt_event e = lane->events[i];
            put(lane, &e);
        }
    }
}

void tt_lane_add(struct tt_lane *lane, enum tt_kind kind, uint64_t from,
                 uint64_t to, size_t begin, size_t end)
{
    if (!lane->kept)
        return;
    struct tt_event e = {
        .from = from,
        .to = to,
        .busy = to - from,
        .begin = begin,
        .end = end,
        .tasks = end - begin,
        .ranges = 1,
        .kind = kind,
        .worker = lane->worker,
    };
    if (lane->used == TT_LANE_EVENTS)
        tt_lane_squeeze(lane, ROOM_AFTER);
    put(lane, &e);
}
