/* The reader of C signatures: any text is read or refused in one line, and
 * what it normalises to is read as the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/signature.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tt_signature one, two;
    const char *text = (const char *)data;
    if (tt_signature_read(&one, text, size, "f", "f.c", true) != TUTTI_OK) {
        must(tutti_detail()[0] && !strchr(tutti_detail(), '\n'));
        return 0;
    }
    must(tt_signature_read(&two, one.text, strlen(one.text), "f", "text",
                           false) == TUTTI_OK);
    must(two.form == one.form && two.item == one.item &&
         two.result == one.result && strcmp(two.text, one.text) == 0);
    return 0;
}
