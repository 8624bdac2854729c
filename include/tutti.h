/** tutti: one loop, run where it pays.
 *
 * The tour: a loop (loop.h) is n independent tasks and a body that runs
 * ranges of them; map.h has the loops that most programs want. A place
 * (place.h) is where workers run ranges; without one named, tutti starts in
 * the caller and spreads when its measurements say so. A report (report.h)
 * tells where the time went. A job (job.h) is a loop in the background. A
 * kernel (kernel.h) is a function found by text, `file.c:name`; linalg.h has
 * sums and products of matrices, wordcount.h words of files, expect.h means.
 *
 *     static int root(const void *x, void *y, void *context) {
 *         (void)context;
 *         *(double *)y = sqrt(*(const double *)x);
 *         return 0;
 *     }
 *     ...
 *     tutti_array in = {x, sizeof *x}, out = {y, sizeof *y};
 *     if (tutti_map(root, in, out, n, NULL, 0, NULL) != TUTTI_OK)
 *         fprintf(stderr, "%s\n", tutti_detail());
 *
 * Calls that can fail return a tutti_status; tutti_detail() has the sentence.
 */
#ifndef TUTTI_H
#define TUTTI_H

#include <tutti/expect.h>
#include <tutti/info.h>
#include <tutti/job.h>
#include <tutti/kernel.h>
#include <tutti/linalg.h>
#include <tutti/loop.h>
#include <tutti/map.h>
#include <tutti/place.h>
#include <tutti/report.h>
#include <tutti/status.h>
#include <tutti/version.h>
#include <tutti/wordcount.h>

#endif
