#ifndef TUTTI_WORDCOUNT_H
#define TUTTI_WORDCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tutti/loop.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What is counted, and where. Start from TUTTI_WORDCOUNT_QUERY_INIT.
 *
 * A run is a stretch of bytes that are not space; space is tab, newline,
 * vertical tab, form feed, carriage return and blank. The word of a run is
 * what is left of it without the ASCII punctuation at both ends. All bytes
 * above 127 are letters to it; no locale is read. */
typedef struct tutti_wordcount_query {
    uint32_t size;    /**< sizeof(tutti_wordcount_query), by the initialiser */
    const char *word; /**< runs that are this with punctuation, or nothing,
                           around it; NULL: all runs, as `wc -w` counts */
    size_t top;       /**< keep so many of the most frequent words, too; then
                           `word` is NULL */
    bool fold;        /**< A to Z are a to z */
    bool recursive;   /**< a directory stands for the plain files below it, by
                           name; links below it are not followed */
} tutti_wordcount_query;

#define TUTTI_WORDCOUNT_QUERY_INIT TUTTI_INIT(tutti_wordcount_query)

/** What became of a file. */
typedef enum tutti_wordcount_state {
    TUTTI_WORDCOUNT_WHOLE = 0, /**< counted */
    TUTTI_WORDCOUNT_EMPTY,     /**< counted: nothing is in it */
    TUTTI_WORDCOUNT_GREW,      /**< counted as far as it went at first */
    TUTTI_WORDCOUNT_SHRANK,    /**< it ended before its size: what was
                                    there was counted */
    TUTTI_WORDCOUNT_BINARY,    /**< a zero in its first 8 KiB: not counted */
    TUTTI_WORDCOUNT_TWICE,     /**< it was given before, maybe by another name:
                                    not counted again */
    TUTTI_WORDCOUNT_DIRECTORY, /**< not counted */
    TUTTI_WORDCOUNT_FAILED     /**< the system refused; what came before that is
                                    counted */
} tutti_wordcount_state;

/** A file of a count. */
typedef struct tutti_wordcount_file {
    const char *path; /**< as given, or below a directory that was; "-" */
    uint64_t count;
    tutti_wordcount_state state;
    int error;           /**< errno, when it failed */
    bool found;          /**< below a directory */
    const char *trouble; /**< a sentence on the state; NULL: counted whole */
} tutti_wordcount_file;

/** A word and how often it was seen. */
typedef struct tutti_wordcount_entry {
    const char *word; /**< not terminated */
    size_t size;      /**< bytes of it */
    uint64_t count;
} tutti_wordcount_entry;

/** A count of words. */
typedef struct tutti_wordcount tutti_wordcount;

/** Counts words in files. The counts are the same in every place, at any number
 * of workers; files that cannot be counted are told by
 * tutti_wordcount_file_at() and the others counted.
 *
 * out:   [out] written only on success, which it is even if no file could be
 *        counted.
 * query: what to count.
 * paths: `n` names of files; "-" is standard input. What is no plain file is
 *        read to its end, once.
 * options: NULL for the defaults. Places that take C functions as calls. Its
 *        progress counts tasks, which are files or pieces of them; while
 *        directories are listed or a pipe is read it is called ten times a
 *        second, with 0 of 1, and the deadline does not hold.
 * Errors: TUTTI_EARG (a word that is empty, has space in it, is punctuation
 *        alone or above 64 KiB; a word beside `top`; no path), TUTTI_EMEM,
 *        tutti_loop_run()'s: TUTTI_EPLACE, TUTTI_ECANCEL, TUTTI_ETIME.
 * Ownership: the caller's, until tutti_wordcount_free(); borrows the rest for
 *        the call.
 * Threads: any.
 * Cost:  a read of each file, 256 KiB at a time, in pieces of 4 MiB; memory of
 *        some 100 bytes a file, 0.4 MiB a worker, and with `top` of 100 to 200
 *        bytes a distinct word and worker. A run above 64 KiB counts as one,
 *        and is no word.
 */
TUTTI_MUST_CHECK tutti_status tutti_wordcount_run(
    tutti_wordcount **out, const tutti_wordcount_query *query,
    const char *const *paths, size_t n, const tutti_options *options);

/** The sum of the counts of all files.
 *
 * count: of tutti_wordcount_run().
 * Threads: any.  Cost: a load.
 */
uint64_t tutti_wordcount_total(const tutti_wordcount *count);

/** Tells what became of a file; they are in the order of their paths, those of
 * a directory by name in its stead.
 *
 * count: of tutti_wordcount_run(); i: 0, 1, ...
 * file:  [out] its strings live as long as the count.
 * Returns: false when there is no i-th file.
 * Threads: any.  Cost: a copy.
 */
bool tutti_wordcount_file_at(const tutti_wordcount *count, size_t i,
                             tutti_wordcount_file *file);

/** Tells one of the `top` most frequent words: by count, the highest first,
 * then by bytes.
 *
 * count: of tutti_wordcount_run(); i: 0, 1, ...
 * entry: [out] its word lives as long as the count.
 * Returns: false when there is no i-th word.
 * Threads: any.  Cost: a copy.
 */
bool tutti_wordcount_top_at(const tutti_wordcount *count, size_t i,
                            tutti_wordcount_entry *entry);

/** Frees a count.
 *
 * count: NULL is allowed.
 * Threads: one, and nobody may use the count after.  Cost: some frees.
 */
void tutti_wordcount_free(tutti_wordcount *count);

#ifdef __cplusplus
}
#endif
#endif
