#ifndef TUTTI_KERNEL_H
#define TUTTI_KERNEL_H

#include <stddef.h>
#include <stdint.h>

#include <tutti/loop.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A function found by text and ready to be mapped. */
typedef struct tutti_kernel tutti_kernel;

/** The number types that kernels take and give. */
typedef enum tutti_type {
    TUTTI_F64 = 1, /**< double */
    TUTTI_F32,     /**< float */
    TUTTI_I64,     /**< int64_t, long long, long */
    TUTTI_I32,     /**< int32_t, int */
    TUTTI_U64,     /**< uint64_t, unsigned long (long), size_t */
    TUTTI_U32      /**< uint32_t, unsigned */
} tutti_type;

/** The accepted signatures, T and U being any of the types. What takes a value
 * or a row and gives a value may have a `void *user` as its last parameter:
 * NULL but for tutti_kernel_native(). A row's function may take n first, and a
 * row that it does not call const, as SciPy's `double f(int n, double *x, void
 * *user)`; it must not write there. */
typedef enum tutti_form {
    TUTTI_FORM_SCALAR = 1, /**< U f(T x) */
    TUTTI_FORM_BLOCK,      /**< void f(size_t n, const T *x, U *out) */
    TUTTI_FORM_ROW,        /**< U f(const T *row, int n) */
    TUTTI_FORM_ROWS,       /**< void f(const T *row, int n, U *out) */
    TUTTI_FORM_POINTS,     /**< void f(int n, size_t m, const T *x, U *out): m
                                points of n coordinates, coordinate d of point i
                                at x[d * m + i] */
    TUTTI_FORM_EACH        /**< void f(size_t i, ...): values and arrays of any
                                of the types; see tutti_kernel_for() */
} tutti_form;

/** What tutti_kernel_reduce() joins values with. Sums and products of integers
 * are modulo 2^64 or 2^32; one NaN makes min and max NaN, as in NumPy. */
typedef enum tutti_op {
    TUTTI_OP_SUM = 1,
    TUTTI_OP_PROD,
    TUTTI_OP_MIN,
    TUTTI_OP_MAX
} tutti_op;

/** What a kernel is; the strings are owned by it. */
typedef struct tutti_kernel_info {
    const char *name;      /**< the function's */
    const char *signature; /**< as C, normalised: "double f(double x)" */
    tutti_form form;
    tutti_type item, result; /**< 0 for TUTTI_FORM_EACH */
} tutti_kernel_info;

/** The bytes of one value of `type`; 0 for no type.
 *
 * Threads: any.  Cost: a switch.
 */
size_t tutti_type_size(tutti_type type);

/** The name of `type`: "float64", "float32", "int64", "int32", "uint64",
 * "uint32", a constant string; "?" for no type.
 *
 * Threads: any.  Cost: a switch.
 */
const char *tutti_type_name(tutti_type type);

/** Finds a function and makes it callable.
 *
 * out:  [out] written only on success.
 * text: `FILE.c:NAME` or `LIB.so:NAME`. The signature of NAME is read from
 *       the source, whose text is compiled as it is, by $CC, cc, gcc or clang,
 *       with -O3 -march=native and the arithmetic of plain C (no fast-math, no
 *       contraction), unless $XDG_CACHE_HOME/tutti/kernels has it already.
 *       LIB.so is looked up here, then as dlopen() does.
 * signature: for LIB.so, its C signature ("double f(double x)"), which must be
 *       true: nothing can check it; else NULL.
 * Errors: TUTTI_EARG (no such file or function, a signature that is not
 *       accepted, the compiler's own message with the user's line numbers),
 *       TUTTI_ESYS (no compiler, cache not writable, dlopen), TUTTI_EMEM.
 * Ownership: the caller's, until tutti_kernel_close().
 * Threads: any.  Cost: below 1 ms when cached, else the compiler's time.
 */
TUTTI_MUST_CHECK tutti_status tutti_kernel_open(tutti_kernel **out,
                                                const char *text,
                                                const char *signature);

/** Compiles a function from C text in memory.
 *
 * out:    [out] written only on success.
 * source: C text; copied. Compiled as tutti_kernel_open() does; headers in
 *         quotes are looked up in the working folder.
 * name:   the function's; NULL: the only one with an accepted signature (of
 *         several, the only one that is not static).
 * Errors: as tutti_kernel_open(); without a name, a sentence that lists those
 *         that could be meant.
 * Ownership: the caller's, until tutti_kernel_close().
 * Threads: any.  Cost: below 1 ms when cached, else the compiler's time.
 */
