/* ring/plan.h - the work of place_init: a table in the making, members sorted by name.
 *
 * Only ring/place.c uses it. Members are numbered by name here, so that nothing depends on the
 * order in which they were given. Call plan_init, plan_keep where there is a current table,
 * plan_fill, plan_balance, plan_balance_primaries, plan_release. */
#pragma once

#include "ring/ring.h"

struct place;

enum { PLAN_VACANT = UINT16_MAX };

struct plan {
    const struct ring_member **members; /* By name. */
    uint16_t *racks;                    /* Of each member: a number. */
    unsigned members_count, racks_count;
    uint32_t partitions_count;
    unsigned owners_count;        /* Of each partition: min(n, members). */
    unsigned rack_limit;          /* Of these, in one rack at most. */
    uint16_t *owners;             /* [partition][owners_count] members, or PLAN_VACANT. */
    bool *owns, *owned;           /* [partition][member]: now; in the current table. */
    uint16_t *rack_used;          /* [partition][rack]: owners in it now. */
    uint32_t *loads, *low, *high; /* Of each member. */
};

void plan_init(struct plan *plan, const struct ring_member *members, unsigned members_count,
               uint32_t partitions_count, unsigned n);
void plan_release(struct plan *plan);
/* Take over the owners of `current` that are still members and that n and the racks allow. */
void plan_keep(struct plan *plan, const struct place *current);
/* Fill what is vacant by walking the ring clockwise from each partition's place on it. */
void plan_fill(struct plan *plan);
/* Move vnodes, as few as possible, until every load is within its bounds. */
void plan_balance(struct plan *plan);
/* Swap owners within partitions, as few as possible, until first owners are balanced. */
void plan_balance_primaries(struct plan *plan);
