#include "tests/sim/sim_swarm.h"

#include <string.h>

static const uint64_t US = 1000, MS = 1000 * 1000, SECOND = 1000 * 1000 * 1000;

/* R + W > N in every shape: the promise that is checked needs it. Those at the front are drawn more
 * often; {5,3,..} and {7,3,..} have nodes that own nothing of a partition and pass requests on. */
static const struct shape SHAPES[] = {
    {3, 3, 2, 2}, {3, 3, 2, 2}, {3, 3, 2, 2}, {5, 3, 2, 2}, {4, 3, 2, 2}, {3, 3, 1, 3},
    {3, 3, 3, 1}, {5, 5, 3, 3}, {4, 4, 2, 3}, {1, 1, 1, 1}, {2, 2, 1, 2}, {2, 2, 2, 1},
    {2, 3, 2, 2}, {4, 4, 3, 2}, {7, 3, 2, 2}, {5, 3, 1, 3}, {5, 5, 2, 4}, {6, 5, 3, 3},
    {3, 2, 2, 1}, {7, 7, 4, 4}, {4, 3, 3, 1},
};

bool percent(struct prng *prng, unsigned percent)
{
    return prng_below(prng, 100) < percent;
}

uint64_t around(struct prng *prng, uint64_t mean)
{
    switch (prng_below(prng, 8)) {
    case 0:
        return 1 + prng_below(prng, mean / 8 + 1);
    case 1:
        return 1 + prng_below(prng, mean * 4 + 1);
    default:
        return mean / 2 + prng_below(prng, mean + 1) + 1;
    }
}

uint64_t delay_draw(const struct delay *delay, struct prng *prng)
{
    ASSERT(delay->low <= delay->high);
    uint64_t at = delay->low + prng_below(prng, delay->high - delay->low + 1);
    return prng_chance(prng, delay->spike_one_in) ? at * delay->spike : at;
}

enum { ONCE_MAX = 24, ONCE_MANY = 300 };

static uint64_t pick(struct prng *prng, const uint64_t *choices, size_t count)
{
    return choices[prng_below(prng, count)];
}

#define PICK(prng, ...)                                                                            \
    pick((prng), (const uint64_t[]){__VA_ARGS__}, ARRAY_COUNT(((const uint64_t[]){__VA_ARGS__})))

static void draw_load(struct swarm *swarm, struct prng *prng)
{
    swarm->clients_count = 2 + (unsigned)prng_below(prng, 6);
    swarm->pipeline_max = (unsigned)PICK(prng, 1, 1, 1, 2, 4, 8);
    /* Few keys: what matters happens when operations meet. */
    swarm->keys[KEY_PLAIN] = 1 + (unsigned)prng_below(prng, 3);
    swarm->keys[KEY_EXPIRY] = (unsigned)prng_below(prng, 2);
    swarm->keys[KEY_CAUSAL] = (unsigned)prng_below(prng, 3);
    swarm->keys[KEY_QUORUM] = (unsigned)prng_below(prng, 2);
    swarm->ops_max = (unsigned)PICK(prng, 60, 150, 300, 500);
    swarm->once_max = ONCE_MAX;
    if (prng_chance(prng, 16)) { /* More keys than one message of a state takes. */
        memset(swarm->keys, 0, sizeof(swarm->keys));
        swarm->keys[KEY_PLAIN] = swarm->keys[KEY_QUORUM] = 1;
        swarm->once_max = ONCE_MANY;
        swarm->ops_max = 600;
    }
    swarm->load_ns = (2 + prng_below(prng, 8)) * SECOND;
    swarm->think_ns = swarm->load_ns * swarm->clients_count / swarm->ops_max;
    swarm->write_percent = (unsigned)PICK(prng, 30, 50, 50, 70);
    swarm->delete_percent = (unsigned)PICK(prng, 10, 20, 45);
    swarm->multi_percent = (unsigned)PICK(prng, 0, 10, 25);
    swarm->odd_percent = (unsigned)PICK(prng, 0, 5, 10);
    swarm->raised_percent = (unsigned)PICK(prng, 0, 10, 30);
    swarm->value_big_one_in = (unsigned)PICK(prng, 0, 50, 10);
    swarm->context_none_percent = (unsigned)PICK(prng, 0, 10, 30, 60);
    swarm->context_stale_percent = (unsigned)PICK(prng, 0, 10, 40);
    swarm->cluster_face_percent = (unsigned)PICK(prng, 0, 0, 20, 50);
    swarm->resp3_percent = (unsigned)PICK(prng, 0, 30);
    swarm->database = prng_chance(prng, 3) ? 1 + (unsigned)prng_below(prng, 15) : 0;
    swarm->locality = prng_chance(prng, 2);
    swarm->one_slot = prng_chance(prng, 2);
    if (swarm->database != 0) {
        swarm->cluster_face_percent = 0; /* That face has database 0 only. */
    }
}

