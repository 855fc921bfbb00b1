/* ring/ring.h - members and their virtual nodes on the hash circle.
 *
 * Consistent hashing with virtual nodes (Karger et al. 1997; Dynamo, section 4.2): each member has
 * tokens on a circle of 2^64 positions, in proportion to its weight. Tokens depend on names and
 * weights only, so every node computes the same circle. They decide where a walk
 * begins; how much each member really gets is decided by ring/place.h. Pure. */
#pragma once

#include "base/bytes.h"

enum {
    RING_MEMBERS_MAX = 1024,
    RING_WEIGHT_MAX = 1000,
    RING_TOKENS_PER_MEMBER = 64, /* Of the member with the greatest weight. */
};

struct ring_member {
    char name[64];   /* Unique; ended by a NUL. */
    char rack[64];   /* A path such as "dc1/r2", compared as a whole; may be empty. */
    unsigned weight; /* 1..RING_WEIGHT_MAX */
};

struct ring_token {
    uint64_t position;
    uint16_t member; /* Index in the array that ring_init was given. */
};

struct ring {
    struct ring_token *tokens; /* By position, then member. */
    uint32_t tokens_count;
};

/* `members` are sorted by name, 1..RING_MEMBERS_MAX of them; they are not kept. */
void ring_init(struct ring *ring, const struct ring_member *const *members, unsigned members_count);
void ring_release(struct ring *ring);
/* Index of the first token at or clockwise after `position`. */
uint32_t ring_first(const struct ring *ring, uint64_t position);
