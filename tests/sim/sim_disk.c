#include <string.h>

#include "storage/memory.h"
#include "tests/sim/sim.h"
#include "tests/sim/sim_tombstones.h"

enum { DISK_VALUE_MAX = 128 << 20 };

/* A read or scan under way. */
struct sim_request {
    struct list link;
    struct sim_event event;
    struct sim *sim;
    unsigned index;
    uint64_t id;
    bool is_scan, is_early; /* is_early: done when it was asked for, only told of later. */
    struct bytes key;
    struct storage_range range;
    struct arena arena;
    enum err err;
    struct buf value;
    struct storage_entry *entries;
    size_t entries_count;
    bool more;
};

struct sim_disk {
    struct sim *sim;
    unsigned index;
    struct sim_event sync;
};

static uint64_t slowed(const struct sim *sim, const struct sim_node *node, uint64_t delay_ns)
{
    bool slow = sim->now_ns < node->disk_slow_until_ns;
    return MIN(slow ? delay_ns * node->disk_slow_factor : delay_ns, DELAY_MAX_NS);
}

static void request_free(struct sim *sim, struct sim_request *request)
{
    sim_cancel(sim, &request->event);
    list_remove(&request->link);
    buf_release(&request->value);
    arena_release(&request->arena);
    mem_free(request);
}

/* Do what was asked for. */
static void request_do(struct sim *sim, struct sim_request *request)
{
    struct sim_node *node = &sim->nodes[request->index];
    if (sim->now_ns < node->read_error_until_ns) {
        sim_mark(sim, MARK_READ_ERROR);
        request->err = ERR_IO;
    } else if (request->is_scan) {
        request->err = storage_scan(node->storage, &request->range, &request->arena,
                                    &request->entries, &request->entries_count, &request->more);
    } else {
        request->err = storage_get(node->storage, STORAGE_DATA, request->key, STORAGE_TIER_ALL,
                                   &request->value);
        if (request->err == OK && sim->now_ns < node->read_corrupt_until_ns) {
            sim_mark(sim, MARK_READ_CORRUPT);
            request->value.data[prng_below(&sim->prng, request->value.size)] ^=
                (uint8_t)(1U << prng_below(&sim->prng, 8));
        }
    }
}

static void request_run(struct sim *sim, struct sim_event *at)
{
    struct sim_request *request = CONTAINER_OF(at, struct sim_request, event);
    uint64_t ready = node_ready_ns(sim, request->index);
    if (ready > sim->now_ns) {
        sim_at(sim, at, ready);
        return;
    }
    if (!request->is_early) {
        request_do(sim, request);
    }
    struct event event = {.id = request->id, .err = request->err};
    if (request->is_scan) {
        event.type = EVENT_DISK_SCAN;
        event.entries = request->entries;
        event.entries_count = request->entries_count;
        event.more = request->more;
    } else {
        event.type = EVENT_DISK_READ;
        event.bytes = buf_bytes(&request->value);
    }
    list_remove(&request->link); /* The node may end over it. */
    node_deliver(sim, request->index, &event);
    request_free(sim, request);
}

static struct sim_request *request_new(struct sim *sim, unsigned index, const struct effect *effect)
{
    struct sim_request *request = mem_alloc_zero(1, sizeof(*request));
    request->event.run = request_run;
    request->sim = sim;
    request->index = index;
    request->id = effect->id;
    arena_init(&request->arena, 512);
    buf_init(&request->value, DISK_VALUE_MAX);
    list_push_back(&sim->nodes[index].requests, &request->link);
    return request;
}

/* Done now or on a worker; told of at once or later. */
static void request_begin(struct sim *sim, struct sim_request *request, bool miss)
{
    struct sim_node *node = &sim->nodes[request->index];
    request->is_early = !miss || !sim->swarm.disk_late || prng_chance(&sim->prng, 2);
    if (request->is_early) {
        request_do(sim, request);
    }
    if (miss) {
        sim_mark(sim, MARK_DISK_MISS);
    }
    uint64_t delay_ns = miss ? delay_draw(&sim->swarm.disk_read, &sim->prng) : 0;
    sim_after(sim, &request->event, slowed(sim, node, delay_ns));
}

void disk_read(struct sim *sim, unsigned index, const struct effect *effect)
{
    struct sim_request *request = request_new(sim, index, effect);
    request->key = arena_copy_bytes(&request->arena, effect->key);
    request_begin(sim, request, percent(&sim->prng, sim->swarm.disk_miss_percent));
}

