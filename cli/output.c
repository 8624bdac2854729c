#define _GNU_SOURCE
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fail.h"
#include "signals.h"
#include "text.h"

#define BUFFER (1 << 20)

static bool ends_with(const char *name, const char *end)
{
    size_t length = strlen(name), tail = strlen(end);
    return length > tail && !strcmp(name + length - tail, end);
}

static enum cli_format format_of(const char *name)
{
    if (ends_with(name, ".npy"))
        return CLI_NPY;
    return ends_with(name, ".jsonl") ? CLI_JSON : CLI_LINES;
}

/* The folder that `name` would be made in; the caller's to free. */
static char *folder_of(const char *name)
{
    char *copy = strdup(name), *folder = copy ? strdup(dirname(copy)) : NULL;
    free(copy);
    return folder;
}

static int check_folder(const char *name)
{
    struct stat st;
    char *folder = folder_of(name);
    int status = CLI_OK;
    if (!folder)
        status = cli_fail("no memory for the name %s", name);
    else if (stat(folder, &st) || !S_ISDIR(st.st_mode))
        status = cli_fail("%s: there is no folder %s: make it first, such as "
                          "by mkdir -p",
                          name, folder);
    else if (access(folder, W_OK | X_OK))
        status = cli_fail("%s: the folder %s cannot be written (%s): name "
                          "another",
                          name, folder, strerror(errno));
    free(folder);
    return status;
}

int cli_output_check(const char *name)
{
    struct stat st;
    if (stat(name, &st))
        return check_folder(name);
    if (S_ISDIR(st.st_mode))
        return cli_fail("%s is a folder: expected the name of a file", name);
    if (!S_ISREG(st.st_mode) && format_of(name) == CLI_NPY)
        return cli_fail("%s is not a plain file: a .npy file must be one",
                        name);
    return S_ISREG(st.st_mode) ? check_folder(name) : CLI_OK;
}

/* Where links lead, of a file that may not be there yet; NULL: nowhere. */
static char *resolve(const char *name)
{
    char *path = realpath(name, NULL), *copy = strdup(name);
    char *folder = folder_of(name);
    char *real = folder ? realpath(folder, NULL) : NULL;
    if (!path && copy && real &&
        asprintf(&path, "%s/%s", real, basename(copy)) < 0)
        path = NULL;
    free(real);
    free(folder);
    free(copy);
    return path;
}

bool cli_output_same(const char *a, const char *b)
{
    struct stat one, two;
    if (!stat(a, &one) && !stat(b, &two))
        return S_ISREG(one.st_mode) && one.st_dev == two.st_dev &&
               one.st_ino == two.st_ino;
    char *left = resolve(a), *right = resolve(b);
    bool same = left && right && !strcmp(left, right);
    free(left);
    free(right);
    return same;
}

/* The temporary file beside the target, with the target's mode. */
static int make_part(struct cli_output *out)
{
    struct stat st;
    char *folder = folder_of(out->target);
    if (!folder || asprintf(&out->part, "%s/.tutti.XXXXXX", folder) < 0)
        out->part = NULL;
    free(folder);
    if (!out->part)
        return cli_fail("no memory for the name %s", out->name);
    out->fd = cli_signals_make(out->part);
    if (out->fd < 0) {
        free(out->part);
        out->part = NULL;
        return cli_fail("%s: no file can be made beside it (%s): name another",
                        out->name, strerror(errno));
    }
    mode_t mask = umask(0);
    umask(mask);
    mode_t mode = stat(out->target, &st) ? 0666 & ~mask : st.st_mode & 0777;
    if (fchmod(out->fd, mode))
        return cli_fail("%s: %s", out->name, strerror(errno));
    return CLI_OK;
}

int cli_output_open(struct cli_output *out, const char *name)
{
    struct stat st;
    *out = (struct cli_output){.name = name, .fd = -1, .results = NULL};
    if (!name) {
        out->name = "standard output";
        out->fd = STDOUT_FILENO;
        return CLI_OK;
    }
    int status = cli_output_check(name);
    if (status)
        return status;
    out->format = format_of(name);
    if (stat(name, &st) || S_ISREG(st.st_mode)) {
        out->target = resolve(name);
        if (!out->target)
            return cli_fail("%s: %s", name, strerror(errno));
        return make_part(out);
    }
    out->fd = open(name, O_WRONLY | O_CLOEXEC);
    if (out->fd < 0)
        return cli_fail("%s: %s", name, strerror(errno));
    return CLI_OK;
}

/* Bytes of the results, or 0: more than there can be. */
static size_t count_bytes(const struct cli_npy *shape)
{
    size_t bytes;
    if (__builtin_mul_overflow(shape->rows, shape->columns, &bytes) ||
        __builtin_mul_overflow(bytes, tutti_type_size(shape->type), &bytes) ||
        bytes > (size_t)1 << 56)
        return 0;
    return bytes;
}

