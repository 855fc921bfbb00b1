#include "tests/fuzz/fuzz_node.h"

#include "storage/memory.h"

#include <string.h>

static const int64_t WALL_START_MS = 1750000000000; /* Some day in 2025. */
static const uint64_t START_NS = 1000000000;

enum { VALUE_MAX = 64 << 20, STEPS_MAX = 1000000 };

struct fuzz_read {
    bool is_scan;
    uint64_t id;
    struct bytes key;
    struct storage_range range;
    struct arena arena;
};

void fuzz_node_options(struct options *options)
{
    options_init(options);
    memcpy(options->node_name, "n1", 3);
    options->partitions = 8;
    options->cache_bytes = 1024 * 1024;
    options->max_value_bytes = 64 * 1024;
    options->max_request_bytes = 256 * 1024;
    options->requests_max = 64;
    options->client_pipeline_max = 16;
}

/* ---- Effects ---- */

static struct fuzz_stream *stream_of(struct fuzz_stream *streams, uint64_t id)
{
    ASSERT(id < FUZZ_STREAMS);
    ASSERT(streams[id].open);
    ASSERT(!streams[id].closed); /* Nothing may follow a close. */
    return &streams[id];
}

static void read_begin(struct fuzz_node *node, const struct effect *effect)
{
    struct fuzz_read *read = mem_alloc_zero(1, sizeof(*read));

    arena_init(&read->arena, 512);
    read->is_scan = effect->type == EFFECT_DISK_SCAN;
    read->id = effect->id;
    if (read->is_scan) {
        read->range = effect->range;
        read->range.from = arena_copy_bytes(&read->arena, effect->range.from);
        read->range.to = arena_copy_bytes(&read->arena, effect->range.to);
    } else {
        read->key = arena_copy_bytes(&read->arena, effect->key);
    }
    if (node->reads_count == node->reads_capacity) {
        node->reads_capacity = MAX((size_t)16, node->reads_capacity * 2);
        node->reads = mem_resize(node->reads, node->reads_capacity * sizeof(struct fuzz_read *));
    }
    node->reads[node->reads_count++] = read;
}

static void carry_out(struct fuzz_node *node, const struct effect *effect)
{
    switch (effect->type) {
    case EFFECT_CLIENT_SEND:
        buf_put_bytes(&stream_of(node->clients, effect->id)->out, effect->bytes);
        return;
    case EFFECT_CLIENT_CLOSE:
        stream_of(node->clients, effect->id)->closed = true;
        return;
    case EFFECT_CLIENT_PAUSE:
        stream_of(node->clients, effect->id)->paused = effect->on;
        return;
    case EFFECT_PEER_SEND:
        buf_put_bytes(&stream_of(node->peers, effect->id)->out, effect->bytes);
        return;
    case EFFECT_PEER_CLOSE:
        stream_of(node->peers, effect->id)->closed = true;
        return;
    case EFFECT_DISK_READ:
    case EFFECT_DISK_SCAN:
        read_begin(node, effect);
        return;
    case EFFECT_DISK_PUT:
        storage_put(node->storage, effect->family, effect->key, effect->bytes);
        return;
    case EFFECT_DISK_DELETE:
        storage_delete(node->storage, effect->family, effect->key);
        return;
    case EFFECT_DISK_COMMIT:
        ASSERT(storage_commit(node->storage) == OK);
        ASSERT(effect->sequence > node->committed);
        node->committed = effect->sequence;
        return;
    case EFFECT_LOG:
        ASSERT(effect->text != NULL);
        node->logged++;
        return;
    case EFFECT_STOPPED:
        node->stopped = true;
        return;
    case EFFECT_FATAL:
        ASSERT(strlen(effect->text) > 0);
        node->fatal = true;
        return;
    case EFFECT_PEER_DIAL:
        return; /* Nobody is there, and silence is an answer. */
    }
}

void fuzz_node_deliver(struct fuzz_node *node, struct event *event)
{
    struct effects effects;

    if (node->fatal || node->stopped) {
        return;
    }
    ASSERT(++node->steps < STEPS_MAX); /* Two parts of the node keep each other busy for ever. */
    event->now_ns = node->now_ns;
    event->wall_ms = WALL_START_MS + (int64_t)(node->now_ns / 1000000);
    node_step(node->core, event, &effects);
    for (size_t i = 0; i < effects.count; i++) {
        carry_out(node, &effects.items[i]);
    }
    node->deadline_ns = effects.deadline_ns;
}

/* ---- What is under way ---- */

static void read_free(struct fuzz_read *read)
{
    arena_release(&read->arena);
    mem_free(read);
}

static void read_end(struct fuzz_node *node, size_t index)
{
    struct fuzz_read *read = node->reads[index];
    struct storage_entry *entries = NULL;
    struct event event = {.id = read->id};
    struct buf value;

    buf_init(&value, VALUE_MAX);
    node->reads_count--;
    memmove(node->reads + index, node->reads + index + 1,
            (node->reads_count - index) * sizeof(struct fuzz_read *));
    if (read->is_scan) {
        event.type = EVENT_DISK_SCAN;
        event.err = storage_scan(node->storage, &read->range, &read->arena, &entries,
                                 &event.entries_count, &event.more);
        event.entries = entries;
    } else {
        event.type = EVENT_DISK_READ;
        event.err = storage_get(node->storage, STORAGE_DATA, read->key, STORAGE_TIER_ALL, &value);
        event.bytes = buf_bytes(&value);
    }
    fuzz_node_deliver(node, &event);
    buf_release(&value);
    read_free(read);
}

