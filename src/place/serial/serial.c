/* The serial place: the reference. Nobody is ever invited, so the caller runs
 * every range itself, in order, and other places must give its answers. */
#include <stdio.h>

#include "core/status.h"
#include "place/places.h"

static bool probe(char *reason, size_t size)
{
    snprintf(reason, size, "the caller itself");
    return true;
}

static tutti_status open_place(void **state, unsigned workers)
{
    if (workers > 1)
        return tt_fail(TUTTI_EARG,
                       "serial:%u given: the serial place has one worker; "
                       "write \"serial\"",
                       workers);
    *state = NULL;
    return TUTTI_OK;
}

static void close_place(void *state)
{
    (void)state;
}

static void cost(void *state, tutti_place_cost *cost)
{
    (void)state;
    *cost = (tutti_place_cost){0};
}

static unsigned invite(void *state, tutti_run *run, unsigned workers)
{
    (void)state;
    (void)run;
    (void)workers;
    return 0;
}

static void recall(void *state, tutti_run *run)
{
    (void)state;
    (void)run;
}

const tutti_place_ops tt_place_serial = {
    .version = TUTTI_PLACE_VERSION,
    .name = "serial",
    .takes = TUTTI_TAKES_CALL,
    .caller_works = true,
    .probe = probe,
    .open = open_place,
    .close = close_place,
    .cost = cost,
    .invite = invite,
    .recall = recall,
};