TUTTI_MUST_CHECK tutti_status tutti_kernel_text(tutti_kernel **out,
                                                const char *source,
                                                const char *name);

/** Makes a kernel of a function that is compiled already.
 *
 * out:       [out] written only on success.
 * function:  is called from several threads at once.
 * signature: its own, which must be true: nothing can check it. With a name,
 *            as "double f(double x)", or as "double (int, double *, void *)" or
 *            "double (*)(double)".
 * user:      handed to a function whose last parameter is `void *user`.
 * Errors: TUTTI_EARG (NULL, a signature that is not accepted), TUTTI_EMEM.
 * Ownership: the caller's, until tutti_kernel_close(); borrows function and
 * user until then. Threads: any.  Cost: below 10 us.
 */
TUTTI_MUST_CHECK tutti_status tutti_kernel_native(tutti_kernel **out,
                                                  void (*function)(void),
                                                  const char *signature,
                                                  void *user);

/** What a watcher of compilers is told. */
typedef enum tutti_compiler_phase {
    TUTTI_COMPILER_STARTS = 1, /**< a file will be written to the cache */
    TUTTI_COMPILER_RUNS,       /**< some 20 times a second */
    TUTTI_COMPILER_ENDED       /**< nothing is left of it */
} tutti_compiler_phase;

/** Has `watch` called in a thread that waits for a compiler, whatever function
 * of the library compiles there. If it does not return 0 while the compiler
 * runs, the compiler is killed, nothing of it is left behind, and that function
 * fails with TUTTI_ECANCEL.
 *
 * watch: the process has one; NULL: none.
 * Threads: any.  Cost: a store.
 */
void tutti_kernel_watch(int (*watch)(tutti_compiler_phase phase));

/** Frees a kernel that no loop is running.
 *
 * kernel: NULL is allowed.
 * Threads: one, and nobody may use the kernel after.  Cost: a dlclose.
 */
void tutti_kernel_close(tutti_kernel *kernel);

/** Tells what a kernel is.
 *
 * info: [out] its strings live as long as the kernel.
 * Threads: any.  Cost: a copy.
 */
void tutti_kernel_describe(const tutti_kernel *kernel, tutti_kernel_info *info);

/** One of the parameters after i of void f(size_t i, ...). */
typedef struct tutti_parameter {
    tutti_type type;
    int array;    /**< else a value */
    int writable; /**< an array that is not const */
} tutti_parameter;

/** Tells what tutti_kernel_for() takes for a kernel.
 *
 * out:  [out] the first `room` parameters after i; may be NULL for none.
 * Returns: how many there are; 0, too, for what is no for-each.
 * Threads: any.  Cost: a copy.
 */
size_t tutti_kernel_parameters(const tutti_kernel *kernel, tutti_parameter *out,
                               size_t room);

/** Maps a kernel over an array.
 *
 * results: [out] n x results_width values of the kernel's result type,
 *       C-contiguous, apart from items. results_width is 1 but for
 *       TUTTI_FORM_ROWS.
 * items:  n x width values of its item type, C-contiguous; width is 1 for
 *       TUTTI_FORM_SCALAR and TUTTI_FORM_BLOCK.
 * Errors: TUTTI_EARG (a width that the form does not have, NULL for an array
 *       that is not empty), and tutti_loop_run()'s.
 *       In other processes (see tutti_map()) the kernel's file is loaded again:
 *       TUTTI_EPLACE if it is gone, or another one by now.
 * Threads: any.  Cost: that of a C loop over the function; the block form is
 *       called once a range, which begins at a multiple of 128: for tasks so
 *       long that fewer should be shared, it is the wrong form.
 */
TUTTI_MUST_CHECK tutti_status tutti_kernel_map(
    tutti_kernel *kernel, void *results, size_t results_width,
    const void *items, size_t width, size_t n, const tutti_options *options);

/** Maps a kernel over an array right here: no loop, no place, no workers.
 *
 * kernel, results, results_width, items, width, n: as tutti_kernel_map().
 * Errors: TUTTI_EARG.  Threads: any.  Cost: that of a C loop over the function.
 */
