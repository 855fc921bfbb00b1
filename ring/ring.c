#include "ring/ring.h"

#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

static int ring_compare(const void *a, const void *b)
{
    const struct ring_token *left = a, *right = b;

    if (left->position != right->position) {
        return left->position < right->position ? -1 : 1;
    }
    return left->member < right->member ? -1 : left->member > right->member;
}

/* Hash of the name and the token's number, both of which are the same everywhere. */
static uint64_t ring_position(const struct ring_member *member, unsigned index)
{
    uint8_t number[4];

    be32_set(number, index);
    return hash_xxh3_2(bytes_of(member->name), (struct bytes){number, sizeof(number)});
}

void ring_init(struct ring *ring, const struct ring_member *const *members, unsigned members_count)
{
    unsigned weight_max = 0;

    ASSERT(members_count > 0);
    ASSERT(members_count <= RING_MEMBERS_MAX);
    for (unsigned m = 0; m < members_count; m++) {
        ASSERT(members[m]->weight > 0);
        ASSERT(members[m]->weight <= RING_WEIGHT_MAX);
        weight_max = MAX(weight_max, members[m]->weight);
    }
    size_t room = (size_t)members_count * RING_TOKENS_PER_MEMBER;
    *ring = (struct ring){.tokens = mem_alloc_zero(room, sizeof(struct ring_token))};
    for (unsigned m = 0; m < members_count; m++) {
        unsigned count = RING_TOKENS_PER_MEMBER * members[m]->weight / weight_max;
        for (unsigned i = 0; i < MAX(count, 1u); i++) {
            ring->tokens[ring->tokens_count++] =
                (struct ring_token){ring_position(members[m], i), (uint16_t)m};
        }
    }
    ASSERT(ring->tokens_count <= room);
    qsort(ring->tokens, ring->tokens_count, sizeof(struct ring_token), ring_compare);
}

void ring_release(struct ring *ring)
{
    mem_free(ring->tokens);
    *ring = (struct ring){0};
}

uint32_t ring_first(const struct ring *ring, uint64_t position)
{
    uint32_t low = 0, high = ring->tokens_count;

    ASSERT(ring->tokens_count > 0);
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (ring->tokens[middle].position < position) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low == ring->tokens_count ? 0 : low; /* Past the last token the circle begins anew. */
}