/* The file itself, allocated before it is written: no room is an error here
 * and not a signal later. */
static int reserve_file(struct cli_output *out, size_t bytes)
{
    char header[CLI_NPY_ROOM];
    size_t length = cli_npy_header(header, &out->shape);
    out->bytes = length + bytes;
    int error = posix_fallocate(out->fd, 0, (off_t)out->bytes);
    if (error)
        return cli_fail("%s: no room for %zu bytes (%s): free some space or "
                        "name another file",
                        out->name, out->bytes, strerror(error));
    void *base =
        mmap(NULL, out->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, out->fd, 0);
    if (base == MAP_FAILED)
        return cli_fail("%s: cannot be mapped (%s): name a file on another "
                        "file system",
                        out->name, strerror(errno));
    out->base = base;
    memcpy(out->base, header, length);
    out->results = (char *)out->base + length;
    cli_signals_output(out->base, out->bytes, out->name);
    return CLI_OK;
}

static int reserve_memory(struct cli_output *out, size_t bytes)
{
    double ram =
        (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    out->bytes = bytes ? bytes : 1;
    void *base = MAP_FAILED;
    if ((double)bytes <= ram)
        base = mmap(NULL, out->bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED)
        return cli_fail("no memory for %zu bytes of results: write them to a "
                        ".npy file, or map in parts",
                        bytes);
    madvise(base, out->bytes, MADV_HUGEPAGE);
    out->base = out->results = base;
    return CLI_OK;
}

int cli_output_reserve(struct cli_output *out, const struct cli_npy *shape)
{
    size_t bytes = count_bytes(shape);
    if (!bytes && shape->rows && shape->columns)
        return cli_fail("%zu x %zu results are more than a file can hold: "
                        "give fewer",
                        shape->rows, shape->columns);
    out->shape = *shape;
    return out->format == CLI_NPY ? reserve_file(out, bytes)
                                  : reserve_memory(out, bytes);
}

static int write_all(struct cli_output *out, const char *data, size_t size)
{
    while (size) {
        ssize_t wrote = write(out->fd, data, size);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return cli_fail("%s: writing failed (%s): free some space or "
                            "write elsewhere",
                            out->name, strerror(errno));
        data += wrote;
        size -= (size_t)wrote;
    }
    return CLI_OK;
}

/* One row as text; returns its length. */
static size_t format_row(char *to, const struct cli_output *out,
                         const char *row, size_t columns)
{
    size_t size = tutti_type_size(out->shape.type), used = 0;
    bool json = out->format == CLI_JSON;
    for (size_t i = 0; i < columns; i++) {
        if (i && json)
            to[used++] = ',';
        if (i)
            to[used++] = ' ';
        used +=
            cli_text_number(to + used, row + i * size, out->shape.type, json);
    }
    return used;
}

#define PIECE 1024 /* numbers that are formatted at once */

/* Writes all rows through `buffer` of BUFFER bytes. */
static int write_rows(struct cli_output *out, char *buffer)
{
    const struct cli_npy *shape = &out->shape;
    const char *at = out->results;
    bool array = out->format == CLI_JSON && shape->dims == 2;
    size_t used = 0, size = tutti_type_size(shape->type);
    int status = CLI_OK;
    for (size_t row = 0; row < shape->rows && !status; row++) {
        if (array)
            buffer[used++] = '[';
        for (size_t i = 0; i < shape->columns && !status; i += PIECE) {
            size_t left = shape->columns - i;
            size_t piece = left < PIECE ? left : PIECE;
            if (i && array)
                buffer[used++] = ',';
            if (i)
                buffer[used++] = ' ';
            used += format_row(buffer + used, out, at, piece);
            at += piece * size;
            if (used > BUFFER / 2) {
                status = write_all(out, buffer, used);
                used = 0;
            }
        }
        if (array)
            buffer[used++] = ']';
        buffer[used++] = '\n';
    }
    return status ? status : write_all(out, buffer, used);
}

static int write_text(struct cli_output *out)
{
    char *buffer = malloc(BUFFER);
    if (!buffer)
        return cli_fail("no memory to write %s", out->name);
    int status = write_rows(out, buffer);
    free(buffer);
    return status;
}

int cli_output_commit(struct cli_output *out)
{
    int status = out->format == CLI_NPY ? CLI_OK : write_text(out);
    if (status || !out->part)
        return status;
    if (rename(out->part, out->target))
        return cli_fail("%s: %s", out->name, strerror(errno));
    cli_signals_forget();
    free(out->part);
    out->part = NULL;
    return CLI_OK;
}

void cli_output_close(struct cli_output *out)
{
    if (out->base) {
        cli_signals_output(NULL, 0, NULL);
        munmap(out->base, out->bytes);
    }
    if (out->part)
        unlink(out->part);
    cli_signals_forget();
    if (out->fd > STDERR_FILENO)
        close(out->fd);
    free(out->part);
    free(out->target);
}
