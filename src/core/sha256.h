/* SHA-256 (FIPS 180-4). */
#ifndef TT_CORE_SHA256_H
#define TT_CORE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define TT_SHA256_SIZE 32
#define TT_SHA256_HEX (2 * TT_SHA256_SIZE + 1)

struct tt_sha256 {
    uint32_t state[8];
    uint64_t size; /* bytes added so far */
    uint8_t block[64];
};

void tt_sha256_init(struct tt_sha256 *hash);
void tt_sha256_add(struct tt_sha256 *hash, const void *data, size_t size);

/* Ends the hash and writes it in hexadecimal, with a final zero. */
void tt_sha256_hex(struct tt_sha256 *hash, char hex[TT_SHA256_HEX]);

#endif
