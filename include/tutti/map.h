#ifndef TUTTI_MAP_H
#define TUTTI_MAP_H

#include <stddef.h>

#include <tutti/loop.h>

#ifdef __cplusplus
extern "C" {
#endif

/** An array by its first item and the bytes from one item to the next. */
typedef struct tutti_array {
    void *data;
    ptrdiff_t stride; /**< may be negative, or 0 (one item for all) */
} tutti_array;

/** One task of a map: reads an item, writes a result. Returns 0, or anything
 * else for a failure. */
typedef int (*tutti_map_fn)(const void *item, void *result, void *context);

/** One task of a for-each. Returns 0, or anything else for a failure. */
typedef int (*tutti_for_fn)(size_t index, void *context);

/** result[i] = f(item[i]) for i in 0 .. n-1.
 *
 * f:       called from several threads at once.
 * items, results: any item size, any stride; results must not overlap.
 * context: handed to f; context_size: its bytes, 0 if it cannot travel.
 * options: NULL for the defaults.
 *
 * In other processes ("processes", retries, task_timeout) f must be a function
 * of the program or of a library file, and libtutti linked with the program:
 * it is run again without its main(), after its constructors. There f finds
 * its item and the context by value (a worker's own copy, which lasts as long
 * as the call; pointers in it mean nothing), a result that begins as zeros,
 * and global variables as the program starts with them; no standard input; the
 * caller's working directory. An item or a result is as many bytes as its
 * stride, unless options->item_size or ->result_size say less (a field of a
 * struct) or more (items that overlap); for stride 0 they must. What f changes
 * other than its result is not seen in the caller.
 *
 * Errors:  TUTTI_EARG (f is NULL; data is NULL with n > 0; context_size 0 where
 *          the context has to travel, or stride 0 without a size),
 *          TUTTI_EPLACE (f or the program cannot be had in another process),
 *          and tutti_loop_run()'s: TUTTI_ELOST names the task and the signal.
 * Ownership: borrows all for the call.  Threads: any.
 * Cost:    at most 15 instructions a task above the call of f; in processes
 *          two copies of items and results, and milliseconds for the first
 *          loop, which starts them.
 */
TUTTI_MUST_CHECK tutti_status tutti_map(tutti_map_fn f, tutti_array items,
                                        tutti_array results, size_t n,
                                        void *context, size_t context_size,
                                        const tutti_options *options);

/** f(i) for i in 0 .. n-1; otherwise as tutti_map(). */
TUTTI_MUST_CHECK tutti_status tutti_for(tutti_for_fn f, size_t n, void *context,
                                        size_t context_size,
                                        const tutti_options *options);

/** What tutti_reduce() folds with. A partial result is `size` bytes. */
typedef struct tutti_fold {
    size_t size;          /**< bytes of a partial result, 1 to 1 MiB */
    const void *identity; /**< `size` bytes that a partial result starts from */
    /** Folds the tasks [begin, end) into `partial`; 0, or anything else for a
     * failure of the block, which is told as that of its first task. */
    int (*range)(void *partial, size_t begin, size_t end, void *context);
    /** left = left (+) right, where `left` holds the lower indices. */
    void (*combine)(void *left, const void *right, void *context);
} tutti_fold;

/** Reduces n tasks to one result, the same bits in every place and at every
 * number of workers: blocks of fixed size, combined in a fixed tree in index
 * order.
 *
 * result: [out] fold->size bytes; the identity when n is 0; written only on
 *         success. In other processes partial results travel by value (no
 *         pointers); combine is called here.
 * unit:   tasks in a block; 0: chosen from n alone.
 * context, context_size, options: as tutti_map().
 * Errors: TUTTI_EARG, TUTTI_EMEM (a partial result a block), and
 *         tutti_loop_run()'s.
 * Threads: any.  Cost: a call of range a block, a call of combine a block.
 */
TUTTI_MUST_CHECK tutti_status tutti_reduce(void *result, const tutti_fold *fold,
                                           size_t n, size_t unit, void *context,
                                           size_t context_size,
                                           const tutti_options *options);

#ifdef __cplusplus
}
#endif
#endif
