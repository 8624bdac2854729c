#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fail.h"
#include "lines.h"
#include "npy.h"
#include "signals.h"

bool cli_input_is_npy(const char *name)
{
    size_t length = strlen(name);
    return length > 4 && !strcmp(name + length - 4, ".npy");
}

static bool is_stdin(const char *name)
{
    return !strcmp(name, "-");
}

/* Why a file cannot be read. */
static int fail_file(const char *name)
{
    if (errno == ENOENT)
        return cli_fail("there is no file %s: expected a .npy file or lines "
                        "of text",
                        name);
    return cli_fail("%s cannot be read: %s", name, strerror(errno));
}

/* Opens for reading; *size is the file's, 0 where it has none. */
static int open_file(int *fd, size_t *size, const char *name)
{
    struct stat st;
    *size = 0;
    *fd = is_stdin(name) ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);
    if (*fd < 0)
        return fail_file(name);
    if (!fstat(*fd, &st))
        *size = (size_t)st.st_size;
    return CLI_OK;
}

static void close_file(int fd)
{
    if (fd != STDIN_FILENO)
        close(fd);
}

/* Maps the file and reads its header. */
static int map_npy(struct cli_input *in, struct cli_npy *npy, int fd,
                   size_t size)
{
    if (size == 0)
        return cli_fail("%s is empty: expected a .npy file", in->name);
    in->map = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (in->map == MAP_FAILED) {
        in->map = NULL;
        return cli_fail("%s cannot be mapped: %s", in->name, strerror(errno));
    }
    in->mapped = size;
    cli_signals_input(in->map, size, in->name);
    return cli_npy_parse(npy, in->name, in->map, size);
}

static int fit_type(const struct cli_input *in, const struct cli_npy *npy,
                    const tutti_kernel_info *kernel)
{
    if (npy->type == kernel->item)
        return CLI_OK;
    return cli_fail("%s holds %s and %s takes %s (%s): convert the file or "
                    "change the function",
                    in->name, tutti_type_name(npy->type), kernel->name,
                    tutti_type_name(kernel->item), kernel->signature);
}

static bool takes_rows(const tutti_kernel_info *kernel)
{
    return kernel->form == TUTTI_FORM_ROW || kernel->form == TUTTI_FORM_ROWS ||
           kernel->form == TUTTI_FORM_POINTS;
}

static int fit_shape(const struct cli_input *in, const struct cli_npy *npy,
                     const tutti_kernel_info *kernel)
{
    if (takes_rows(kernel) && npy->dims != 2)
        return cli_fail("%s has one dimension and %s takes rows (%s): give an "
                        "array of rows, or a function of one value",
                        in->name, kernel->name, kernel->signature);
    if (!takes_rows(kernel) && npy->dims != 1)
        return cli_fail("%s has rows of %zu values and %s takes one value "
                        "(%s): a row is taken as f(const T *row, int n)",
                        in->name, npy->columns, kernel->name,
                        kernel->signature);
    if (npy->columns < 1 || npy->columns > INT_MAX)
        return cli_fail("%s has rows of %zu values: expected 1 to %d", in->name,
                        npy->columns, INT_MAX);
    return CLI_OK;
}

/* Points at the values, or at a copy where they are not aligned. */
static int find_items(struct cli_input *in, const struct cli_npy *npy)
{
    size_t size = tutti_type_size(npy->type);
    in->items = (char *)in->map + npy->offset;
    if (npy->offset % size == 0)
        return CLI_OK;
    size_t bytes = npy->rows * npy->columns * size;
    in->memory = malloc(bytes + 1);
    if (!in->memory)
        return cli_fail("%s: no memory for a copy of its %zu bytes, which are "
                        "not aligned: write it again with numpy.save",
                        in->name, bytes);
    in->items = memcpy(in->memory, in->items, bytes);
    return CLI_OK;
}

static int open_npy(struct cli_input *in, int fd, size_t size,
                    const tutti_kernel_info *kernel)
{
    struct cli_npy npy;
    int status = map_npy(in, &npy, fd, size);
    if (!status)
        status = fit_type(in, &npy, kernel);
    if (!status)
        status = fit_shape(in, &npy, kernel);
    if (!status)
        status = find_items(in, &npy);
    if (status)
        return status;
    in->rows = npy.rows;
    in->columns = npy.columns;
    return CLI_OK;
}

static int open_lines(struct cli_input *in, int fd,
                      const tutti_kernel_info *kernel)
{
    char *text;
    size_t size;
    int status = cli_lines_load(&text, &size, fd, in->name);
    if (status)
        return status;
    status = cli_lines_parse(&in->memory, &in->rows, &in->columns, text, size,
                             kernel->item, takes_rows(kernel), in->name);
    free(text);
    in->items = in->memory;
    return status;
}

int cli_input_open(struct cli_input *out, const char *name,
                   const tutti_kernel_info *kernel)
{
    int fd;
    size_t size;
    struct cli_input in = {.name = is_stdin(name) ? "standard input" : name};
    int status = open_file(&fd, &size, name);
    if (status)
        return status;
    if (cli_input_is_npy(name))
        status = open_npy(&in, fd, size, kernel);
    else
        status = open_lines(&in, fd, kernel);
    close_file(fd);
    if (status)
        cli_input_close(&in);
    else
        *out = in;
    return status;
}

static int check_npy(const char *name)
{
    int fd;
    size_t size;
    struct cli_npy npy;
    struct cli_input in = {.name = name};
    int status = open_file(&fd, &size, name);
    if (status)
        return status;
    status = map_npy(&in, &npy, fd, size);
    cli_input_close(&in);
    close_file(fd);
    return status;
}

int cli_input_check(const char *name)
{
    struct stat st;
    if (is_stdin(name))
        return CLI_OK;
    if (stat(name, &st))
        return fail_file(name);
    if (S_ISDIR(st.st_mode))
        return cli_fail("%s is a folder: expected a .npy file or lines of "
                        "text",
                        name);
    /* A pipe is opened once only: its writer would see it closed. */
    if (cli_input_is_npy(name))
        return check_npy(name);
    return access(name, R_OK) ? fail_file(name) : CLI_OK;
}

void cli_input_close(struct cli_input *input)
{
    if (input->map) {
        cli_signals_input(NULL, 0, NULL);
        munmap(input->map, input->mapped);
    }
    free(input->memory);
}
