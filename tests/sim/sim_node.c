#include "tests/sim/sim_node.h"

#include <stdio.h>
#include <string.h>

#include "quorum/quorum.h"
#include "tests/sim/sim.h"

static const int64_t WALL_START_MS = 1750000000000; /* Some day in 2025. */

struct sim_node_events {
    struct sim *sim;
    unsigned index;
    struct sim_event timer, turn, start, stats;
};

bool node_is_up(const struct sim *sim, unsigned index)
{
    return sim->nodes[index].state != MACHINE_DOWN;
}

uint64_t node_ready_ns(const struct sim *sim, unsigned index)
{
    return MAX(sim->nodes[index].paused_until_ns, sim->now_ns);
}

int64_t node_wall_ms(const struct sim *sim, unsigned index)
{
    const struct sim_node *node = &sim->nodes[index];
    int64_t at_us = (int64_t)(sim->now_ns / 1000);
    return WALL_START_MS + (at_us + at_us * node->wall_ppm / 1000000) / 1000 + node->wall_offset_ms;
}

/* How far apart the clocks of nodes have been is what expiry may be inexact by. */
static void note_wall(struct sim *sim, int64_t wall_ms)
{
    int64_t error_ms = wall_ms - WALL_START_MS - (int64_t)(sim->now_ns / 1000000);
    sim->wall_low_ms = MIN(sim->wall_low_ms, error_ms);
    sim->wall_high_ms = MAX(sim->wall_high_ms, error_ms);
}

static uint64_t node_mono_ns(const struct sim *sim, const struct sim_node *node)
{
    uint64_t elapsed = sim->now_ns - node->boot_at_ns;
    return node->mono_base_ns + elapsed * (uint64_t)(1000000 + node->mono_ppm) / 1000000;
}

/* The virtual time at which the node's monotonic clock reaches `mono_ns`. */
static uint64_t node_virtual_ns(const struct sim_node *node, uint64_t mono_ns)
{
    uint64_t rate = (uint64_t)(1000000 + node->mono_ppm);
    uint64_t elapsed = mono_ns <= node->mono_base_ns ? 0 : mono_ns - node->mono_base_ns;
    return node->boot_at_ns + (elapsed / rate) * 1000000 +
           (elapsed % rate * 1000000 + rate - 1) / rate;
}

/* -- The options of a node: the run's shape and limits. */

static void options_of(const struct sim *sim, const struct sim_node *node, struct options *options)
{
    const struct swarm *swarm = &sim->swarm;
    options_init(options);
    options->members_count = swarm->shape.nodes;
    for (unsigned i = 0; i < swarm->shape.nodes; i++) {
        struct options_member *member = &options->members[i];
        memset(member, 0, sizeof(*member));
        (void)snprintf(member->name, sizeof(member->name), "%s", sim->nodes[i].name);
        (void)snprintf(member->address, sizeof(member->address), "%s", sim->nodes[i].address);
        member->weight = 1;
    }
    (void)snprintf(options->node_name, sizeof(options->node_name), "%s", node->name);
    (void)snprintf(options->peer_listen, sizeof(options->peer_listen), "%s", node->address);
    (void)snprintf(options->client_listen, sizeof(options->client_listen), "10.0.0.%u:6379",
                   node->index + 1);
    (void)snprintf(options->cluster_listen, sizeof(options->cluster_listen), "10.0.0.%u:6380",
                   node->index + 1);
    options->allow_open = true;
    options->partitions = swarm->partitions;
    options->n = swarm->shape.n;
    options->r = swarm->shape.r;
    options->w = swarm->shape.w;
    options->request_timeout_ms = swarm->request_timeout_ms;
    options->clock_exchange_ms = swarm->clock_exchange_ms;
    options->hedge_ms = swarm->hedge_ms;
    options->peer_alive_ms = swarm->peer_alive_ms;
    options->requests_max = swarm->requests_max;
    options->siblings_max = swarm->siblings_max;
    options->client_pipeline_max = swarm->client_pipeline_max;
    options->peer_queue_max_bytes = swarm->peer_queue_max_bytes;
    options->log_partition_max_bytes = swarm->log_partition_max_bytes;
    options->cache_bytes = swarm->cache_bytes;
    if (swarm->secret) {
        options->secret_size = 32;
        memset(options->secret, 0x5a, options->secret_size);
    }
}

