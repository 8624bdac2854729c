/* Loops in C: the plain loop, tutti on auto and on threads, OpenMP's best
 * schedule and chunk. Reads cells from standard input, a line each,
 *
 *     TASK_SECONDS N SHAPE PAIRS
 *
 * and answers each with a line of JSON: the seconds of every run of every way.
 * A task of 0 seconds is an empty loop, of which a thousand are timed at once.
 *
 * The ways are interleaved, PAIRS times, forwards and backwards in turn. Before
 * each, all threads are given the time to park; then short loops are run twice
 * in a row, very short ones five times, and the last run counts, so that
 * threads are as awake as in a program that calls them often. */
#include <math.h>
#include <omp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <tutti.h>

#include "cell.h"

#define PAIRS_MOST 101
#define PARK_US 3000
#define OPENMP_US 30000
#define SHORT 0.001 /* seconds: loops that are run five times */
#define WARM 0.02   /* seconds: above it a wake-up does not matter */
#define EMPTY_LOOPS 1000

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

static void loop(enum way way, struct cell *c)
{
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
}

static double timed(enum way way, struct cell *c)
{
    int loops = c->task > 0 ? 1 : EMPTY_LOOPS;
    double start = now();
    for (int i = 0; i < loops; i++)
        loop(way, c);
    return (now() - start) / loops;
}

/* libgomp's threads spin for long (GOMP_SPINCOUNT): not into other ways. */
static bool after_openmp;

static double run(enum way way, struct cell *c)
{
    double work = c->task * (double)c->n;
    usleep(after_openmp ? OPENMP_US : PARK_US);
    after_openmp = way == OPENMP;
    for (int i = work < SHORT ? 4 : work < WARM ? 1 : 0; i > 0; i--)
        timed(way, c);
    return timed(way, c);
}

/* Finds OpenMP's best schedule for a cell by trying all. */
static void search(struct cell *c)
{
    static const omp_sched_t kinds[] = {omp_sched_static, omp_sched_dynamic,
                                        omp_sched_guided};
    size_t runs = c->task * (double)c->n > WARM ? 1 : 3;
    double best = INFINITY;
    for (size_t k = 0; k < 3; k++)
        for (int chunk = kinds[k] == omp_sched_static ? 0 : 1;
             chunk == 0 || (size_t)chunk <= c->n / 2 + 1;
             chunk = chunk ? 8 * chunk : 1) {
            double tries[3];
            omp_set_schedule(kinds[k], chunk);
            for (size_t i = 0; i < runs; i++)
                tries[i] = timed(OPENMP, c);
            double seconds = median(tries, runs);
            if (seconds < best) {
                best = seconds;
                best_kind = kinds[k];
                best_chunk = chunk;
            }
        }
    omp_set_schedule(best_kind, best_chunk);
}

static void measure(struct cell *c, int pairs)
{
    static double seconds[WAYS][PAIRS_MOST];
    search(c);
    for (int i = 0; i < pairs; i++)
        for (int k = 0; k < WAYS; k++) {
            int way = i % 2 ? WAYS - 1 - k : k;
            seconds[way][i] = run((enum way)way, c);
        }
    printf("{\"schedule\": \"%s,%d\"",
           best_kind == omp_sched_static    ? "static"
           : best_kind == omp_sched_dynamic ? "dynamic"
                                            : "guided",
           best_chunk);
    for (int way = 0; way < WAYS; way++) {
        printf(", \"%s\": [", way_names[way]);
        for (int i = 0; i < pairs; i++)
            printf("%s%.9f", i ? ", " : "", seconds[way][i]);
        printf("]");
    }
    printf("}\n");
    fflush(stdout);
}

int main(void)
{
    double task_seconds;
    size_t n;
    int shape, pairs;
    while (scanf("%lf %zu %d %d", &task_seconds, &n, &shape, &pairs) == 4) {
        struct cell c;
        if (!(task_seconds >= 0) || n < 1 || shape < 0 || shape >= SHAPES ||
            pairs < 1 || pairs > PAIRS_MOST) {
            fprintf(stderr, "a cell is TASK_SECONDS N SHAPE PAIRS\n");
            return 2;
        }
        if (cell_make(&c, task_seconds, n, (enum shape)shape))
            return 1;
        measure(&c, pairs);
        cell_free(&c);
    }
    return 0;
}
