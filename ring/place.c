#include "ring/place.h"

#include "ring/plan.h"

#include <string.h>

/* Find `name` among the members of `place`, or return -1. Not hot: only place_moves asks. */
static int place_find(const struct place *place, const char *name)
{
    for (unsigned m = 0; m < place->members_count; m++) {
        if (strcmp(place->names[m], name) == 0) {
            return (int)m;
        }
    }
    return -1;
}

void place_init(struct place *place, const struct ring_member *members, unsigned members_count,
                uint32_t partitions_count, unsigned n, const struct place *current)
{
    struct plan plan;

    plan_init(&plan, members, members_count, partitions_count, n);
    if (current != NULL) {
        plan_keep(&plan, current);
    }
    plan_fill(&plan);
    plan_balance(&plan);
    plan_balance_primaries(&plan);

    size_t vnodes = (size_t)partitions_count * plan.owners_count;
    *place = (struct place){
        .owners = mem_alloc_zero(vnodes, sizeof(uint16_t)),
        .names = mem_alloc_zero(members_count, sizeof(place->names[0])),
        .partitions_count = partitions_count,
        .members_count = members_count,
        .owners_count = plan.owners_count,
    };
    for (size_t i = 0; i < vnodes; i++) {
        place->owners[i] = (uint16_t)(plan.members[plan.owners[i]] - members);
    }
    for (unsigned m = 0; m < members_count; m++) {
        memcpy(place->names[m], members[m].name, sizeof(place->names[m]));
    }
    plan_release(&plan);
}

void place_release(struct place *place)
{
    mem_free(place->owners);
    mem_free(place->names);
    *place = (struct place){0};
}

unsigned place_owners_count(const struct place *place)
{
    return place->owners_count;
}

const uint16_t *place_owners(const struct place *place, uint32_t partition)
{
    ASSERT(partition < place->partitions_count);
    return &place->owners[(size_t)partition * place->owners_count];
}

int place_index_of(const struct place *place, uint32_t partition, unsigned member)
{
    const uint16_t *owners = place_owners(place, partition);

    for (unsigned i = 0; i < place->owners_count; i++) {
        if (owners[i] == member) {
            return (int)i;
        }
    }
    return -1;
}

bool place_is_owner(const struct place *place, uint32_t partition, unsigned member)
{
    return place_index_of(place, partition, member) >= 0;
}

void place_loads(const struct place *place, uint32_t *loads, uint32_t *primaries)
{
    memset(loads, 0, place->members_count * sizeof(loads[0]));
    if (primaries != NULL) {
        memset(primaries, 0, place->members_count * sizeof(primaries[0]));
    }
    for (uint32_t p = 0; p < place->partitions_count; p++) {
        const uint16_t *owners = place_owners(place, p);
        for (unsigned i = 0; i < place->owners_count; i++) {
            loads[owners[i]]++;
        }
        if (primaries != NULL) {
            primaries[owners[0]]++;
        }
    }
}

uint32_t place_moves(const struct place *old, const struct place *new)
{
    uint32_t moves = 0;

    ASSERT(old->partitions_count == new->partitions_count);
    int *of = mem_alloc(new->members_count * sizeof(int));
    for (unsigned m = 0; m < new->members_count; m++) {
        of[m] = place_find(old, new->names[m]);
    }
    for (uint32_t p = 0; p < new->partitions_count; p++) {
        const uint16_t *owners = place_owners(new, p);
        for (unsigned i = 0; i < new->owners_count; i++) {
            int before = of[owners[i]];
            moves += before < 0 || !place_is_owner(old, p, (unsigned)before);
        }
    }
    mem_free(of);
    return moves;
}