/* -- Effects. */

/* What came of carrying out effects. */
enum ending { GOES_ON, DISK_FAILED, STOPPED, FATAL };

static enum ending carry_out(struct sim *sim, struct sim_node *node, const struct effect *effect)
{
    switch (effect->type) {
    case EFFECT_CLIENT_SEND:
    case EFFECT_PEER_SEND:
        net_send(sim, effect->id, effect->bytes);
        break;
    case EFFECT_CLIENT_CLOSE:
    case EFFECT_PEER_CLOSE:
        net_close(sim, effect->id);
        break;
    case EFFECT_CLIENT_PAUSE:
        sim_mark(sim, MARK_CLIENT_PAUSED);
        net_pause(sim, effect->id, effect->on);
        break;
    case EFFECT_PEER_DIAL:
        net_dial(sim, node->index, effect->member, effect->text);
        break;
    case EFFECT_DISK_READ:
        disk_read(sim, node->index, effect);
        break;
    case EFFECT_DISK_SCAN:
        disk_scan(sim, node->index, effect);
        break;
    case EFFECT_DISK_PUT:
        storage_put(node->storage, effect->family, effect->key, effect->bytes);
        invariants_on_put(sim, node->index, effect);
        break;
    case EFFECT_DISK_DELETE:
        storage_delete(node->storage, effect->family, effect->key);
        invariants_on_delete(sim, node->index, effect);
        break;
    case EFFECT_DISK_COMMIT:
        return disk_commit(sim, node->index, effect->sequence) ? GOES_ON : DISK_FAILED;
    case EFFECT_LOG:
        break;
    case EFFECT_STOPPED:
        return STOPPED;
    case EFFECT_FATAL:
        return FATAL;
    }
    return GOES_ON;
}

/* The process is gone, for whatever reason. */
static void process_end(struct sim *sim, struct sim_node *node, bool power)
{
    struct sim_node_events *events = node->events;
    invariants_on_end(sim, node->index);
    node_free(node->core);
    node->core = NULL;
    node->state = MACHINE_DOWN;
    node->turn_open = false;
    node->paused_until_ns = 0;
    node->deadline_ns = UINT64_MAX;
    sim_cancel(sim, &events->timer);
    sim_cancel(sim, &events->turn);
    sim_cancel(sim, &events->stats);
    net_node_gone(sim, node->index, power && prng_chance(&sim->prng, 2));
    disk_node_gone(sim, node->index, power);
    trace_mix(&sim->trace, node->index, sim->now_ns);
}

static void on_ending(struct sim *sim, struct sim_node *node, enum ending ending, const char *text)
{
    switch (ending) {
    case GOES_ON:
        return;
    case DISK_FAILED:
        sim_mark(sim, MARK_COMMIT_ERROR);
        trace_line(&sim->trace, sim->now_ns, "%s: disk failed, process ends", node->name);
        process_end(sim, node, true);
        break;
    case STOPPED:
        sim_mark(sim, MARK_STOP);
        trace_line(&sim->trace, sim->now_ns, "%s: stopped", node->name);
        process_end(sim, node, prng_chance(&sim->prng, 2)); /* All it needs must be durable. */
        break;
    case FATAL:
        if (!invariants_may_be_fatal(sim, node->index)) {
            sim_fail(sim, CHECK_FATAL, "%s: %s", node->name, text);
        }
        process_end(sim, node, false);
        break;
    }
    node_start_after(sim, node->index, around(&sim->prng, sim->swarm.outage_ns));
}

void node_disk_failed(struct sim *sim, unsigned index)
{
    on_ending(sim, &sim->nodes[index], DISK_FAILED, NULL);
}

