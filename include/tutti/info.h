#ifndef TUTTI_INFO_H
#define TUTTI_INFO_H

#include <stddef.h>

#include <tutti/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Writes what tutti knows of this machine, a few lines of text: the machine,
 * the CPU budget and what bound it, the settings in force, the measured
 * constants, the cache folder. A line begins with its subject in a column of
 * ten, then two blanks; places are told by tutti_place_info().
 *
 * text: [out] at most `size` bytes with the closing zero; may be NULL when
 *       size is 0.
 * Returns: the length of the whole text without the zero, as snprintf; at
 *       most 4000. A bad value in the environment is told in it.
 * Threads: any.  Cost: some 100 us (reads the system).
 */
size_t tutti_info_text(char *text, size_t size);

/** Measures this machine's constants anew and keeps them in the cache folder.
 *
 * Errors: TUTTI_ESYS (no thread could be started; the cache folder cannot be
 *       written: the constants then hold for this process).
 * Threads: any.  Cost: about 2 ms, with a thread of its own.
 */
TUTTI_MUST_CHECK tutti_status tutti_info_measure(void);

#ifdef __cplusplus
}
#endif
#endif
