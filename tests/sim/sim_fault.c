#include "tests/sim/sim.h"

enum { MILLI = 1000000, CLOCK_JUMP_MAX_MS = 10 * 60 * 1000 };

static unsigned pick_node(struct sim *sim)
{
    return (unsigned)prng_below(&sim->prng, sim->swarm.shape.nodes);
}

static uint64_t outage_end(struct sim *sim)
{
    return sim->now_ns + around(&sim->prng, sim->swarm.outage_ns);
}

static unsigned out_of_service(const struct sim *sim)
{
    unsigned count = 0;
    for (unsigned i = 0; i < sim->swarm.shape.nodes; i++) {
        const struct sim_node *node = &sim->nodes[i];
        count += node->state != MACHINE_UP || node->paused_until_ns > sim->now_ns;
    }
    return count;
}

static void crash_one(struct sim *sim, unsigned node, bool power)
{
    if (node_is_up(sim, node)) {
        node_crash(sim, node, power);
        node_start_after(sim, node, around(&sim->prng, sim->swarm.outage_ns));
    }
}

static void crash_all(struct sim *sim)
{
    sim_mark(sim, MARK_POWER_LOSS_ALL);
    for (unsigned i = 0; i < sim->swarm.shape.nodes; i++) {
        crash_one(sim, i, true);
    }
}

static void partition(struct sim *sim)
{
    unsigned nodes = sim->swarm.shape.nodes;
    bool one_way = prng_chance(&sim->prng, 3);
    uint64_t side = prng_below(&sim->prng, 1ULL << nodes);
    if (nodes == 1) {
        return;
    }
    sim_mark(sim, one_way ? MARK_PARTITION_ONE_WAY : MARK_PARTITION);
    trace_line(&sim->trace, sim->now_ns, "partition, side %x%s", (unsigned)side,
               one_way ? " one way" : "");
    for (unsigned a = 0; a < nodes; a++) {
        for (unsigned b = 0; b < nodes; b++) {
            bool from_side = (side >> a & 1) != 0, to_side = (side >> b & 1) != 0;
            if (a != b && from_side != to_side && (from_side || !one_way)) {
                net_block(sim, a, b, true);
            }
        }
    }
}

static void cut_link(struct sim *sim)
{
    unsigned a = pick_node(sim), b = pick_node(sim);
    bool one_way = prng_chance(&sim->prng, 2);
    if (a == b) {
        return;
    }
    sim_mark(sim, one_way ? MARK_LINK_CUT_ONE_WAY : MARK_LINK_CUT);
    trace_line(&sim->trace, sim->now_ns, "cut n%u -> n%u%s", a + 1, b + 1,
               one_way ? "" : " and back");
    net_block(sim, a, b, true);
    if (!one_way) {
        net_block(sim, b, a, true);
    }
}

static void jump_clock(struct sim *sim)
{
    struct sim_node *node = &sim->nodes[pick_node(sim)];
    sim_mark(sim, MARK_CLOCK_JUMP);
    int64_t range = prng_chance(&sim->prng, 3) ? CLOCK_JUMP_MAX_MS : 1000;
    node->wall_offset_ms += (int64_t)prng_below(&sim->prng, (uint64_t)(2 * range + 1)) - range;
}

static void slow_disk(struct sim *sim)
{
    struct sim_node *node = &sim->nodes[pick_node(sim)];
    sim_mark(sim, MARK_DISK_SLOW);
    node->disk_slow_until_ns = outage_end(sim);
    node->disk_slow_factor = 2U << prng_below(&sim->prng, 9);
}

static void spoil_reads(struct sim *sim)
{
    struct sim_node *node = &sim->nodes[pick_node(sim)];
    if (prng_chance(&sim->prng, 2)) {
        node->read_error_until_ns = outage_end(sim);
    } else {
        node->read_corrupt_until_ns = outage_end(sim);
    }
    node->reads_spoilt = true;
}

static void fail_write(struct sim *sim, unsigned node, bool may_stop_one)
{
    if (may_stop_one && node_is_up(sim, node)) {
        disk_fail_write(sim, node);
    }
}

