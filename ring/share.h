/* ring/share.h - the fair share of each member: what its load may be, in whole vnodes.
 *
 * Shares are proportional to weight, except that a member can own each partition once at most and a
 * rack at most `rack_limit` times; what those cannot take goes to the others in proportion (water
 * filling). Bounds made this way can always be met: the fractional table that gives every partition
 * the same mixture keeps to them, and such networks have a whole solution if any. Pure. */
#pragma once

#include "base/base.h"

struct share_input {
    const uint32_t *weights; /* Of each member, above 0. */
    const uint16_t *racks;   /* Of each member, below racks_count. */
    unsigned members_count, racks_count;
    uint32_t partitions_count;
    unsigned owners_count; /* Of each partition. */
    unsigned rack_limit;   /* Owners of one partition in one rack, at most. */
};

/* The least limit on owners per rack with which `owners_count` owners can be found: 1 where there
 * are as many racks. `owners_count` is at most members_count. */
unsigned share_rack_limit(const struct share_input *input);
/* Set low[m] and high[m] to the fair share of member m rounded down and up. */
void share_bounds(const struct share_input *input, uint32_t *low, uint32_t *high);
