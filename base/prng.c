#include "base/prng.h"

__extension__ typedef unsigned __int128 wide;

static uint64_t rotate(uint64_t value, int by)
{
    return value << by | value >> (64 - by);
}

void prng_init(struct prng *prng, uint64_t seed)
{
    for (int i = 0; i < 4; i++) { /* splitmix64 (Steele, Lea, Flood 2014) */
        seed += 0x9e3779b97f4a7c15U;
        uint64_t z = seed;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
        z = (z ^ z >> 27) * 0x94d049bb133111ebU;
        prng->state[i] = z ^ z >> 31;
    }
}

uint64_t prng_next(struct prng *prng)
{
    uint64_t *s = prng->state;
    uint64_t result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

uint64_t prng_below(struct prng *prng, uint64_t bound)
{
    ASSERT(bound > 0);
    uint64_t threshold = (0 - bound) % bound; /* Below it a multiply would favour small results. */
    for (;;) {
        wide product = (wide)prng_next(prng) * bound;
        if ((uint64_t)product >= threshold) {
            return (uint64_t)(product >> 64);
        }
    }
}

bool prng_chance(struct prng *prng, uint64_t one_in)
{
    return one_in > 0 && prng_below(prng, one_in) == 0;
}

double prng_double(struct prng *prng)
{
    return (double)(prng_next(prng) >> 11) * 0x1.0p-53;
}