static void strike(struct sim *sim, enum fault_kind kind)
{
    bool may_stop_one = out_of_service(sim) < sim->swarm.down_max;
    switch (kind) {
    case FAULT_KILL:
    case FAULT_POWER:
        if (may_stop_one) {
            crash_one(sim, pick_node(sim), kind == FAULT_POWER);
        }
        break;
    case FAULT_POWER_ALL:
        if (prng_chance(&sim->prng, 3)) {
            crash_all(sim);
        }
        break;
    case FAULT_STOP:
        if (may_stop_one) {
            node_stop(sim, pick_node(sim));
        }
        break;
    case FAULT_PAUSE:
        if (may_stop_one) {
            node_pause(sim, pick_node(sim), outage_end(sim));
        }
        break;
    case FAULT_PARTITION:
        partition(sim);
        break;
    case FAULT_LINK:
        cut_link(sim);
        break;
    case FAULT_RESET:
        net_reset_one(sim);
        break;
    case FAULT_HALF_OPEN:
        net_half_open_one(sim);
        break;
    case FAULT_STALL:
        net_stall_one(sim, outage_end(sim));
        break;
    case FAULT_LATENCY:
        sim_mark(sim, MARK_LATENCY_SPIKE);
        sim->net.slow_until_ns = outage_end(sim);
        sim->net.slow_factor = 2U << prng_below(&sim->prng, 7);
        break;
    case FAULT_CLOCK:
        jump_clock(sim);
        break;
    case FAULT_DISK_SLOW:
        slow_disk(sim);
        break;
    case FAULT_DISK_READ:
        spoil_reads(sim);
        break;
    case FAULT_DISK_COMMIT:
        fail_write(sim, pick_node(sim), may_stop_one);
        break;
    case FAULT_CLIENT:
        client_drop(sim, (unsigned)prng_below(&sim->prng, sim->swarm.clients_count));
        break;
    case FAULTS_COUNT:
        break;
    }
}

static void fault_run(struct sim *sim, struct sim_event *event)
{
    if (sim->healed) {
        return;
    }
    bool cuts = sim->swarm.faults[FAULT_PARTITION] || sim->swarm.faults[FAULT_LINK];
    if (cuts && prng_chance(&sim->prng, 3)) {
        sim_mark(sim, MARK_HEAL);
        trace_line(&sim->trace, sim->now_ns, "network healed");
        net_heal(sim);
    } else {
        strike(sim,
               (enum fault_kind)sim->fault_kinds[prng_below(&sim->prng, sim->fault_kinds_count)]);
    }
    sim_after(sim, event, around(&sim->prng, sim->swarm.faults_gap_ns));
}

void faults_begin(struct sim *sim)
{
    for (unsigned i = 0; i < FAULTS_COUNT; i++) {
        if (sim->swarm.faults[i]) {
            sim->fault_kinds[sim->fault_kinds_count++] = i;
        }
    }
    sim->fault.run = fault_run;
    if (sim->fault_kinds_count > 0) {
        sim_at(sim, &sim->fault,
               sim->swarm.faults_from_ns + around(&sim->prng, sim->swarm.faults_gap_ns));
    }
}

void faults_heal(struct sim *sim)
{
    trace_line(&sim->trace, sim->now_ns, "all faults end");
    sim->healed = true;
    sim->swarm.net.spike_one_in = sim->swarm.client_net.spike_one_in = 0;
    sim->swarm.disk_sync.spike_one_in = sim->swarm.disk_read.spike_one_in = 0;
    if (sim->swarm.slow_reads) {
        sim->swarm.disk_read = (struct delay){.low = MILLI / 100, .high = MILLI};
    }
    sim_cancel(sim, &sim->fault);
    net_heal(sim);
    net_settle(sim);
    for (unsigned i = 0; i < sim->swarm.shape.nodes; i++) {
        disk_heal(sim, i);
        if (!node_is_up(sim, i)) {
            node_start(sim, i);
        }
    }
}