static void timer_set(struct sim *sim, struct sim_node *node, uint64_t deadline_ns)
{
    if (deadline_ns == node->deadline_ns) {
        return;
    }
    node->deadline_ns = deadline_ns;
    if (deadline_ns == UINT64_MAX) {
        sim_cancel(sim, &node->events->timer);
        return;
    }
    /* Loops round up to milliseconds. */
    uint64_t at = MAX(node_virtual_ns(node, deadline_ns), sim->now_ns);
    sim_at(sim, &node->events->timer, at + 1000 + prng_below(&sim->prng, 1000000));
}

void node_deliver(struct sim *sim, unsigned index, struct event *event)
{
    struct sim_node *node = &sim->nodes[index];
    struct effects effects = {.deadline_ns = UINT64_MAX};
    ASSERT(node->core != NULL);
    ASSERT(node->paused_until_ns <= sim->now_ns);
    event->now_ns = node_mono_ns(sim, node);
    event->wall_ms = node_wall_ms(sim, index);
    note_wall(sim, event->wall_ms);
    trace_event(&sim->trace, sim->now_ns, index, event);
    node_step(node->core, event, &effects);
    trace_effects(&sim->trace, sim->now_ns, index, &effects);
    uint64_t deadline_ns = effects.deadline_ns;
    for (size_t i = 0; i < effects.count; i++) {
        enum ending ending = carry_out(sim, node, &effects.items[i]);
        if (ending != GOES_ON) {
            on_ending(sim, node, ending, effects.items[i].text);
            return;
        }
    }
    timer_set(sim, node, deadline_ns);
    if (event->type == EVENT_TURN) {
        node->turn_open = false;
        sim_cancel(sim, &node->events->turn);
        return;
    }
    if (!node->turn_open) {
        node->turn_open = true;
        node->turn_left = 1 + (unsigned)prng_below(&sim->prng, sim->swarm.turn_events_max);
        sim_after(sim, &node->events->turn, prng_below(&sim->prng, 50000));
    }
    if (--node->turn_left == 0) {
        struct event turn = {.type = EVENT_TURN};
        node_deliver(sim, index, &turn);
    }
}

/* -- What happens to a node by itself. */

static struct sim_node *of_event(struct sim_node_events *events)
{
    return &events->sim->nodes[events->index];
}

/* Return true when the node is paused and the event has been put off. */
static bool paused(struct sim *sim, const struct sim_node *node, struct sim_event *event)
{
    if (node->paused_until_ns <= sim->now_ns) {
        return false;
    }
    sim_at(sim, event, node->paused_until_ns);
    return true;
}

static void timer_run(struct sim *sim, struct sim_event *event)
{
    struct sim_node *node = of_event(CONTAINER_OF(event, struct sim_node_events, timer));
    if (!paused(sim, node, event)) {
        node->deadline_ns = UINT64_MAX; /* Whatever it wants next is new. */
        struct event timer = {.type = EVENT_TIMER};
        node_deliver(sim, node->index, &timer);
    }
}

static void turn_run(struct sim *sim, struct sim_event *event)
{
    struct sim_node *node = of_event(CONTAINER_OF(event, struct sim_node_events, turn));
    if (!paused(sim, node, event)) {
        struct event turn = {.type = EVENT_TURN};
        node_deliver(sim, node->index, &turn);
    }
}

static void stats_run(struct sim *sim, struct sim_event *event)
{
    struct sim_node *node = of_event(CONTAINER_OF(event, struct sim_node_events, stats));
    if (!paused(sim, node, event)) {
        struct shell_stats stats = {.resident_bytes = 1};
        struct event tick = {.type = EVENT_STATS, .stats = &stats};
        sim_after(sim, event, 1000000000);
        node_deliver(sim, node->index, &tick);
    }
}

static void start_run(struct sim *sim, struct sim_event *event)
{
    struct sim_node *node = of_event(CONTAINER_OF(event, struct sim_node_events, start));
    if (!node_is_up(sim, node->index)) {
        node_start(sim, node->index);
    }
}

