#include "core/sha256.h"

#include <string.h>

static const uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1,
    0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
    0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
    0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
    0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
    0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
    0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t turn(uint32_t x, unsigned bits)
{
    return x >> bits | x << (32 - bits);
}

#define WORD(s, k) (s)[(k)&7]

/* Round k of eight; instead of moving all words one place on, it reads them
 * one place back. */
static inline void mix(uint32_t s[8], unsigned k, uint32_t add)
{
    uint32_t a = WORD(s, 0 - k), b = WORD(s, 1 - k), c = WORD(s, 2 - k);
    uint32_t e = WORD(s, 4 - k), f = WORD(s, 5 - k), g = WORD(s, 6 - k);
    uint32_t t = WORD(s, 7 - k) + add + ((e & f) ^ (~e & g)) +
                 (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25));
    WORD(s, 3 - k) += t;
    WORD(s, 7 - k) = t + ((a & b) ^ (a & c) ^ (b & c)) +
                     (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22));
}

static void compress(uint32_t state[8], const uint8_t block[64])
{
    uint32_t w[64], s[8];
    for (unsigned i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
               (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    for (unsigned i = 16; i < 64; i++) {
        uint32_t a = w[i - 15], b = w[i - 2];
        w[i] = w[i - 16] + (turn(a, 7) ^ turn(a, 18) ^ a >> 3) + w[i - 7] +
               (turn(b, 17) ^ turn(b, 19) ^ b >> 10);
    }
    memcpy(s, state, sizeof s);
    for (unsigned i = 0; i < 64; i += 8) {
        const uint32_t *add = constants + i;
        mix(s, 0, add[0] + w[i]);
        mix(s, 1, add[1] + w[i + 1]);
        mix(s, 2, add[2] + w[i + 2]);
        mix(s, 3, add[3] + w[i + 3]);
        mix(s, 4, add[4] + w[i + 4]);
        mix(s, 5, add[5] + w[i + 5]);
        mix(s, 6, add[6] + w[i + 6]);
        mix(s, 7, add[7] + w[i + 7]);
    }
    for (unsigned i = 0; i < 8; i++)
        state[i] += s[i];
}

void tt_sha256_init(struct tt_sha256 *hash)
{
    static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372,
                                      0xa54ff53a, 0x510e527f, 0x9b05688c,
                                      0x1f83d9ab, 0x5be0cd19};
    memcpy(hash->state, start, sizeof start);
    hash->size = 0;
}

void tt_sha256_add(struct tt_sha256 *hash, const void *data, size_t size)
{
    const uint8_t *from = data;
    while (size > 0) {
        size_t at = hash->size % 64;
        size_t part = size < 64 - at ? size : 64 - at;
        memcpy(hash->block + at, from, part);
        hash->size += part;
        from += part;
        size -= part;
        if (at + part == 64)
            compress(hash->state, hash->block);
    }
}

void tt_sha256_hex(struct tt_sha256 *hash, char hex[TT_SHA256_HEX])
{
    static const uint8_t padding[64] = {0x80};
    uint64_t bits = hash->size * 8;
    uint8_t tail[8];
    for (unsigned i = 0; i < 8; i++)
        tail[i] = (uint8_t)(bits >> (56 - 8 * i));
    tt_sha256_add(hash, padding, 1 + (119 - hash->size % 64) % 64);
    tt_sha256_add(hash, tail, sizeof tail);
    for (unsigned i = 0; i < 64; i++)
        hex[i] =
            "0123456789abcdef"[hash->state[i / 8] >> (28 - i % 8 * 4) & 15];
    hex[64] = 0;
}
