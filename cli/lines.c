#include "lines.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fail.h"

int cli_lines_load(char **text, size_t *size, int fd, const char *name)
{
    size_t room = 1 << 16, used = 0;
    char *buffer = malloc(room + 1);
    while (buffer) {
        ssize_t got = read(fd, buffer + used, room - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            free(buffer);
            return cli_fail("%s: %s", name, strerror(errno));
        }
        used += (size_t)got;
        if (got == 0) {
            buffer[used] = 0;
            *text = buffer;
            *size = used;
            return CLI_OK;
        }
        if (used == room) {
            room *= 2;
            char *grown = realloc(buffer, room + 1);
            if (!grown)
                free(buffer);
            buffer = grown;
        }
    }
    return cli_fail("%s: no memory for its lines: map it in parts", name);
}

/* Numbers that are read one by one. */
struct reader {
    const char *name;
    size_t line; /* the one that is read, from 1 */
    tutti_type type;
    char *items;
    size_t used, room; /* bytes */
};

static const char *skip_blanks(const char *at, const char *stop)
{
    while (at < stop && (*at == ' ' || *at == '\t' || *at == '\r'))
        at++;
    return at;
}

static const char *read_integer(void *out, const char *at, tutti_type type)
{
    char *end;
    bool natural = type == TUTTI_U64 || type == TUTTI_U32;
    if (natural && *at == '-')
        return NULL;
    uint64_t value =
        natural ? strtoull(at, &end, 10) : (uint64_t)strtoll(at, &end, 10);
    if (end == at || errno || (type == TUTTI_U32 && value > UINT32_MAX) ||
        (type == TUTTI_I32 && (int64_t)value != (int32_t)value))
        return NULL;
    uint32_t narrow = (uint32_t)value;
    if (tutti_type_size(type) == sizeof narrow)
        memcpy(out, &narrow, sizeof narrow);
    else
        memcpy(out, &value, sizeof value);
    return end;
}

/* Reads a number at `at` to `out`; returns what is behind it, or NULL: there
 * is none, or it does not fit the type. */
static const char *read_number(void *out, const char *at, tutti_type type)
{
    char *end;
    errno = 0;
    if (type == TUTTI_F64) {
        double value = strtod(at, &end);
        memcpy(out, &value, sizeof value);
        return end == at || (errno && isinf(value)) ? NULL : end;
    }
    if (type == TUTTI_F32) {
        float value = strtof(at, &end);
        memcpy(out, &value, sizeof value);
        return end == at || (errno && isinf(value)) ? NULL : end;
    }
    return read_integer(out, at, type);
}

static int fail_number(const struct reader *r, const char *at, const char *stop)
{
    size_t length = 0;
    while (at + length < stop && length < 40 && !strchr(" \t\r,", at[length]))
        length++;
    if (length == 0)
        return cli_fail("%s line %zu: a number is missing: expected a value "
                        "of type %s, which the function takes",
                        r->name, r->line, tutti_type_name(r->type));
    return cli_fail("%s line %zu: '%.*s' is not a value of type %s, which the "
                    "function takes",
                    r->name, r->line, (int)length, at,
                    tutti_type_name(r->type));
}

/* Room for one more number. */
static bool reserve(struct reader *r)
{
    if (r->room - r->used >= sizeof(double))
        return true;
    size_t room = r->room ? r->room * 2 : 1 << 16;
    char *grown = realloc(r->items, room);
    if (!grown)
        return false;
    r->items = grown;
    r->room = room;
    return true;
}

/* Reads the numbers of the line from `at` to `stop`. */
static int read_line(struct reader *r, size_t *count, const char *at,
                     const char *stop)
{
    *count = 0;
    do {
        const char *start = at = skip_blanks(at, stop);
        if (!reserve(r))
            return cli_fail("%s: no memory for its numbers: map it in parts",
                            r->name);
        if (at < stop)
            at = read_number(r->items + r->used, at, r->type);
        if (start == stop || !at || at > stop)
            return fail_number(r, start, stop);
        r->used += tutti_type_size(r->type);
        ++*count;
        const char *behind = skip_blanks(at, stop);
        if (behind == stop)
            return CLI_OK;
        if (behind == at && *behind != ',')
            return fail_number(r, start, stop);
        at = behind + (*behind == ',');
    } while (true);
}

static int read_lines(struct reader *r, size_t *columns, const char *text,
                      const char *end, bool many)
{
    *columns = 1;
    for (const char *at = text; at < end; r->line++) {
        size_t count;
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        if (!stop)
            stop = end;
        int status = read_line(r, &count, at, stop);
        if (status)
            return status;
        if (r->line == 1 && many)
            *columns = count;
        if (count != *columns)
            return cli_fail("%s line %zu: %zu numbers: expected %zu%s", r->name,
                            r->line, count, *columns,
                            many ? ", as on line 1" : " a line");
        at = stop + 1;
    }
    return CLI_OK;
}

int cli_lines_parse(void **items, size_t *rows, size_t *columns,
                    const char *text, size_t size, tutti_type type, bool many,
                    const char *name)
{
    struct reader r = {.name = name, .line = 1, .type = type};
    size_t width;
    int status = read_lines(&r, &width, text, text + size, many);
    if (status) {
        free(r.items);
        return status;
    }
    *items = r.items;
    *rows = r.line - 1;
    *columns = width;
    return CLI_OK;
}
