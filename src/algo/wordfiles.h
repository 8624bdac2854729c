/* The files of a count of words: which they are, and what becomes of them. */
#ifndef TT_ALGO_WORDFILES_H
#define TT_ALGO_WORDFILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <tutti/wordcount.h>

#include "algo/wordask.h"

struct tt_wordfile {
    char *path;
    uint64_t size; /* when it was found */
    dev_t device;
    ino_t inode;
    bool found;  /* below a directory that was given */
    bool stream; /* read to its end, once: its size says nothing */
    _Atomic uint64_t count;
    _Atomic int state; /* a tutti_wordcount_state */
    int error;         /* of who set the state */
    char *trouble;
};

struct tt_wordfiles {
    struct tt_wordfile *files;
    size_t n, room;
    struct tt_wordask ask; /* while they are found */
};

/* Finds all files of `paths`, and which of them are there twice. *out begins as
 * zeros, and is ended by tt_wordfiles_fini() in any case. */
tutti_status tt_wordfiles_find(struct tt_wordfiles *out,
                               const char *const *paths, size_t n,
                               bool recursive, const tutti_options *options);

void tt_wordfiles_fini(struct tt_wordfiles *files);

/* Notes what became of a file, if it is the first to be noted. Any thread. */
void tt_wordfiles_note(struct tt_wordfile *file, tutti_wordcount_state state,
                       int error);

/* Whether its bytes are to be counted. */
bool tt_wordfiles_counts(const struct tt_wordfile *file);

/* Writes the sentences of all that were not counted whole. */
tutti_status tt_wordfiles_tell(struct tt_wordfiles *files);

#endif
