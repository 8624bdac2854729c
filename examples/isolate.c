/* A function that crashes for one of its inputs. In worker processes that ends
 * a worker, not the program, which is told the task and the signal:
 *
 *     cc isolate.c $(pkg-config --cflags --libs tutti) -o isolate && ./isolate
 */
#include <assert.h>
#include <stdio.h>
#include <tutti.h>

#define N 1000

struct order {
    int pieces, boxes;
};

static int pieces_a_box(const void *item, void *result, void *context)
{
    const struct order *order = item;
    (void)context;
    assert(order->boxes > 0);
    *(int *)result = order->pieces / order->boxes;
    return 0;
}

static tutti_status run(struct order *orders, int *results)
{
    tutti_options options = TUTTI_OPTIONS_INIT;
    options.on = "processes:2";
    options.task_timeout = 10; /* seconds: a task that hangs is ended, too */
    return tutti_map(pieces_a_box, (tutti_array){orders, sizeof *orders},
                     (tutti_array){results, sizeof *results}, N, NULL, 0,
                     &options);
}

int main(void)
{
    static struct order orders[N];
    static int results[N];
    for (int i = 0; i < N; i++)
        orders[i] = (struct order){10 * i, i == 700 ? 0 : 5};
    if (run(orders, results) != TUTTI_ELOST)
        return 1;
    printf("the program goes on: %s\n", tutti_detail());
    orders[700].boxes = 5;
    if (run(orders, results) != TUTTI_OK)
        return 1;
    printf("order 700 has %d pieces a box\n", results[700]);
    return 0;
}