static void draw_faults(struct swarm *swarm, struct prng *prng)
{
    uint64_t one_in = PICK(prng, 2, 2, 4, 8);
    for (unsigned i = 0; i < FAULTS_COUNT; i++) {
        swarm->faults[i] = prng_chance(prng, one_in);
        swarm->faults_any |= swarm->faults[i];
    }
    if (prng_chance(prng, 12)) { /* A run without any: then nothing may fail. */
        memset(swarm->faults, 0, sizeof(swarm->faults));
        swarm->faults_any = false;
    }
    swarm->faults_from_ns = prng_chance(prng, 4) ? 0 : SECOND;
    swarm->faults_gap_ns = PICK(prng, 50, 150, 500, 1500) * MS;
    swarm->outage_ns = PICK(prng, 20, 200, 1000, 3000) * MS;
    swarm->down_max = 1 + (unsigned)prng_below(prng, swarm->shape.nodes);
    swarm->wall_spread_ms = (int64_t)PICK(prng, 0, 5, 100, 3000, 3600 * 1000);
    swarm->wall_drift_ppm = (int64_t)PICK(prng, 0, 50, 1000, 100000);
}

static void draw_delays(struct swarm *swarm, struct prng *prng)
{
    uint64_t net = PICK(prng, 50, 500, 5000) * US;
    unsigned spike = (unsigned)PICK(prng, 2, 20, 200);
    unsigned one_in = (unsigned)PICK(prng, 0, 200, 30);
    swarm->net = (struct delay){net / 10, net, spike, one_in};
    swarm->client_net = (struct delay){20 * US, 200 * US, 10, one_in};
    uint64_t sync = PICK(prng, 20, 200, 5000) * US;
    swarm->disk_sync = (struct delay){sync / 4, sync, spike, one_in};
    swarm->disk_read = (struct delay){10 * US, PICK(prng, 50, 500, 10000) * US, spike, one_in};
    if (prng_chance(prng, 12)) { /* So slow that much happens while a record is being read. */
        swarm->disk_read = (struct delay){MS, 700 * MS, 1, 0};
        swarm->slow_reads = true;
    }
    swarm->split_one_in = (unsigned)PICK(prng, 0, 20, 3);
    swarm->turn_events_max = (unsigned)PICK(prng, 1, 3, 8, 30);
    swarm->disk_miss_percent = (unsigned)PICK(prng, 0, 20, 100);
    swarm->disk_late = prng_chance(prng, 2);
    swarm->sync_delay_ns = PICK(prng, 0, 0, 1000) * US;
}

static void draw_limits(struct swarm *swarm, struct prng *prng)
{
    swarm->request_timeout_ms = (uint32_t)PICK(prng, 100, 500, 1000, 1000);
    swarm->clock_exchange_ms = (uint32_t)PICK(prng, 50, 200, 1000);
    swarm->hedge_ms = (uint32_t)PICK(prng, 1, 20, 100);
    swarm->peer_alive_ms = (uint32_t)PICK(prng, 600, 1000, 1000);
    swarm->requests_max = (uint32_t)PICK(prng, 4, 1000, 1000, 1000);
    swarm->siblings_max = (uint32_t)PICK(prng, 4, 64, 64);
    swarm->client_pipeline_max = (uint32_t)PICK(prng, 2, 1000);
    swarm->peer_queue_max_bytes = PICK(prng, 2 << 10, 64 << 10, 16 << 20, 16 << 20);
    swarm->log_small = prng_chance(prng, 10);
    swarm->log_partition_max_bytes = swarm->log_small ? PICK(prng, 128, 1024) : 16 << 20;
    swarm->cache_bytes = PICK(prng, 0, 4 << 10, 1 << 20);
    swarm->secret = prng_chance(prng, 4);
    if (swarm->slow_reads) {
        swarm->cache_bytes = 0;
        swarm->disk_miss_percent = 50;
    }
}

void swarm_draw(struct swarm *swarm, uint64_t seed, const struct shape *shape)
{
    struct prng prng;
    prng_init(&prng, seed ^ 0x5357415231ULL);
    memset(swarm, 0, sizeof(*swarm));
    swarm->seed = seed;
    swarm->shape = SHAPES[prng_below(&prng, ARRAY_COUNT(SHAPES))];
    if (shape->nodes != 0) {
        swarm->shape = *shape;
    }
    ASSERT(swarm->shape.nodes <= SIM_NODES_MAX);
    swarm->partitions = (unsigned)PICK(&prng, 1, 4, 16);
    draw_load(swarm, &prng);
    draw_faults(swarm, &prng);
    draw_delays(swarm, &prng);
    draw_limits(swarm, &prng);
    if (!swarm->faults_any) { /* Nothing may fail: so no limit may be in the way either. */
        swarm->requests_max = 1000;
        swarm->request_timeout_ms = 1000;
        swarm->net.spike_one_in = swarm->disk_sync.spike_one_in = 0;
        swarm->disk_read.spike_one_in = 0;
        swarm->disk_read.high = MIN(swarm->disk_read.high, 10 * MS);
        swarm->disk_read.low = MIN(swarm->disk_read.low, swarm->disk_read.high);
        swarm->peer_queue_max_bytes = 16 << 20;
        swarm->peer_alive_ms = 1000;
    }
}
