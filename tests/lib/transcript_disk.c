/* tests/lib/transcript_disk.c - disks of the story: a sync takes its time and covers what came
 * before. */
#include "tests/lib/transcript_world.h"

#include <string.h>

static const uint64_t READ_NS = 100000;

void world_disk_sync(struct world *world, unsigned index)
{
    struct world_node *node = &world->nodes[index];

    if (node->syncing == 0 && node->committed > node->durable) {
        node->syncing = node->committed;
        (void)world_add(world, HAPPENING_SYNCED, index, world->now_ns + node->sync_ns);
        if (node->written.size > 0) {
            buf_put_u8(&node->written, '|'); /* What comes after it waits for the next sync. */
        }
    }
}

void world_disk_synced(struct world *world, unsigned index)
{
    struct world_node *node = &world->nodes[index];
    struct event event = {.type = EVENT_DURABLE, .sequence = node->syncing};

    enum err err = storage_sync(node->storage);
    ASSERT(err == OK);
    node->durable = node->syncing;
    node->syncing = 0;
    const uint8_t *end =
        node->written.size > 0 ? memchr(node->written.data, '|', node->written.size) : NULL;
    if (end != NULL) {
        size_t size = (size_t)(end - node->written.data);
        if (size > 0) {
            tell(world, "%s synced:%.*s", node->name, (int)size, (char *)node->written.data);
        }
        buf_consume(&node->written, size + 1);
    }
    world_disk_sync(world, index);
    world_deliver(world, index, &event);
}

void world_disk_read(struct world *world, const struct happening *happening)
{
    struct event event = {.type = EVENT_DISK_READ, .id = happening->id};
    struct buf value;

    buf_init(&value, SIZE_MAX);
    event.err = storage_get(world->nodes[happening->node].storage, STORAGE_DATA, happening->bytes,
                            STORAGE_TIER_ALL, &value);
    event.bytes = buf_bytes(&value);
    world_deliver(world, happening->node, &event);
    buf_release(&value);
}

void world_disk_scan(struct world *world, struct happening *happening)
{
    struct event event = {.type = EVENT_DISK_SCAN, .id = happening->id};
    struct storage_entry *entries = NULL;

    event.err = storage_scan(world->nodes[happening->node].storage, &happening->range,
                             &happening->arena, &entries, &event.entries_count, &event.more);
    event.entries = entries;
    world_deliver(world, happening->node, &event);
}

void world_disk_request(struct world *world, unsigned index, const struct effect *effect)
{
    bool read = effect->type == EFFECT_DISK_READ;
    struct happening *happening =
        world_add(world, read ? HAPPENING_READ : HAPPENING_SCAN, index, world->now_ns + READ_NS);

    happening->id = effect->id;
    happening->bytes = arena_copy_bytes(&happening->arena, effect->key);
    happening->range = effect->range;
    happening->range.from = arena_copy_bytes(&happening->arena, effect->range.from);
    happening->range.to = arena_copy_bytes(&happening->arena, effect->range.to);
}

void world_disk_write(struct world *world, struct world_node *node, const struct effect *effect)
{
    bool put = effect->type == EFFECT_DISK_PUT;

    if (put) {
        storage_put(node->storage, effect->family, effect->key, effect->bytes);
    } else {
        storage_delete(node->storage, effect->family, effect->key);
    }
    if (effect->family == STORAGE_DATA) {
        buf_printf(&node->written, " %s%s", put ? "" : "nothing of ",
                   key_words(world, effect->key));
    }
}
