/* ring/place.h - the partition table: which members own which partition, in order of preference.
 *
 * Dynamo, section 4.3 and 6.2 (strategy 3: Q equal partitions), with bounded loads (Mirrokni,
 * Thorup, Zadimoghaddam 2018). Whatever the shape, a table promises:
 *
 *   - each partition has exactly min(n, members) distinct owners;
 *   - no rack holds more owners of one partition than it must: one, where there are n racks. With
 *     fewer, a partition may leave out a rack: n = 4 on three racks may be 2 + 2 + 0;
 *   - each member's load is its fair share, rounded down or up to a whole vnode. The fair share is
 *     proportional to weight, as far as the two lines above allow: a member cannot own a partition
 *     twice, nor a rack more than it may;
 *   - first owners are shared out likewise;
 *   - from a current table no more vnodes move than these lines make necessary. Found by
 *     search among small tables: one vnode more after about one change in 4,000, mostly of a rack
 *     or weight, now and then of n or a leave, never yet of a join.
 *
 * The walk around the ring only proposes: what is out of bounds after it is moved along shortest
 * paths of a flow network (ring/flow.h), so that a member that is too full hands on as few vnodes
 * as possible. Pure, integers only: the same table on every node, for any order of `members`. */
#pragma once

#include "ring/ring.h"

enum { PLACE_N_MAX = 16 };

struct place {
    uint16_t *owners;  /* partitions_count * owners_count member indexes, preference order. */
    char (*names)[64]; /* Of the members, to match them in a later place_init. */
    uint32_t partitions_count;
    unsigned members_count;
    unsigned owners_count;
};

/* Compute the table. `members` has 1..RING_MEMBERS_MAX unique names and is not kept; member indexes
 * are indexes of it. `n` is 1..PLACE_N_MAX. `current` is NULL, or a table of as many partitions to
 * stay close to: its members are matched by name, and its n may be another. */
void place_init(struct place *place, const struct ring_member *members, unsigned members_count,
                uint32_t partitions_count, unsigned n, const struct place *current);
void place_release(struct place *place);

/* Owners of each partition: min(n, members). */
unsigned place_owners_count(const struct place *place);
/* The place_owners_count owners of `partition`, in order of preference. Borrowed. */
const uint16_t *place_owners(const struct place *place, uint32_t partition);
bool place_is_owner(const struct place *place, uint32_t partition, unsigned member);
/* Position of `member` among the owners of `partition`, or -1. */
int place_index_of(const struct place *place, uint32_t partition, unsigned member);
/* Set loads[m] to the partitions that member m owns, and primaries[m] (may be NULL) to those in
 * which it is the first owner; members_count of each. */
void place_loads(const struct place *place, uint32_t *loads, uint32_t *primaries);
/* Vnodes of `new` that are not in `old`, members matched by name: the copies that must be made.
 * Both have the same number of partitions. */
uint32_t place_moves(const struct place *old, const struct place *new);
