/* Both ends of a channel in one process, and messages whose bytes are known. */
#ifndef TUTTI_TESTS_WIRE_ENDS_H
#define TUTTI_TESTS_WIRE_ENDS_H

#include <tutti/status.h>

#include "wire/link.h"

struct ends {
    struct tt_channel place, worker;
    int bell;
};

void make(struct ends *ends);
void fini(struct ends *ends);

/* Byte i of message `begin`; of its blocks: begin + 1000. */
char pattern(uint64_t begin, size_t i);
void fill(char *data, uint64_t begin, size_t size);
void check(const void *data, uint64_t begin, size_t size);

/* A frame with a payload and blocks of these sizes (the last is 0). */
void put(struct tt_channel *channel, uint64_t begin, size_t size,
         const size_t *blocks);

/* Takes it. False: nothing is there. */
bool take(struct tt_channel *channel, uint64_t begin, size_t size,
          const size_t *blocks);

size_t count_files(void);

#endif
