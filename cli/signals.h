/* What a signal leaves behind: nothing half-written, and a sentence where the
 * user may wonder. */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

#include <stddef.h>

/* Catches the signals that end the command; each then ends it as it would
 * have (a shell sees 128 + its number; 1 for a file that is not there any
 * more). */
void cli_signals_catch(void);

/* Makes a temporary file, as mkostemp(), which is removed when a signal comes;
 * one at a time. -1 and errno where that fails. */
int cli_signals_make(char *name);

/* The temporary file is no more. */
void cli_signals_forget(void);

/* [start, start + size) is the file `name`, mapped: a bus error in there is
 * told as the file being cut off. The name must live as long. */
void cli_signals_input(const void *start, size_t size, const char *name);
void cli_signals_output(const void *start, size_t size, const char *name);

/* The function that runs, for the sentence when it crashes. */
void cli_signals_function(const char *name);

#endif
