/* Folders. */
#ifndef TT_CORE_FOLDER_H
#define TT_CORE_FOLDER_H

#include <stdbool.h>

/* Makes a folder, mode 0700, and those above it, unless they exist. False: a
 * part could not be made; errno says why. */
bool tt_folder_make(const char *path);

#endif
