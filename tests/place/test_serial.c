/* The serial place: in order, by the caller alone. */
#include <string.h>

#include "place/places.h"
#include "tally.h"

struct order {
    size_t next, ranges;
    bool wrong;
};

static size_t in_order(void *context, size_t begin, size_t end, unsigned worker)
{
    struct order *order = context;
    order->wrong |= begin != order->next || end <= begin || worker != 0;
    order->next = end;
    order->ranges++;
    return end;
}

static void the_caller_runs_all_in_order(void **state)
{
    (void)state;
    struct order order = {0};
    tutti_report report = TUTTI_REPORT_INIT;
    tutti_options options = TUTTI_OPTIONS_INIT;
    tutti_loop loop = {.n = 100000, .body = in_order, .context = &order};
    options.on = "serial";
    options.workers = 8;
    options.report = &report;
    assert_int_equal(tutti_loop_run(&loop, &options), TUTTI_OK);
    assert_int_equal(order.next, 100000);
    assert_false(order.wrong);
    assert_int_equal(report.ranges, order.ranges);
    assert_int_equal(report.joined, 1);
    assert_true(report.spread_at < 0);
    assert_string_equal(report.place, "serial");
}

static void the_table_is_whole(void **state)
{
    (void)state;
    const tutti_place_ops *ops = &tt_place_serial;
    tutti_place_cost cost;
    char reason[80] = "";
    void *made = &made;
    assert_int_equal(ops->version, TUTTI_PLACE_VERSION);
    assert_true(ops->probe(reason, sizeof reason) && reason[0]);
    assert_int_equal(ops->open(&made, 2), TUTTI_EARG);
    assert_ptr_equal(made, &made);
    assert_int_equal(ops->open(&made, 1), TUTTI_OK);
    memset(&cost, 1, sizeof cost);
    ops->cost(made, &cost);
    assert_true(cost.open == 0 && cost.invite == 0);
    assert_int_equal(ops->invite(made, NULL, 5), 0);
    ops->recall(made, NULL);
    ops->close(made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_caller_runs_all_in_order),
        cmocka_unit_test(the_table_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
