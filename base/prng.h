/* base/prng.h - xoshiro256** (Blackman, Vigna 2018): seeded random numbers for pure code.
 *
 * Not for secrets: those come from the shell's getrandom(2) in the start event's seed. */
#pragma once

#include "base/base.h"

struct prng {
    uint64_t state[4];
};

/* Spread `seed` over the state with splitmix64. */
void prng_init(struct prng *prng, uint64_t seed);
uint64_t prng_next(struct prng *prng);
/* Uniform in 0..bound-1, without bias; bound > 0. */
uint64_t prng_below(struct prng *prng, uint64_t bound);
/* True once in `one_in` times on average; never for 0. */
bool prng_chance(struct prng *prng, uint64_t one_in);
/* Uniform in [0, 1). */
double prng_double(struct prng *prng);
