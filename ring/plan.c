#include "ring/plan.h"

#include "ring/place.h"
#include "ring/share.h"
#include "ring/slot.h"

#include <stdlib.h>
#include <string.h>

static int plan_compare(const void *a, const void *b)
{
    const struct ring_member *const *left = a, *const *right = b;

    return strcmp((*left)->name, (*right)->name);
}

/* Number the racks in the order in which they first appear by member name. */
static void plan_number_racks(struct plan *plan)
{
    for (unsigned m = 0; m < plan->members_count; m++) {
        unsigned same = 0;
        while (strcmp(plan->members[same]->rack, plan->members[m]->rack) != 0) {
            same++;
        }
        plan->racks[m] = same == m ? (uint16_t)plan->racks_count++ : plan->racks[same];
    }
}

static void plan_bounds(struct plan *plan)
{
    uint32_t *weights = mem_alloc_zero(plan->members_count, sizeof(uint32_t));
    struct share_input input = {
        .weights = weights,
        .racks = plan->racks,
        .members_count = plan->members_count,
        .racks_count = plan->racks_count,
        .partitions_count = plan->partitions_count,
        .owners_count = plan->owners_count,
    };

    for (unsigned m = 0; m < plan->members_count; m++) {
        weights[m] = plan->members[m]->weight;
    }
    plan->rack_limit = input.rack_limit = share_rack_limit(&input);
    share_bounds(&input, plan->low, plan->high);
    mem_free(weights);
}

void plan_init(struct plan *plan, const struct ring_member *members, unsigned members_count,
               uint32_t partitions_count, unsigned n)
{
    ASSERT(members_count > 0);
    ASSERT(members_count <= RING_MEMBERS_MAX);
    ASSERT(n > 0);
    ASSERT(n <= PLACE_N_MAX);
    ASSERT(slot_partitions_count_valid(partitions_count));
    *plan = (struct plan){
        .members = mem_alloc_zero(members_count, sizeof(plan->members[0])),
        .racks = mem_alloc_zero(members_count, sizeof(uint16_t)),
        .members_count = members_count,
        .partitions_count = partitions_count,
        .owners_count = MIN(n, members_count),
        .loads = mem_alloc_zero(members_count, sizeof(uint32_t)),
        .low = mem_alloc_zero(members_count, sizeof(uint32_t)),
        .high = mem_alloc_zero(members_count, sizeof(uint32_t)),
    };
    for (unsigned m = 0; m < members_count; m++) {
        ASSERT(memchr(members[m].name, '\0', sizeof(members[m].name)) != NULL);
        ASSERT(memchr(members[m].rack, '\0', sizeof(members[m].rack)) != NULL);
        plan->members[m] = &members[m];
    }
    qsort(plan->members, members_count, sizeof(plan->members[0]), plan_compare);
    for (unsigned m = 1; m < members_count; m++) {
        ASSERT(strcmp(plan->members[m - 1]->name, plan->members[m]->name) < 0);
    }
    plan_number_racks(plan);
    plan_bounds(plan);
    size_t vnodes = (size_t)partitions_count * plan->owners_count;
    plan->owners = mem_alloc(vnodes * sizeof(uint16_t));
    for (size_t i = 0; i < vnodes; i++) {
        plan->owners[i] = PLAN_VACANT;
    }
    plan->owns = mem_alloc_zero((size_t)partitions_count * members_count, sizeof(bool));
    plan->owned = mem_alloc_zero((size_t)partitions_count * members_count, sizeof(bool));
    plan->rack_used =
        mem_alloc_zero((size_t)partitions_count * plan->racks_count, sizeof(uint16_t));
}

void plan_release(struct plan *plan)
{
    mem_free(plan->members);
    mem_free(plan->racks);
    mem_free(plan->owners);
    mem_free(plan->owns);
    mem_free(plan->owned);
    mem_free(plan->rack_used);
    mem_free(plan->loads);
    mem_free(plan->low);
    mem_free(plan->high);
    *plan = (struct plan){0};
}

