/* The system's C compiler. */
#ifndef TT_KERNEL_COMPILER_H
#define TT_KERNEL_COMPILER_H

#include <stdbool.h>
#include <stddef.h>

#include <tutti/kernel.h>

#include "core/sha256.h"
#include "core/status.h"

#define TT_COMPILER_WORDS 16
#define TT_COMPILER_OUTPUT 16384

struct tt_compiler {
    char line[4096];                    /* the words, a zero after each */
    char *words[TT_COMPILER_WORDS + 1]; /* "gcc", or "ccache", "gcc", "-m64" */
};

/* Finds $CC, else cc, gcc or clang. Errors: TUTTI_ESYS (none is there). */
TUTTI_MUST_CHECK tutti_status tt_compiler_find(struct tt_compiler *out);

/* Adds to `hash` what decides the code that the compiler makes, but for its
 * input: the programs by path, size and time, the environment that it reads,
 * and the CPU that -march=native stands for. Runs no program. */
void tt_compiler_identify(const struct tt_compiler *compiler,
                          struct tt_sha256 *hash);

/* Tells the watcher (tutti_kernel_watch()), if there is one; whether it says
 * that the compiler must end. */
bool tt_compiler_watch(tutti_compiler_phase phase);

/* How a program ended. */
struct tt_outcome {
    bool done;                       /* with status 0 */
    bool killed;                     /* it was: it ran past its time, */
    bool cancelled;                  /* or the watcher said so */
    char output[TT_COMPILER_OUTPUT]; /* the begin of its standard error */
};

/* Runs a program (words[0] is looked up in PATH) for at most `seconds`, with
 * its temporary files in `folder`. Errors: TUTTI_ESYS (it cannot start). */
TUTTI_MUST_CHECK tutti_status tt_compiler_run(struct tt_outcome *out,
                                              char *const words[],
                                              const char *folder,
                                              double seconds);

#endif
