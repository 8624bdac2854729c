/* The reader of options: any words (a line each) are read within their bounds
 * or refused in one line. */
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "map.h"

#define WORDS 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
    if (!holds)
        abort();
}

static void check(const struct cli_map *map)
{
    must(map->run.workers <= 1024 && map->width <= INT_MAX);
    must(map->task_timeout >= 0 && isfinite(map->task_timeout));
    must(map->errors <= 1 && map->range.n <= (size_t)1 << 48);
    must(map->range.n == 0 || map->range.step != 0);
    if (map->function && cli_map_check(map) != CLI_OK)
        must(cli_sentence()[0] && !strchr(cli_sentence(), '\n'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cli_map map = {.function = NULL};
    char *text = malloc(size + 1), *rest = text, *words[WORDS];
    must(text != NULL);
    memcpy(text, data, size);
    text[size] = 0;
    int count = 0;
    while (rest && count < WORDS)
        words[count++] = strsep(&rest, "\n");
    if (cli_options_parse(cli_map_options, &map, &map.function, count, words))
        must(cli_sentence()[0] && !strchr(cli_sentence(), '\n'));
    else
        check(&map);
    free(text);
    return 0;
}
