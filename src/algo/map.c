#include <tutti/map.h>

#include "algo/travel.h"
#include "core/status.h"

struct map {
    tutti_map_fn f;
    tutti_array items, results;
    void *context;
};

static size_t map_range(void *context, size_t begin, size_t end,
                        unsigned worker)
{
    struct map m = *(struct map *)context;
    char *item = (char *)m.items.data + (ptrdiff_t)begin * m.items.stride;
    char *result = (char *)m.results.data + (ptrdiff_t)begin * m.results.stride;
    (void)worker;
    for (; begin < end; begin++) {
        if (m.f(item, result, m.context) != 0)
            break;
        item += m.items.stride;
        result += m.results.stride;
    }
    return begin;
}

static tutti_status send_map(const struct map *map, size_t n,
                             size_t context_size, const tutti_options *options)
{
    const struct tt_travel travel = {
        .kind = TT_TRAVEL_MAP,
        .what = "tutti_map",
        .function = {(tt_function)map->f},
        .context = map->context,
        .context_size = context_size,
        .items = map->items,
        .results = map->results,
        .item_size = options ? options->item_size : 0,
        .result_size = options ? options->result_size : 0,
    };
    return tt_travel_run(&travel, n, 1, options);
}

tutti_status tutti_map(tutti_map_fn f, tutti_array items, tutti_array results,
                       size_t n, void *context, size_t context_size,
                       const tutti_options *options)
{
    struct map map = {f, items, results, context};
    tutti_loop loop = {.n = n,
                       .body = map_range,
                       .context = &map,
                       .key = (const void *)(uintptr_t)f};
    if (!f)
        return tt_fail(TUTTI_EARG, "tutti_map: the function is NULL");
    if (n > 0 && (!items.data || !results.data))
        return tt_fail(TUTTI_EARG, "tutti_map: %zu tasks, but %s is NULL", n,
                       items.data ? "results.data" : "items.data");
    if (n > 0 && tt_travel_needed(options))
        return send_map(&map, n, context_size, options);
    return tutti_loop_run(&loop, options);
}

struct each {
    tutti_for_fn f;
    void *context;
};

static size_t for_range(void *context, size_t begin, size_t end,
                        unsigned worker)
{
    struct each e = *(struct each *)context;
    (void)worker;
    for (; begin < end; begin++)
        if (e.f(begin, e.context) != 0)
            break;
    return begin;
}

static tutti_status send_for(const struct each *each, size_t n,
                             size_t context_size, const tutti_options *options)
{
    const struct tt_travel travel = {
        .kind = TT_TRAVEL_FOR,
        .what = "tutti_for",
        .function = {(tt_function)each->f},
        .context = each->context,
        .context_size = context_size,
    };
    return tt_travel_run(&travel, n, 1, options);
}

tutti_status tutti_for(tutti_for_fn f, size_t n, void *context,
                       size_t context_size, const tutti_options *options)
{
    struct each each = {f, context};
    tutti_loop loop = {.n = n,
                       .body = for_range,
                       .context = &each,
                       .key = (const void *)(uintptr_t)f};
    if (!f)
        return tt_fail(TUTTI_EARG, "tutti_for: the function is NULL");
    if (n > 0 && tt_travel_needed(options))
        return send_for(&each, n, context_size, options);
    return tutti_loop_run(&loop, options);
}
