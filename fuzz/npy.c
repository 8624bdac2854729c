/* The reader of .npy headers: any file is read or refused in one line; what
 * is read fills the file, and is read again as it was written. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cli_npy one, two;
    if (cli_npy_parse(&one, "x.npy", data, size) != CLI_OK) {
        must(cli_sentence()[0] && !strchr(cli_sentence(), '\n'));
        return 0;
    }
    size_t bytes = one.rows * one.columns * tutti_type_size(one.type);
    must(one.dims == 1 || one.dims == 2);
    must(one.offset + bytes == size);
    char *file = calloc(1, CLI_NPY_ROOM + bytes);
    must(file != NULL);
    size_t length = cli_npy_header(file, &one);
    must(length % 64 == 0 && length <= CLI_NPY_ROOM);
    must(cli_npy_parse(&two, "x.npy", file, length + bytes) == CLI_OK);
    must(two.type == one.type && two.dims == one.dims && two.rows == one.rows &&
         two.columns == one.columns && two.offset == length);
    free(file);
    return 0;
}
