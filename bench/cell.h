/* A cell of the grid: n tasks of a given time and shape, run by any of the
 * ways that are compared. */
#ifndef BENCH_CELL_H
#define BENCH_CELL_H

#include <stddef.h>
#include <stdint.h>

enum shape { UNIFORM, FRONT, BACK, HEAVY_TAIL, GIANT, SHAPES };

struct cell {
    double task; /* mean seconds */
    size_t n;
    enum shape shape;
    uint32_t *turns; /* of the work loop, a task */
    double *results;
};

double now(void);

/* Seconds of one turn of the work loop; measured once. */
double turn_seconds(void);

/* Makes a cell's tasks; 0, or -1 without memory. */
int cell_make(struct cell *cell, double task, size_t n, enum shape shape);
void cell_free(struct cell *cell);

/* The task: some multiplications. */
int task(const void *turns, void *result, void *context);

double median(double *values, size_t count);

#endif
