/* The reader of numbers a line: any text is read or refused in one line, and
 * what is read is written and read again with the same bits. The first byte
 * is the type, and whether a line has many. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "lines.h"
#include "text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
    if (!holds)
        abort();
}

/* Writes a number and reads it back; of what is not a number the bits may
 * differ. */
static void check(const char *item, tutti_type type)
{
    char text[CLI_TEXT_ROOM + 1];
    void *back;
    size_t rows, columns, size = cli_text_number(text, item, type, false);
    must(size > 0 && size <= CLI_TEXT_ROOM);
    text[size] = 0;
    must(cli_lines_parse(&back, &rows, &columns, text, size, type, false,
                         "text") == CLI_OK);
    must(rows == 1 && columns == 1);
    must(strcmp(text, "nan") == 0 ||
         memcmp(back, item, tutti_type_size(type)) == 0);
    free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    void *items;
    size_t rows, columns;
    if (size == 0)
        return 0;
    tutti_type type = TUTTI_F64 + (data[0] & 3);
    char *text = calloc(1, size);
    must(text != NULL);
    memcpy(text, data + 1, size - 1);
    if (cli_lines_parse(&items, &rows, &columns, text, size - 1, type,
                        data[0] & 4, "text") != CLI_OK) {
        must(cli_sentence()[0] && !strchr(cli_sentence(), '\n'));
    } else {
        for (size_t i = 0; i < rows * columns; i++)
            check((char *)items + i * tutti_type_size(type), type);
        free(items);
    }
    free(text);
    return 0;
}