void disk_scan(struct sim *sim, unsigned index, const struct effect *effect)
{
    struct sim_request *request = request_new(sim, index, effect);
    request->is_scan = true;
    request->range = effect->range;
    request->range.from = arena_copy_bytes(&request->arena, effect->range.from);
    request->range.to = arena_copy_bytes(&request->arena, effect->range.to);
    request_begin(sim, request, true);
}

static void sync_begin(struct sim *sim, struct sim_node *node)
{
    if (node->syncing == 0 && node->committed > node->durable) {
        node->syncing = node->committed;
        node->syncing_max = node->applied_max;
        uint64_t delay_ns = delay_draw(&sim->swarm.disk_sync, &sim->prng);
        sim_after(sim, &node->disk->sync, slowed(sim, node, delay_ns) + sim->swarm.sync_delay_ns);
    }
}

static void sync_run(struct sim *sim, struct sim_event *at)
{
    struct sim_disk *disk = CONTAINER_OF(at, struct sim_disk, sync);
    struct sim_node *node = &sim->nodes[disk->index];
    uint64_t ready = node_ready_ns(sim, node->index);
    if (ready > sim->now_ns) {
        sim_at(sim, at, ready);
        return;
    }
    if (storage_sync(node->storage) != OK) {
        node_disk_failed(sim, node->index);
        return;
    }
    ASSERT(node->syncing > node->durable);
    node->durable = node->syncing;
    node->durable_max = node->syncing_max;
    node->syncing = 0;
    sync_begin(sim, node);
    struct event event = {.type = EVENT_DURABLE, .sequence = node->durable};
    node_deliver(sim, node->index, &event);
}

bool disk_commit(struct sim *sim, unsigned index, uint64_t sequence)
{
    struct sim_node *node = &sim->nodes[index];
    ASSERT(sequence > node->committed);
    if (storage_commit(node->storage) != OK) {
        return false;
    }
    node->committed = sequence;
    sync_begin(sim, node);
    return true;
}

void disk_node_gone(struct sim *sim, unsigned index, bool power)
{
    struct sim_node *node = &sim->nodes[index];
    LIST_FOR_SAFE (item, after, &node->requests) {
        request_free(sim, CONTAINER_OF(item, struct sim_request, link));
    }
    sim_cancel(sim, &node->disk->sync);
    enum memory_crash how = MEMORY_CRASH_PROCESS;
    if (power) {
        how = prng_chance(&sim->prng, 2) ? MEMORY_CRASH_POWER : MEMORY_CRASH_PREFIX;
    }
    struct memory_loss loss = memory_crash(node->storage, how, prng_next(&sim->prng));
    if (loss.lost > 0) {
        sim_mark(sim, MARK_COMMITS_LOST);
    }
    node->committed = node->syncing = node->durable = 0;
    if (power) { /* What may be lost need not be outranked. */
        node->applied_max = node->durable_max;
        tombstones_on_loss(sim, index);
    }
}

void disk_fail_write(struct sim *sim, unsigned index)
{
    uint64_t nth = 1 + prng_below(&sim->prng, 3);
    if (prng_chance(&sim->prng, 2)) {
        memory_fail_commit(sim->nodes[index].storage, nth);
    } else {
        memory_fail_sync(sim->nodes[index].storage, nth);
    }
}

void disk_heal(struct sim *sim, unsigned index)
{
    struct sim_node *node = &sim->nodes[index];
    node->disk_slow_until_ns = node->read_error_until_ns = node->read_corrupt_until_ns = 0;
    if (sim_is_pending(&node->disk->sync)) {
        sim_after(sim, &node->disk->sync, 0);
    }
    LIST_FOR (item, &node->requests) {
        sim_after(sim, &CONTAINER_OF(item, struct sim_request, link)->event, 0);
    }
    if (node_is_up(sim, index)) {
        memory_fail_commit(node->storage, 0);
        memory_fail_sync(node->storage, 0);
    }
}

void disk_start(struct sim *sim, unsigned index)
{
    memory_reopen(sim->nodes[index].storage);
}

void disk_init(struct sim *sim, unsigned index)
{
    struct sim_node *node = &sim->nodes[index];
    list_init(&node->requests);
    node->storage = memory_new();
    node->disk = mem_alloc_zero(1, sizeof(*node->disk));
    *node->disk = (struct sim_disk){.sim = sim, .index = index, .sync.run = sync_run};
}

void disk_release(struct sim *sim, unsigned index)
{
    struct sim_node *node = &sim->nodes[index];
    ASSERT(list_empty(&node->requests));
    sim_cancel(sim, &node->disk->sync);
    storage_close(node->storage);
    mem_free(node->disk);
}
