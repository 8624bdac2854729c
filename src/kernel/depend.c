#include "kernel/depend.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/file.h"

/* Takes the next name of a make rule to `name`; returns what follows, or NULL
 * at the end or if the name is too long. */
static const char *take_name(const char *at, char name[PATH_MAX])
{
    size_t size = 0;
    at += strspn(at, " \t\r\n\\");
    while (*at && !strchr(" \t\r\n", *at) && size < PATH_MAX - 1) {
        if (*at == '\\' && (at[1] == ' ' || at[1] == '#' || at[1] == '\\'))
            at++;
        else if (*at == '$' && at[1] == '$')
            at++;
        name[size++] = *at++;
    }
    name[size] = 0;
    return size > 0 && size < PATH_MAX - 1 ? at : NULL;
}

static bool note(FILE *list, const char *name, int64_t began)
{
    char path[PATH_MAX], hex[TT_SHA256_HEX];
    struct tt_stamp stamp;
    if (strchr(name, '\n') || realpath(name, path) == NULL ||
        !tt_file_stamp(path, &stamp) || stamp.time >= began ||
        !tt_file_hash(path, hex))
        return false;
    fprintf(list, "%s %" PRId64 " %" PRId64 " %s\n", hex, stamp.size,
            stamp.time, name[0] == '/' ? name : path);
    return true;
}

bool tt_depend_note(FILE *list, const char *text, const char *own,
                    int64_t began)
{
    char name[PATH_MAX];
    const char *at = strstr(text, ": ");
    if (at == NULL)
        return false;
    for (at++; (at = take_name(at, name)) != NULL;)
        if (strcmp(name, own) != 0 && !note(list, name, began))
            return false;
    return name[0] == 0;
}

bool tt_depend_holds(char *line)
{
    int64_t size, time;
    int at = 0;
    char hex[TT_SHA256_HEX];
    struct tt_stamp stamp;
    if (strlen(line) < TT_SHA256_HEX || line[TT_SHA256_HEX - 1] != ' ')
        return false;
    char *rest = line + TT_SHA256_HEX;
    if (sscanf(rest, "%" SCNd64 " %" SCNd64 " %n", &size, &time, &at) != 2 ||
        at == 0 || !tt_file_stamp(rest + at, &stamp) || stamp.size != size)
        return false;
    if (stamp.time == time)
        return true;
    return tt_file_hash(rest + at, hex) &&
           memcmp(hex, line, TT_SHA256_HEX - 1) == 0;
}
