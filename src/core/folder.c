#include "core/folder.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

bool tt_folder_make(const char *path)
{
    char part[PATH_MAX];
    size_t length = strlen(path);
    if (length >= sizeof part) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(part, path, length + 1);
    for (char *at = part; (at = strchr(at + 1, '/'));) {
        *at = 0;
        if (mkdir(part, 0700) != 0 && errno != EEXIST)
            return false;
        *at = '/';
    }
    if (mkdir(part, 0700) == 0)
        return true;
    struct stat info;
    return errno == EEXIST && stat(part, &info) == 0 && S_ISDIR(info.st_mode);
}