TUTTI_MUST_CHECK tutti_status tutti_kernel_call(tutti_kernel *kernel,
                                                void *results,
                                                size_t results_width,
                                                const void *items, size_t width,
                                                size_t n);

/** Maps a kernel (scalar or block form) over first, first + step, ... without
 * making the array.
 *
 * results: [out] n values.
 * Errors: TUTTI_EARG (a row form; a value that the item type cannot hold
 *       exactly), and tutti_loop_run()'s.
 * Threads: any.  Cost: as tutti_kernel_map(); the block form gets at most 512
 *       values a call.
 */
TUTTI_MUST_CHECK tutti_status
tutti_kernel_map_range(tutti_kernel *kernel, void *results, int64_t first,
                       int64_t step, size_t n, const tutti_options *options);

/** Joins what a kernel gives for the items of an array to one value.
 *
 * kernel: of a form that gives one value an item; NULL: the items themselves
 *         are joined, of type `type` (else ignored), width 1.
 * result: [out] a value of the kernel's result type; of no items 0 or 1.
 *         Written only on success.
 * op:     what joins them.
 * items, width, options: as tutti_kernel_map().
 * unit:   tasks of a block, a multiple of 512, or 32; 0: chosen from n alone,
 *         512 to 65536. Value i of a block goes to lane i mod 32 of the
 * block's; lanes of blocks are joined with their neighbours', as tutti_reduce()
 *         does it; at the end lane l + half with lane l, for half = 16, ... 1:
 *         the same bits in every place, at every number of workers and with
 *         every instruction set.
 * Errors: TUTTI_EARG (a form that gives no value or several, TUTTI_OP_MIN or
 *         TUTTI_OP_MAX of nothing), TUTTI_EMEM, and tutti_kernel_map()'s.
 * Threads: any.  Cost: that of the map, less what it writes.
 */
TUTTI_MUST_CHECK tutti_status
tutti_kernel_reduce(tutti_kernel *kernel, void *result, tutti_op op,
                    tutti_type type, const void *items, size_t width, size_t n,
                    size_t unit, const tutti_options *options);

/** Likewise, over first, first + step, ... as tutti_kernel_map_range().
 *
 * kernel: not NULL.
 * result, op, unit, options: as tutti_kernel_reduce().
 * Errors: those of the two.  Threads: any.  Cost: as tutti_kernel_reduce().
 */
TUTTI_MUST_CHECK tutti_status tutti_kernel_reduce_range(
    tutti_kernel *kernel, void *result, tutti_op op, int64_t first,
    int64_t step, size_t n, size_t unit, const tutti_options *options);

/** Folds what a kernel gives for the items of one block, right here: no loop.
 *
 * lanes:  [out] 32 values of the kernel's result type: value i is joined to
 * lane i mod 32. Those of several blocks, one after the other, are reduced with
 * a unit of 32 as tutti_kernel_reduce() would have reduced all. kernel, op,
 * items, width, n: as tutti_kernel_reduce(); kernel is not NULL. Errors:
 * TUTTI_EARG; TUTTI_ECANCEL in the body of a loop that was cancelled.
 * Threads: any.  Cost: that of a C loop over the function.
 */
TUTTI_MUST_CHECK tutti_status tutti_kernel_fold(tutti_kernel *kernel,
                                                void *lanes, tutti_op op,
                                                const void *items, size_t width,
                                                size_t n);

/** Runs a function for each index: f(i, ...) for i in 0 .. n-1.
 *
 * kernel:    void f(size_t i, ...), with values and arrays as it likes.
 * arguments: those that follow i: the address of a value, an array itself. The
 *         values of one i must not be written for another.
 * count:     how many there are.
 * Errors: TUTTI_EARG (not of the form, another count, a NULL), TUTTI_EPLACE
 *         (in other processes arrays cannot be written), TUTTI_ESYS (a
 *         function that is compiled already needs a C compiler for this), and
 *         tutti_loop_run()'s.
 * Threads: any.  Cost: that of a C loop over the function.
 */
TUTTI_MUST_CHECK tutti_status tutti_kernel_for(tutti_kernel *kernel, size_t n,
                                               const void *const *arguments,
                                               size_t count,
                                               const tutti_options *options);

#ifdef __cplusplus
}
#endif
#endif
