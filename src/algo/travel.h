/* C functions in other processes: the function as an object and an offset, its
 * context and items by value, results by value back. This is the caller's
 * half; visit.c is the worker's. */
#ifndef TT_ALGO_TRAVEL_H
#define TT_ALGO_TRAVEL_H

#include <tutti/map.h>
#include <tutti/sys/message.h>

#include "algo/object.h"

enum tt_travel_kind {
    TT_TRAVEL_MAP,    /* tutti_map_fn */
    TT_TRAVEL_FOR,    /* tutti_for_fn */
    TT_TRAVEL_FOLD,   /* tutti_fold.range */
    TT_TRAVEL_KERNEL, /* a kernel's entry and function */
};

/* Values in a row, `step` bytes apart: what an item or a result is in bytes. */
struct tt_layout {
    uint64_t size, step;
};

#define TT_TRAVEL_FUNCTIONS 3

/* From so many bytes on, what has a size of its own travels as a block. */
#define TT_TRAVEL_BLOCK 65536u

/* A job begins so. Then these, each padded to 16 bytes, or a block. */
enum tt_travel_part {
    TT_PART_PATH,     /* a function's library, with its zero; or nothing, */
    TT_PART_SECOND,   /* the second's, */
    TT_PART_THIRD,    /* the third's, */
    TT_PART_FOLDER,   /* the caller's working directory, likewise */
    TT_PART_CONTEXT,  /* */
    TT_PART_CONSTANT, /* the item for all tasks; what a fold starts from */
    TT_PARTS
};

struct tt_travel_job {
    uint64_t kind;
    uint64_t unit;      /* tasks of a result */
    uint64_t functions; /* how many: 1 to TT_TRAVEL_FUNCTIONS */
    struct tt_home home[TT_TRAVEL_FUNCTIONS];
    struct tt_layout item; /* size 0: none, or the constant for all */
    struct tt_layout result;
    uint64_t part[TT_PARTS]; /* bytes */
};

/* An answer begins so; the sentence of the failure follows, padded to 16 bytes,
 * then the results up to the failure, or as a block. */
struct tt_travel_answer {
    uint64_t failed; /* a task, or UINT64_MAX */
    uint64_t why;    /* bytes */
};

/* What is to travel; zero is nothing of it. */
struct tt_travel {
    enum tt_travel_kind kind;
    const char *what; /* the public call, for sentences */
    tt_function function[TT_TRAVEL_FUNCTIONS]; /* up to the first NULL. From
                              the second on, those of a fold are written to the
                              begin of its context there */
    void *context;
    size_t context_size;
    tutti_array items, results;
    size_t item_size, result_size; /* 0: by the stride */
    size_t unit;                   /* tasks of a result; 0: 1 */
    const void *constant;
    size_t constant_size;
};

/* Whether a loop with these options runs in other processes. */
bool tt_travel_needed(const tutti_options *options);

/* Runs it there. Errors: TUTTI_EARG, TUTTI_EPLACE (it cannot travel), and
 * tutti_loop_run()'s. */
TUTTI_MUST_CHECK tutti_status tt_travel_run(const struct tt_travel *travel,
                                            size_t n, size_t unit,
                                            const tutti_options *options);

static inline uint64_t tt_travel_pad(uint64_t size)
{
    return (size + 15) & ~(uint64_t)15;
}

#endif
