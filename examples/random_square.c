/* For each seed what this gives in Python, bit for bit:
 *
 *     np.random.seed(seed); np.random.randint(0, 10) ** 2
 *
 *     tutti map examples/random_square.c:random_square --range 10000000 \
 *         -o squares.npy
 *
 * NumPy's generator here is the Mersenne Twister (MT19937): its 624 words
 * follow from the seed by a recurrence, its k-th number mixes the words k,
 * k + 1 and k + 397, and randint() takes the low four bits of one number after
 * the other until they are below 10. So the recurrence need not run beyond
 * word 396 + DRAWS; and as each of its steps waits for the one before, LANES
 * seeds run side by side, of which the compiler makes vectors. A seed that is
 * not done after DRAWS numbers (4 in 10,000) starts again by itself. */
#include <stddef.h>
#include <stdint.h>

#define LANES 128
#define DRAWS 8
#define WORDS 624
#define FAR 397

static inline uint32_t next_word(uint32_t word, uint32_t index)
{
    return 1812433253u * (word ^ word >> 30) + index;
}

static inline uint32_t twist(uint32_t word, uint32_t next, uint32_t far)
{
    uint32_t y = (word & 0x80000000u) | (next & 0x7fffffffu);
    return far ^ y >> 1 ^ (-(y & 1) & 0x9908b0dfu);
}

/* The low four bits of a number. */
static inline uint32_t temper(uint32_t y)
{
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680u;
    y ^= y << 15 & 0xefc60000u;
    return (y ^ y >> 18) & 15;
}

/* One seed, with as many numbers as it takes. */
static int64_t square_alone(uint32_t seed)
{
    uint32_t word[WORDS] = {seed}, value;
    for (uint32_t i = 1; i < WORDS; i++)
        word[i] = next_word(word[i - 1], i);
    uint32_t k = 0;
    do {
        word[k] =
            twist(word[k], word[(k + 1) % WORDS], word[(k + FAR) % WORDS]);
        value = temper(word[k]);
        k = (k + 1) % WORDS;
    } while (value > 9);
    return (int64_t)(value * value);
}

/* LANES seeds; the result of one that is not done is 15 * 15. */
static void square_lanes(const uint32_t *seed, uint32_t *square)
{
    uint32_t word[LANES], first[DRAWS + 1][LANES], value[LANES];
    for (int l = 0; l < LANES; l++) {
        word[l] = first[0][l] = seed[l];
        value[l] = 15;
    }
    for (uint32_t i = 1; i <= DRAWS; i++)
        for (int l = 0; l < LANES; l++)
            word[l] = first[i][l] = next_word(word[l], i);
    for (uint32_t i = DRAWS + 1; i < FAR; i++)
        for (int l = 0; l < LANES; l++)
            word[l] = next_word(word[l], i);
    for (uint32_t k = 0; k < DRAWS; k++)
        for (int l = 0; l < LANES; l++) {
            word[l] = next_word(word[l], FAR + k);
            uint32_t y = temper(twist(first[k][l], first[k + 1][l], word[l]));
            value[l] = value[l] > 9 ? y : value[l];
        }
    for (int l = 0; l < LANES; l++)
        square[l] = value[l] > 9 ? 15 * 15 : value[l] * value[l];
}

/* Seeds are 0 to 2**32 - 1, as NumPy takes them; others give -1. */
void random_square(size_t n, const int64_t *seed, int64_t *out)
{
    uint32_t some[LANES] = {0}, square[LANES];
    for (size_t i = 0; i < n; i += LANES) {
        size_t size = n - i < LANES ? n - i : LANES;
        for (size_t l = 0; l < size; l++)
            some[l] = (uint32_t)seed[i + l];
        square_lanes(some, square);
        for (size_t l = 0; l < size; l++)
            out[i + l] = square[l] == 15 * 15 ? square_alone(some[l])
                                              : (int64_t)square[l];
        for (size_t l = 0; l < size; l++)
            out[i + l] = seed[i + l] >> 32 ? -1 : out[i + l];
    }
}
