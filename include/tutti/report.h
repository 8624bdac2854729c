#ifndef TUTTI_REPORT_H
#define TUTTI_REPORT_H

#include <stddef.h>
#include <stdint.h>

#include <tutti/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Why a loop ran where it did. */
typedef enum tutti_reason {
    TUTTI_WHY_ASKED = 1, /**< the place was asked for */
    TUTTI_WHY_PAYS,      /**< spreading was expected to pay: gain, cost */
    TUTTI_WHY_COSTS,     /**< spreading would have cost more: gain, cost */
    TUTTI_WHY_ENDED,     /**< it was over before that could be decided */
    TUTTI_WHY_ONE_TASK,  /**< one task cannot be shared */
    TUTTI_WHY_ONE_CPU    /**< there is one CPU to run on */
} tutti_reason;

/** Where the time of one loop went. Times are seconds; the eight from `user`
 * to `unknown` add up to lanes x wall. All but `unknown` are measured, idle
 * time too; `unknown` is what is left, below 0 if lanes overlapped. */
typedef struct tutti_report {
    uint32_t size;       /**< sizeof(tutti_report), set by TUTTI_REPORT_INIT */
    char place[32];      /**< where it ran: "serial", "threads", ... */
    unsigned lanes;      /**< workers it could use, the caller included */
    unsigned joined;     /**< of these, how many ran a range */
    size_t n;            /**< tasks asked for */
    size_t done;         /**< tasks run */
    size_t ranges;       /**< ranges they ran in */
    double wall;         /**< from the call to its return */
    double user;         /**< in the body */
    double encode;       /**< turning items and results into bytes and back */
    double claim;        /**< taking ranges, clocks, bookkeeping */
    double copy;         /**< moving bytes */
    double wait;         /**< the caller's, for the last ranges of others */
    double startup;      /**< from invitation to a worker's first claim */
    double idle;         /**< lanes without work */
    double unknown;      /**< what none of these explains */
    double task;         /**< mean time of a task in the body */
    double spread_at;    /**< when workers were invited; < 0: never */
    double gain;         /**< seconds that spreading was expected to save */
    double cost;         /**< seconds that it was expected to cost */
    tutti_reason reason; /**< the decision */
} tutti_report;

#define TUTTI_REPORT_INIT TUTTI_INIT(tutti_report)

/** Writes the explanation of this thread's last loop: place, decision with
 * its numbers, where the time went, a few lines of text.
 *
 * text: [out] at most `size` bytes with the closing zero; may be NULL when
 *       size is 0.
 * Returns: the length of the whole explanation without the zero, as
 *       snprintf; 0 when this thread has run no loop.
 * Threads: any; each explains its own last loop.  Cost: formatting only.
 */
size_t tutti_explain(char *text, size_t size);

/** As tutti_explain(), from a report that a loop filled (options.report); 0
 * when `report` is NULL or of another size. */
size_t tutti_report_text(const tutti_report *report, char *text, size_t size);

/** Writes the trace of this process's recent loops (up to 256, with up to
 * 8192 events) as Chrome trace JSON (opens in Perfetto and chrome://tracing),
 * by temporary file and rename. A row is a worker of a calling thread; what
 * was merged or left out to bound the memory is counted in it.
 *
 * path: the file to make or replace; not a device.
 * Errors: TUTTI_EARG (path is NULL or empty, tracing is off by TUTTI_TRACE),
 *       TUTTI_ESYS (cannot write; nothing is left behind), TUTTI_EMEM.
 * Threads: any.  Cost: about a microsecond an event.
 */
TUTTI_MUST_CHECK tutti_status tutti_trace_write(const char *path);

/** Draws this thread's last loop as a time line: a line for each worker that
 * came, an axis, a legend. In UTF-8 where the locale of the environment
 * (LC_ALL, LC_CTYPE, LANG) is, else in ASCII.
 *
 * text, size: as tutti_explain(); `size` counts bytes.
 * columns: width of a line in characters; below 40 is 40, above 500 is 500.
 * Returns: as tutti_explain(); 0 also when tracing was off (TUTTI_TRACE).
 * Threads: any; each draws its own last loop.  Cost: about 50 us a worker.
 */
size_t tutti_trace_draw(char *text, size_t size, unsigned columns);

#ifdef __cplusplus
}
#endif
#endif
