/* The bar of --progress. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

struct cli_progress {
    double began; /* seconds of the clock */
    bool shown;   /* stderr is a terminal */
    bool drawn;   /* something stands on the line */
    int columns;  /* of it */
};

/* Makes a bar; it shows on a terminal only. */
void cli_progress_start(struct cli_progress *bar);

/* Draws it: a tutti_progress. */
int cli_progress_draw(void *bar, size_t done, size_t n);

/* Leaves the bar's line, if there is one. */
void cli_progress_end(struct cli_progress *bar);

/* Columns of the terminal that stderr is, or 80. */
int cli_columns(void);

#endif
