#include "ring/flow.h"

enum { FLOW_NOWHERE = UINT16_MAX };
static const int32_t flow_far = INT32_MAX;

void flow_init(struct flow *flow, unsigned nodes_count, uint32_t *loads, const uint32_t *low,
               const uint32_t *high)
{
    size_t n = nodes_count;

    ASSERT(nodes_count > 0);
    ASSERT(nodes_count < FLOW_NOWHERE);
    *flow = (struct flow){
        .nodes_count = nodes_count,
        .edges = mem_alloc_zero(n * n * FLOW_COSTS_COUNT, sizeof(uint32_t)),
        .loads = loads,
        .low = low,
        .high = high,
        .distance = mem_alloc_zero(n, sizeof(int32_t)),
        .parent = mem_alloc_zero(n, sizeof(uint16_t)),
        .queue = mem_alloc_zero(n + 1, sizeof(uint16_t)),
        .parent_cost = mem_alloc_zero(n, 1),
        .queued = mem_alloc_zero(n, 1),
    };
}

void flow_release(struct flow *flow)
{
    mem_free(flow->edges);
    mem_free(flow->distance);
    mem_free(flow->parent);
    mem_free(flow->queue);
    mem_free(flow->parent_cost);
    mem_free(flow->queued);
    *flow = (struct flow){0};
}

uint32_t *flow_edges(struct flow *flow, unsigned from, unsigned to, unsigned cost_index)
{
    ASSERT(from < flow->nodes_count);
    ASSERT(to < flow->nodes_count);
    return &flow->edges[((size_t)from * flow->nodes_count + to) * FLOW_COSTS_COUNT + cost_index];
}

/* The lowest cost index of an edge from -> to, or FLOW_COSTS_COUNT when there is none. */
static unsigned flow_cheapest(struct flow *flow, unsigned from, unsigned to)
{
    const uint32_t *edges = flow_edges(flow, from, to, 0);
    unsigned cost_index = 0;

    while (cost_index < FLOW_COSTS_COUNT && edges[cost_index] == 0) {
        cost_index++;
    }
    return cost_index;
}

/* Distances from the nodes whose load is above give_above[node] (Bellman, Ford, with a queue). An
 * edge is as long as its cost, and by one step out of very many longer: of the cheapest paths the
 * one with the fewest steps wins. Such a path never wants one unit twice. */
static void flow_search(struct flow *flow, const uint32_t *give_above)
{
    unsigned n = flow->nodes_count, room = n + 1, head = 0, tail = 0;
    int32_t scale = (int32_t)n + 1;

    for (unsigned i = 0; i < n; i++) {
        bool gives = flow->loads[i] > give_above[i];
        flow->distance[i] = gives ? 0 : flow_far;
        flow->parent[i] = FLOW_NOWHERE;
        flow->queued[i] = gives;
        if (gives) {
            flow->queue[tail++] = (uint16_t)i;
        }
    }
    while (head != tail) {
        unsigned from = flow->queue[head];
        head = (head + 1) % room;
        flow->queued[from] = false;
        for (unsigned to = 0; to < n; to++) {
            unsigned cost_index = flow_cheapest(flow, from, to);
            if (cost_index == FLOW_COSTS_COUNT) {
                continue;
            }
            int32_t distance = flow->distance[from] + ((int32_t)cost_index - 1) * scale + 1;
            if (distance >= flow->distance[to]) {
                continue;
            }
            flow->distance[to] = distance;
            flow->parent[to] = (uint16_t)from;
            flow->parent_cost[to] = (uint8_t)cost_index;
            if (!flow->queued[to]) {
                flow->queued[to] = true;
                flow->queue[tail] = (uint16_t)to;
                tail = (tail + 1) % room;
            }
        }
    }
}

/* The nearest node whose load is below take_below[node], or FLOW_NOWHERE. */
static unsigned flow_nearest(const struct flow *flow, const uint32_t *take_below)
{
    unsigned best = FLOW_NOWHERE;

    for (unsigned i = 0; i < flow->nodes_count; i++) {
        if (flow->loads[i] < take_below[i] && flow->distance[i] != flow_far &&
            (best == FLOW_NOWHERE || flow->distance[i] < flow->distance[best])) {
            best = i;
        }
    }
    return best;
}

static unsigned flow_steps(const struct flow *flow, unsigned to, struct flow_step *steps)
{
    unsigned count = 0;

    for (unsigned at = to; flow->parent[at] != FLOW_NOWHERE; at = flow->parent[at]) {
        ASSERT(count < flow->nodes_count);
        count++;
    }
    for (unsigned at = to, i = count; i > 0; at = flow->parent[at]) {
        steps[--i] = (struct flow_step){flow->parent[at], (uint16_t)at, flow->parent_cost[at]};
    }
    ASSERT(count > 0);
    return count;
}

unsigned flow_path(struct flow *flow, struct flow_step *steps)
{
    bool above = false, below = false;
    unsigned to = FLOW_NOWHERE;

    for (unsigned i = 0; i < flow->nodes_count; i++) {
        above |= flow->loads[i] > flow->high[i];
        below |= flow->loads[i] < flow->low[i];
    }
    if (!above && !below) {
        return 0;
    }
    if (above) {
        flow_search(flow, flow->high);
        if (below) { /* One step cures two. */
            to = flow_nearest(flow, flow->low);
        }
        to = to != FLOW_NOWHERE ? to : flow_nearest(flow, flow->high);
    } else {
        flow_search(flow, flow->low);
        to = flow_nearest(flow, flow->low);
    }
    ASSERT(to != FLOW_NOWHERE);
    return flow_steps(flow, to, steps);
}
