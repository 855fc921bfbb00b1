/* tests/sim/sim_forge.h - contexts that a hostile or broken client would send. */
#pragma once

#include "base/arena.h"
#include "base/bytes.h"
#include "base/prng.h"

/* Return the token with one character changed. */
struct bytes forge_damage(struct bytes token, struct prng *prng, struct arena *arena);
/* Return the token with one bit of its contents changed and its checksum made to fit again: only
 * what authenticates it can tell. Empty when the token is too short to be one. */
struct bytes forge_contents(struct bytes token, struct prng *prng, struct arena *arena);