static uint16_t *plan_owners(const struct plan *plan, uint32_t partition)
{
    return &plan->owners[(size_t)partition * plan->owners_count];
}

static uint16_t *plan_rack_used(const struct plan *plan, uint32_t partition, unsigned member)
{
    return &plan->rack_used[(size_t)partition * plan->racks_count + plan->racks[member]];
}

static void plan_add(struct plan *plan, uint32_t partition, unsigned index, unsigned member)
{
    bool *owns = &plan->owns[(size_t)partition * plan->members_count + member];

    ASSERT(plan_owners(plan, partition)[index] == PLAN_VACANT);
    ASSERT(!*owns);
    plan_owners(plan, partition)[index] = (uint16_t)member;
    *owns = true;
    ++*plan_rack_used(plan, partition, member);
    plan->loads[member]++;
}

/* Taking whoever fits keeps as many owners of a partition as any choice would; which of a rack's
 * they are does not matter, since plan_balance exchanges them at no cost. It relies on the former:
 * there is no cheaper table with the same loads to begin with. */
void plan_keep(struct plan *plan, const struct place *current)
{
    uint16_t *of = mem_alloc_zero(current->members_count, sizeof(uint16_t));

    ASSERT(current->partitions_count == plan->partitions_count);
    for (unsigned c = 0; c < current->members_count; c++) {
        struct ring_member wanted, *key = &wanted;
        memcpy(wanted.name, current->names[c], sizeof(wanted.name));
        const struct ring_member **found = bsearch(&key, plan->members, plan->members_count,
                                                   sizeof(plan->members[0]), plan_compare);
        of[c] = found != NULL ? (uint16_t)(found - plan->members) : PLAN_VACANT;
    }
    for (uint32_t p = 0; p < plan->partitions_count; p++) {
        const uint16_t *owners = place_owners(current, p);
        unsigned kept = 0;
        for (unsigned i = 0; i < place_owners_count(current); i++) {
            unsigned m = of[owners[i]];
            if (m == PLAN_VACANT) {
                continue;
            }
            plan->owned[(size_t)p * plan->members_count + m] = true;
            if (kept < plan->owners_count && *plan_rack_used(plan, p, m) < plan->rack_limit) {
                plan_add(plan, p, kept++, m);
            }
        }
    }
    mem_free(of);
}

/* The first member clockwise of `token` that may own `partition`; with `bounded`, and has room. */
static unsigned plan_walk(const struct plan *plan, const struct ring *ring, uint32_t token,
                          uint32_t partition, bool bounded)
{
    for (uint32_t i = 0; i < ring->tokens_count; i++) {
        unsigned m = ring->tokens[(token + i) % ring->tokens_count].member;
        if (!plan->owns[(size_t)partition * plan->members_count + m] &&
            *plan_rack_used(plan, partition, m) < plan->rack_limit &&
            (!bounded || plan->loads[m] < plan->high[m])) {
            return m;
        }
    }
    return PLAN_VACANT;
}

void plan_fill(struct plan *plan)
{
    struct ring ring;
    uint64_t arc = UINT64_MAX / plan->partitions_count;

    ring_init(&ring, plan->members, plan->members_count);
    for (uint32_t p = 0; p < plan->partitions_count; p++) {
        uint32_t token = ring_first(&ring, p * arc);
        for (unsigned i = 0; i < plan->owners_count; i++) {
            if (plan_owners(plan, p)[i] != PLAN_VACANT) {
                continue;
            }
            unsigned m = plan_walk(plan, &ring, token, p, true);
            if (m == PLAN_VACANT) {
                m = plan_walk(plan, &ring, token, p, false); /* plan_balance moves it on. */
            }
            ASSERT(m != PLAN_VACANT);
            plan_add(plan, p, i, m);
        }
    }
    ring_release(&ring);
}