static void turn(struct fuzz_node *node)
{
    fuzz_node_deliver(node, &(struct event){.type = EVENT_TURN});
}

static void sync(struct fuzz_node *node)
{
    ASSERT(storage_sync(node->storage) == OK);
    node->durable = node->committed;
    fuzz_node_deliver(node, &(struct event){.type = EVENT_DURABLE, .sequence = node->durable});
}

bool fuzz_node_some(struct fuzz_node *node)
{
    bool reading = node->reads_count > 0, syncing = node->durable < node->committed;

    if (reading && (node->eager || !syncing || prng_chance(&node->prng, 2))) {
        read_end(node, node->eager ? 0 : (size_t)prng_below(&node->prng, node->reads_count));
        return true;
    }
    if (syncing) {
        sync(node);
        return true;
    }
    uint64_t committed = node->committed;
    turn(node);
    return node->committed > committed || node->reads_count > 0;
}

void fuzz_node_settle(struct fuzz_node *node)
{
    do {
        turn(node);
    } while (!node->fatal && !node->stopped && fuzz_node_some(node));
}

void fuzz_node_pass(struct fuzz_node *node, uint64_t ms)
{
    uint64_t until_ns = node->now_ns + ms * 1000000;

    while (!node->fatal && !node->stopped && node->deadline_ns <= until_ns) {
        node->now_ns = MAX(node->now_ns + 1, node->deadline_ns);
        fuzz_node_deliver(node, &(struct event){.type = EVENT_TIMER});
        fuzz_node_settle(node);
    }
    node->now_ns = MAX(node->now_ns, until_ns);
}

/* ---- Life ---- */

void fuzz_node_start(struct fuzz_node *node, const struct options *options, struct storage *storage,
                     uint64_t seed)
{
    static const uint8_t SEED[32] = "the same for every run of a test";

    *node = (struct fuzz_node){
        .storage = storage, .eager = seed == 0, .now_ns = START_NS, .deadline_ns = UINT64_MAX};
    prng_init(&node->prng, seed);
    for (unsigned i = 0; i < FUZZ_STREAMS; i++) {
        buf_init(&node->clients[i].out, SIZE_MAX);
        buf_init(&node->peers[i].out, SIZE_MAX);
    }
    node->core = node_new(options);
    fuzz_node_deliver(node, &(struct event){.type = EVENT_START, .seed = SEED});
    fuzz_node_settle(node);
}

void fuzz_node_release(struct fuzz_node *node)
{
    for (size_t i = 0; i < node->reads_count; i++) {
        read_free(node->reads[i]);
    }
    mem_free(node->reads);
    for (unsigned i = 0; i < FUZZ_STREAMS; i++) {
        buf_release(&node->clients[i].out);
        buf_release(&node->peers[i].out);
    }
    node_free(node->core);
}

void fuzz_client_open(struct fuzz_node *node, uint64_t id, enum face face)
{
    ASSERT(!node->clients[id].open);
    node->clients[id].open = true;
    fuzz_node_deliver(
        node, &(struct event){
                  .type = EVENT_CLIENT_OPEN, .id = id, .face = face, .address = "127.0.0.1:50000"});
}

void fuzz_client_bytes(struct fuzz_node *node, uint64_t id, struct bytes bytes)
{
    ASSERT(node->clients[id].open);
    if (!node->clients[id].closed) {
        fuzz_node_deliver(node,
                          &(struct event){.type = EVENT_CLIENT_BYTES, .id = id, .bytes = bytes});
    }
}

void fuzz_client_close(struct fuzz_node *node, uint64_t id)
{
    ASSERT(node->clients[id].open);
    if (!node->clients[id].closed) {
        fuzz_node_deliver(node, &(struct event){.type = EVENT_CLIENT_CLOSED, .id = id});
    }
    buf_clear(&node->clients[id].out);
    node->clients[id].open = node->clients[id].closed = node->clients[id].paused = false;
}

void fuzz_peer_open(struct fuzz_node *node, uint64_t id)
{
    ASSERT(!node->peers[id].open);
    node->peers[id].open = true;
    fuzz_node_deliver(node, &(struct event){.type = EVENT_PEER_OPEN,
                                            .id = id,
                                            .member = MEMBER_NONE,
                                            .address = "127.0.0.1:50001"});
}

void fuzz_peer_bytes(struct fuzz_node *node, uint64_t id, struct bytes bytes)
{
    ASSERT(node->peers[id].open);
    if (!node->peers[id].closed) {
        fuzz_node_deliver(node,
                          &(struct event){.type = EVENT_PEER_BYTES, .id = id, .bytes = bytes});
    }
}

void fuzz_peer_close(struct fuzz_node *node, uint64_t id)
{
    ASSERT(node->peers[id].open);
    if (!node->peers[id].closed) {
        fuzz_node_deliver(node, &(struct event){.type = EVENT_PEER_CLOSED, .id = id});
    }
    buf_clear(&node->peers[id].out);
    node->peers[id].open = node->peers[id].closed = false;
}
