/* What a signal leaves behind: nothing half-written, and a sentence where the
 * user may wonder. */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

#include <stddef.h>

/* Catches the signals that end the command; each then ends it as it would
 * have (a shell sees 128 + its number; 1 for a file that is not there any
 * more). */
void cli_signals_catch(void);

/* The file to remove when a signal comes; NULL: none. Copied. */
void cli_signals_remove(const char *path);

/* [start, start + size) is the file `name`, mapped: a bus error in there is
 * told as the file being cut off. The name must live as long. */
void cli_signals_input(const void *start, size_t size, const char *name);
void cli_signals_output(const void *start, size_t size, const char *name);

/* The function that runs, for the sentence when it crashes. */
void cli_signals_function(const char *name);

#endif
