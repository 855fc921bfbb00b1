/* ring/plan_balance.c - brings a filled plan into its bounds, moving as little as possible. */
#include "ring/plan.h"

#include "base/hash.h"
#include "ring/flow.h"

static uint16_t *balance_owners(const struct plan *plan, uint32_t partition)
{
    return &plan->owners[(size_t)partition * plan->owners_count];
}

static uint16_t *balance_rack(const struct plan *plan, uint32_t partition, unsigned member)
{
    return &plan->rack_used[(size_t)partition * plan->racks_count + plan->racks[member]];
}

/* May owner `from` hand `partition` to `to`, which does not own it? */
static bool balance_may(const struct plan *plan, uint32_t partition, unsigned from, unsigned to)
{
    return !plan->owns[(size_t)partition * plan->members_count + to] &&
           (plan->racks[from] == plan->racks[to] ||
            *balance_rack(plan, partition, to) < plan->rack_limit);
}

/* Copies that the step adds, plus 1: 0 when it brings a vnode home, 2 when it takes one away. */
static unsigned balance_cost(const struct plan *plan, uint32_t partition, unsigned from,
                             unsigned to)
{
    const bool *owned = &plan->owned[(size_t)partition * plan->members_count];

    return 1u + !owned[to] - !owned[from];
}

/* Count (sign 1) or discount (sign -1) the edges that `partition` offers. */
static void balance_count(const struct plan *plan, struct flow *flow, uint32_t partition,
                          uint32_t sign)
{
    const uint16_t *owners = balance_owners(plan, partition);

    for (unsigned i = 0; i < plan->owners_count; i++) {
        for (unsigned to = 0; to < plan->members_count; to++) {
            if (balance_may(plan, partition, owners[i], to)) {
                unsigned cost = balance_cost(plan, partition, owners[i], to);
                *flow_edges(flow, owners[i], to, cost) += sign;
            }
        }
    }
}

/* Where to begin looking for a partition that fits: a different place for each pair of members, so
 * that what a newcomer gets is spread over the ring. */
static uint32_t balance_start(const struct plan *plan, struct flow_step step)
{
    return (uint32_t)(hash_xxh3_2(bytes_of(plan->members[step.from]->name),
                                  bytes_of(plan->members[step.to]->name)) %
                      plan->partitions_count);
}

static void balance_move(struct plan *plan, struct flow *flow, uint32_t partition,
                         struct flow_step step)
{
    uint16_t *owners = balance_owners(plan, partition);
    bool *owns = &plan->owns[(size_t)partition * plan->members_count];
    unsigned index = 0;

    balance_count(plan, flow, partition, (uint32_t)-1);
    while (owners[index] != step.from) {
        index++;
    }
    ASSERT(index < plan->owners_count);
    owners[index] = step.to;
    owns[step.from] = false;
    owns[step.to] = true;
    --*balance_rack(plan, partition, step.from);
    ++*balance_rack(plan, partition, step.to);
    ASSERT(*balance_rack(plan, partition, step.to) <= plan->rack_limit);
    plan->loads[step.from]--;
    plan->loads[step.to]++;
    balance_count(plan, flow, partition, 1);
}

static void balance_step(struct plan *plan, struct flow *flow, struct flow_step step)
{
    uint32_t start = balance_start(plan, step);

    for (uint32_t i = 0;; i++) {
        ASSERT(i < plan->partitions_count); /* The edge was counted, so it is there. */
        uint32_t p = (start + i) % plan->partitions_count;
        if (plan->owns[(size_t)p * plan->members_count + step.from] &&
            balance_may(plan, p, step.from, step.to) &&
            balance_cost(plan, p, step.from, step.to) == step.cost_index) {
            balance_move(plan, flow, p, step);
            return;
        }
    }
}

void plan_balance(struct plan *plan)
{
    struct flow_step *steps = mem_alloc(plan->members_count * sizeof(steps[0]));
    struct flow flow;
    unsigned count;

    flow_init(&flow, plan->members_count, plan->loads, plan->low, plan->high);
    for (uint32_t p = 0; p < plan->partitions_count; p++) {
        balance_count(plan, &flow, p, 1);
    }
    while ((count = flow_path(&flow, steps)) > 0) {
        for (unsigned i = 0; i < count; i++) {
            balance_step(plan, &flow, steps[i]);
        }
    }
    flow_release(&flow);
    mem_free(steps);
}

/* The first owner could let any other owner of the partition be the first: no copy is made. */
static void primaries_count(const struct plan *plan, struct flow *flow, uint32_t partition,
                            uint32_t sign)
{
    const uint16_t *owners = balance_owners(plan, partition);

    for (unsigned i = 1; i < plan->owners_count; i++) {
        *flow_edges(flow, owners[0], owners[i], 1) += sign;
    }
}

/* The position of `member` behind the first owner, or 0. */
static unsigned primaries_index(const struct plan *plan, uint32_t partition, unsigned member)
{
    const uint16_t *owners = balance_owners(plan, partition);

    for (unsigned i = 1; i < plan->owners_count; i++) {
        if (owners[i] == member) {
            return i;
        }
    }
    return 0;
}

static void primaries_step(struct plan *plan, struct flow *flow, struct flow_step step)
{
    uint32_t start = balance_start(plan, step);

    for (uint32_t i = 0;; i++) {
        ASSERT(i < plan->partitions_count); /* As in balance_step. */
        uint32_t p = (start + i) % plan->partitions_count;
        uint16_t *owners = balance_owners(plan, p);
        unsigned index = primaries_index(plan, p, step.to);
        if (owners[0] == step.from && index > 0) {
            primaries_count(plan, flow, p, (uint32_t)-1);
            owners[0] = step.to;
            owners[index] = step.from;
            flow->loads[step.from]--;
            flow->loads[step.to]++;
            primaries_count(plan, flow, p, 1);
            return;
        }
    }
}

void plan_balance_primaries(struct plan *plan)
{
    struct flow_step *steps = mem_alloc(plan->members_count * sizeof(steps[0]));
    uint32_t *loads = mem_alloc_zero(plan->members_count, sizeof(uint32_t));
    uint32_t *low = mem_alloc_zero(plan->members_count, sizeof(uint32_t));
    uint32_t *high = mem_alloc_zero(plan->members_count, sizeof(uint32_t));
    struct flow flow;
    unsigned count;

    for (unsigned m = 0; m < plan->members_count; m++) {
        low[m] = plan->low[m] / plan->owners_count;
        high[m] = (plan->high[m] + plan->owners_count - 1) / plan->owners_count;
    }
    flow_init(&flow, plan->members_count, loads, low, high);
    for (uint32_t p = 0; p < plan->partitions_count; p++) {
        loads[balance_owners(plan, p)[0]]++;
        primaries_count(plan, &flow, p, 1);
    }
    while ((count = flow_path(&flow, steps)) > 0) {
        for (unsigned i = 0; i < count; i++) {
            primaries_step(plan, &flow, steps[i]);
        }
    }
    flow_release(&flow);
    mem_free(steps);
    mem_free(loads);
    mem_free(low);
    mem_free(high);
}
