/* ring/flow.h - shortest paths that bring loads into their bounds (minimum-cost flow).
 *
 * Nodes are members. An edge from a to b says that a could hand one unit of its load to b; there
 * may be many, each of cost -1, 0 or 1. Successive shortest paths (Busacker, Gowen 1960): as long
 * as each path taken is a cheapest one, no cheaper way to the same loads exists. Pure. */
#pragma once

#include "base/base.h"

enum { FLOW_COSTS_COUNT = 3 }; /* Index 0, 1, 2 for the costs -1, 0, 1. */

struct flow {
    unsigned nodes_count;
    uint32_t *edges; /* [from][to][cost index]: how many there are. The caller keeps it current. */
    uint32_t *loads; /* The caller's. */
    const uint32_t *low, *high; /* Wanted: low[i] <= loads[i] <= high[i]. The caller's. */
    int32_t *distance;
    uint16_t *parent, *queue;
    uint8_t *parent_cost, *queued;
};

struct flow_step {
    uint16_t from, to;
    uint8_t cost_index;
};

/* `loads`, `low` and `high` have nodes_count entries and outlive the flow. No edges yet. */
void flow_init(struct flow *flow, unsigned nodes_count, uint32_t *loads, const uint32_t *low,
               const uint32_t *high);
void flow_release(struct flow *flow);
/* The number of edges from -> to with that cost. */
uint32_t *flow_edges(struct flow *flow, unsigned from, unsigned to, unsigned cost_index);
/* Find the cheapest and then shortest path whose first node has load to give and whose last has
 * room, one of them being out of bounds. Write its steps, at most nodes_count, and return how many;
 * 0 when all loads are within bounds. The caller then makes the steps, updating loads and edges.
 * Aborts when there is no path: the caller has made sure that the bounds can be met. */
unsigned flow_path(struct flow *flow, struct flow_step *steps);
