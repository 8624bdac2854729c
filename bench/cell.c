#include "cell.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

__attribute__((noinline)) int task(const void *turns, void *result,
                                   void *context)
{
    double x = 1;
    (void)context;
    for (uint32_t i = *(const uint32_t *)turns; i > 0; i--)
        x = x * 1.0000001 + 1e-9;
    *(double *)result = x;
    return 0;
}

static double measure_turn(void)
{
    uint32_t turns = 1000000;
    double result, best = 1;
    for (int i = 0; i < 15; i++) {
        double start = now();
        task(&turns, &result, NULL);
        best = fmin(best, (now() - start) / turns);
    }
    return best;
}

double turn_seconds(void)
{
    static double seconds;
    if (seconds == 0)
        seconds = measure_turn();
    return seconds;
}

/* A number in (0, 1] that depends on i alone. */
static double hashed(size_t i)
{
    uint64_t z = (i + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return ((double)((z ^ z >> 31) >> 11) + 1) * 0x1p-53;
}

/* The weight of task i of n; means do not matter, they are scaled to 1. */
static double weight(enum shape shape, size_t i, size_t n)
{
    double at = ((double)i + 0.5) / (double)n;
    switch (shape) {
    case FRONT:
        return at < 0.1 ? 10 : 0.5;
    case BACK:
        return at < 0.9 ? 0.5 : 10;
    case HEAVY_TAIL: /* Pareto, exponent 1.5 */
        return pow(hashed(i), -1 / 1.5);
    case GIANT: /* half of all work in one task */
        return i == n / 3 ? (double)n : 1;
    default:
        return 1;
    }
}

int cell_make(struct cell *cell, double seconds, size_t n, enum shape shape)
{
    *cell = (struct cell){seconds, n, shape, NULL, NULL};
    cell->turns = malloc(n * sizeof *cell->turns);
    cell->results = calloc(n, sizeof *cell->results);
    if (!cell->turns || !cell->results) {
        cell_free(cell);
        return -1;
    }
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += weight(shape, i, n);
    double turns = seconds / turn_seconds() * (double)n / sum;
    for (size_t i = 0; i < n; i++)
        cell->turns[i] = (uint32_t)(weight(shape, i, n) * turns + 0.5);
    return 0;
}

void cell_free(struct cell *cell)
{
    free(cell->turns);
    free(cell->results);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, ascending);
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}
