/* Numbers as text that reads back to the same bits. */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include <tutti/kernel.h>

#define CLI_TEXT_ROOM 32 /* bytes that one number may need */

/* Writes the value of `type` at `value` as Python shows it ("2.5", "4.0",
 * "nan", "17"), or as JSON, which has null for what is not finite; returns
 * the length. */
size_t cli_text_number(char *out, const void *value, tutti_type type,
                       bool json);

#endif
