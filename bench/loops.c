/* Loops in C: the plain loop, tutti on auto and on threads, OpenMP's best
 * schedule and chunk, on a grid of cells. Prints one line of JSON a cell.
 *
 *     bench_loops [CAP SECONDS] [PAIRS]
 *
 * The ways are interleaved, PAIRS times; each is run twice in a row and the
 * second run counts, so that its threads are as awake as in a program that
 * calls it often; then all threads are given the time to park. */
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <tutti.h>

#include "cell.h"

#define PAIRS_MOST 101
#define PARK_US 3000 /* libgomp's threads spin for about 2 ms */

enum way { PLAIN, AGAIN, AUTO, THREADS, OPENMP, WAYS };

static const char *const way_names[WAYS] = {"plain", "again", "auto", "threads",
                                            "openmp"};
static omp_sched_t best_kind;
static int best_chunk;

static void plain(struct cell *c)
{
    for (size_t i = 0; i < c->n; i++)
        task(&c->turns[i], &c->results[i], NULL);
}

static void with_tutti(struct cell *c, const char *on)
{
    tutti_options options = TUTTI_OPTIONS_INIT;
    tutti_array items = {c->turns, sizeof *c->turns};
    tutti_array results = {c->results, sizeof *c->results};
    options.on = on;
    if (tutti_map(task, items, results, c->n, NULL, 0, &options)) {
        fprintf(stderr, "%s\n", tutti_detail());
        exit(1);
    }
}

static void with_openmp(struct cell *c)
{
#pragma omp parallel for schedule(runtime)
    for (size_t i = 0; i < c->n; i++)
        task(&c->turns[i], &c->results[i], NULL);
}

static double timed(enum way way, struct cell *c)
{
    double start = now();
    switch (way) {
    case AUTO:
        with_tutti(c, "auto");
        break;
    case THREADS:
        with_tutti(c, "threads");
        break;
    case OPENMP:
        with_openmp(c);
        break;
    default:
        plain(c);
    }
    return now() - start;
}

static double run(enum way way, struct cell *c)
{
    timed(way, c);
    double seconds = timed(way, c);
    if (way >= AUTO)
        usleep(PARK_US);
    return seconds;
}

/* Finds OpenMP's best schedule for a cell by trying all. */
static void search(struct cell *c)
{
    static const omp_sched_t kinds[] = {omp_sched_static, omp_sched_dynamic,
                                        omp_sched_guided};
    double best = INFINITY;
    for (size_t k = 0; k < 3; k++)
        for (int chunk = kinds[k] == omp_sched_static ? 0 : 1;
             chunk == 0 || (size_t)chunk <= c->n / 2 + 1;
             chunk = chunk ? 8 * chunk : 1) {
            double tries[3];
            omp_set_schedule(kinds[k], chunk);
            for (int i = 0; i < 3; i++)
                tries[i] = timed(OPENMP, c);
            double seconds = median(tries, 3);
            if (seconds < best) {
                best = seconds;
                best_kind = kinds[k];
                best_chunk = chunk;
            }
        }
    omp_set_schedule(best_kind, best_chunk);
    usleep(PARK_US);
}

static void measure(struct cell *c, int pairs)
{
    static double seconds[WAYS][PAIRS_MOST];
    search(c);
    for (int i = 0; i < pairs; i++)
        for (int way = 0; way < WAYS; way++)
            seconds[way][i] = run((enum way)way, c);
    printf("{\"task\": %g, \"n\": %zu, \"shape\": \"%s\"", c->task, c->n,
           shape_names[c->shape]);
    for (int way = 0; way < WAYS; way++)
        printf(", \"%s\": %.9f", way_names[way],
               median(seconds[way], (size_t)pairs));
    printf(", \"schedule\": \"%s,%d\"}\n",
           best_kind == omp_sched_static    ? "static"
           : best_kind == omp_sched_dynamic ? "dynamic"
                                            : "guided",
           best_chunk);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static const double tasks[] = {50e-9, 500e-9, 5e-6, 50e-6, 500e-6, 10e-3};
    double cap = argc > 1 ? atof(argv[1]) : 1;
    int pairs = argc > 2 ? atoi(argv[2]) : 15;
    if (!(cap > 0) || pairs < 1 || pairs > PAIRS_MOST) {
        fprintf(stderr, "usage: bench_loops [CAP SECONDS] [PAIRS, 1 to %d]\n",
                PAIRS_MOST);
        return 2;
    }
    for (size_t t = 0; t < sizeof tasks / sizeof *tasks; t++)
        for (size_t n = 1; n <= 1000000; n = n == 1 ? 2 : n == 2 ? 10 : 10 * n)
            for (int shape = 0; shape < SHAPES; shape++) {
                struct cell c;
                if (tasks[t] * (double)n > cap || (shape && n < 10))
                    continue;
                if (cell_make(&c, tasks[t], n, (enum shape)shape))
                    return 1;
                measure(&c, pairs);
                cell_free(&c);
            }
    return 0;
}