void node_start(struct sim *sim, unsigned index)
{
    struct sim_node *node = &sim->nodes[index];
    ASSERT(node->core == NULL);
    sim_cancel(sim, &node->events->start);
    if (node->boots++ > 0) {
        sim_mark(sim, MARK_RESTART);
    }
    disk_start(sim, index);
    node->collected = 0;
    node->reads_spoilt = node->reads_spoilt && !sim->healed;
    struct options *options = mem_alloc_zero(1, sizeof(*options));
    options_of(sim, node, options);
    node->core = node_new(options);
    mem_free(options);
    node->state = MACHINE_UP;
    node->boot_at_ns = sim->now_ns;
    node->mono_base_ns = prng_below(&sim->prng, 1000000000000000);
    node->mono_ppm = (int64_t)prng_below(&sim->prng, 201) - 100;
    uint64_t seed[4];
    for (unsigned i = 0; i < ARRAY_COUNT(seed); i++) {
        seed[i] = prng_next(&sim->prng);
    }
    sim_after(sim, &node->events->stats, 1000000000);
    struct event start = {.type = EVENT_START, .seed = (const uint8_t *)seed};
    node_deliver(sim, index, &start);
}

void node_start_after(struct sim *sim, unsigned index, uint64_t delay_ns)
{
    sim_after(sim, &sim->nodes[index].events->start, delay_ns);
}

void node_crash(struct sim *sim, unsigned index, bool power)
{
    struct sim_node *node = &sim->nodes[index];
    if (node->core == NULL) {
        return;
    }
    if (node->state == MACHINE_STOPPING) {
        sim_mark(sim, MARK_CRASH_IN_STOP);
    } else if (node->durable == 0) {
        sim_mark(sim, MARK_CRASH_IN_START);
    }
    sim_mark(sim, power ? MARK_POWER_LOSS : MARK_KILL);
    trace_line(&sim->trace, sim->now_ns, "%s: %s", node->name, power ? "power lost" : "killed");
    process_end(sim, node, power);
}

void node_stop(struct sim *sim, unsigned index)
{
    struct sim_node *node = &sim->nodes[index];
    if (node->state == MACHINE_UP && node->paused_until_ns <= sim->now_ns) {
        node->state = MACHINE_STOPPING;
        struct event stop = {.type = EVENT_STOP};
        node_deliver(sim, index, &stop);
    }
}

void node_pause(struct sim *sim, unsigned index, uint64_t until_ns)
{
    if (node_is_up(sim, index)) {
        sim_mark(sim, MARK_PAUSE);
        trace_line(&sim->trace, sim->now_ns, "%s: paused", sim->nodes[index].name);
        sim->nodes[index].paused_until_ns = until_ns;
    }
}

void node_init(struct sim *sim, unsigned index)
{
    struct sim_node *node = &sim->nodes[index];
    memset(node, 0, sizeof(*node));
    node->index = index;
    node->deadline_ns = UINT64_MAX;
    (void)snprintf(node->name, sizeof(node->name), "n%u", index + 1);
    (void)snprintf(node->address, sizeof(node->address), "10.0.0.%u:8379", index + 1);
    int64_t spread = sim->swarm.wall_spread_ms, ppm = sim->swarm.wall_drift_ppm;
    node->wall_offset_ms = (int64_t)prng_below(&sim->prng, (uint64_t)(2 * spread + 1)) - spread;
    node->wall_ppm = (int64_t)prng_below(&sim->prng, (uint64_t)(2 * ppm + 1)) - ppm;
    node->events = mem_alloc_zero(1, sizeof(*node->events));
    *node->events = (struct sim_node_events){
        .sim = sim,
        .index = index,
        .timer.run = timer_run,
        .turn.run = turn_run,
        .start.run = start_run,
        .stats.run = stats_run,
    };
    disk_init(sim, index);
}

void node_release(struct sim *sim, unsigned index)
{
    struct sim_node *node = &sim->nodes[index];
    if (node->core != NULL) {
        process_end(sim, node, false);
    }
    sim_cancel(sim, &node->events->start);
    disk_release(sim, index);
    mem_free(node->events);
}
