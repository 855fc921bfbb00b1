/* tests/lib/transcript_world.c - time passes, nodes step, and their effects are carried out. */
#include "tests/lib/transcript_world.h"

#include "base/prng.h"
#include "storage/memory.h"

#include <stdio.h>
#include <string.h>

/* -- What will happen. */

void world_insert(struct world *world, struct happening *happening)
{
    struct happening **at = &world->happenings;

    while (*at != NULL && (*at)->at_ns <= happening->at_ns) {
        at = &(*at)->next;
    }
    happening->next = *at;
    *at = happening;
}

struct happening *world_add(struct world *world, enum happening_type type, unsigned node,
                            uint64_t at_ns)
{
    struct happening *happening = mem_alloc_zero(1, sizeof(*happening));

    happening->type = type;
    happening->node = node;
    happening->at_ns = at_ns;
    happening->boot = world->nodes[node].boot;
    arena_init(&happening->arena, 256);
    world_insert(world, happening);
    return happening;
}

static void happening_free(struct happening *happening)
{
    arena_release(&happening->arena);
    mem_free(happening);
}

/* -- Nodes. */

static void on_log(struct world *world, struct world_node *node, const struct effect *effect)
{
    note_actor(world, effect->text);
    node->serving = node->serving || strncmp(effect->text, "serving", 7) == 0;
    if (effect->level >= LOG_INFO) {
        tell(world, "%s: %s", node->name, effect->text);
    }
}

/* Return false when the process has ended. */
static bool carry_out(struct world *world, unsigned index, const struct effect *effect)
{
    struct world_node *node = &world->nodes[index];

    switch (effect->type) {
    case EFFECT_CLIENT_SEND:
        world_client_bytes(world, index, effect->id, effect->bytes);
        return true;
    case EFFECT_CLIENT_CLOSE:
        world_client_closed(world, index, effect->id);
        return true;
    case EFFECT_CLIENT_PAUSE:
        return true;
    case EFFECT_PEER_DIAL:
        world_net_dial(world, index, effect->member);
        return true;
    case EFFECT_PEER_SEND:
        world_net_send(world, index, effect->id, effect->bytes);
        return true;
    case EFFECT_PEER_CLOSE:
        world_net_close(world, index, effect->id);
        return true;
    case EFFECT_DISK_READ:
    case EFFECT_DISK_SCAN:
        world_disk_request(world, index, effect);
        return true;
    case EFFECT_DISK_PUT:
    case EFFECT_DISK_DELETE:
        world_disk_write(world, node, effect);
        return true;
    case EFFECT_DISK_COMMIT: {
        enum err err = storage_commit(node->storage);
        ASSERT(err == OK);
        node->committed = effect->sequence;
        world_disk_sync(world, index);
        return true;
    }
    case EFFECT_LOG:
        on_log(world, node, effect);
        return true;
    case EFFECT_STOPPED:
        tell(world, "%s stops", node->name);
        world_end(world, index, false);
        return false;
    case EFFECT_FATAL:
        tell(world, "%s stops: %s", node->name, effect->text);
        world_end(world, index, false);
        return false;
    }
    return true;
}

void world_deliver(struct world *world, unsigned index, struct event *event)
{
    struct world_node *node = &world->nodes[index];
    struct effects effects = {.deadline_ns = UINT64_MAX};

    ASSERT(node->core != NULL);
    event->now_ns = world->now_ns;
    event->wall_ms = WORLD_WALL_START_MS + (int64_t)(world->now_ns / MS) + node->skew_ms;
    node->deadline_ns = UINT64_MAX;
    node_step(node->core, event, &effects);
    /* A deadline that has passed already is met at the loop's next millisecond. */
    node->deadline_ns =
        effects.deadline_ns <= world->now_ns ? world->now_ns + MS : effects.deadline_ns;
    if (event->type == EVENT_TURN) {
        node->turn_open = false;
    } else if (!node->turn_open) {
        node->turn_open = true; /* It ends behind all that happens at this time. */
        (void)world_add(world, HAPPENING_TURN, index, world->now_ns);
    }
    for (size_t i = 0; i < effects.count; i++) {
        if (!carry_out(world, index, &effects.items[i])) {
            return;
        }
    }
}

void world_start(struct world *world, unsigned index)
{
    struct world_node *node = &world->nodes[index];
    struct options *options = mem_alloc(sizeof(*options));
    struct event event = {.type = EVENT_START};
    struct prng prng;
    uint64_t seed[4];

    ASSERT(node->core == NULL);
    *options = *world->options;
    (void)snprintf(options->node_name, sizeof(options->node_name), "%s", node->name);
    (void)snprintf(options->peer_listen, sizeof(options->peer_listen), "%s", node->address);
    (void)snprintf(options->client_listen, sizeof(options->client_listen), "10.0.0.%u:6379",
                   index + 1);
    (void)snprintf(options->cluster_listen, sizeof(options->cluster_listen), "10.0.0.%u:6380",
                   index + 1);
    options->secret_size = strlen(node->secret);
    memcpy(options->secret, node->secret, options->secret_size);
    node->boot++;
    node->committed = node->durable = node->syncing = 0;
    node->turn_open = node->serving = false;
    buf_clear(&node->written);
    memory_reopen(node->storage);
    prng_init(&prng, index * 1000 + node->boot);
    for (size_t i = 0; i < ARRAY_COUNT(seed); i++) {
        seed[i] = prng_next(&prng);
    }
    event.seed = (const uint8_t *)seed;
    node->core = node_new(options);
    mem_free(options);
    world_deliver(world, index, &event);
}

void world_end(struct world *world, unsigned index, bool power)
{
    struct world_node *node = &world->nodes[index];

    ASSERT(node->core != NULL);
    world_net_node_gone(world, index);
    for (unsigned face = 0; face < WORLD_FACES; face++) {
        world_client_closed(world, index, node->clients[face].id);
    }
    node_free(node->core);
    node->core = NULL;
    node->boot++; /* Whatever was on its way to the process is lost. */
    node->deadline_ns = UINT64_MAX;
    (void)memory_crash(node->storage, power ? MEMORY_CRASH_POWER : MEMORY_CRASH_PROCESS, 0);
}

void world_release(struct world *world)
{
    for (unsigned i = 0; i < world->nodes_count; i++) {
        struct world_node *node = &world->nodes[i];
        if (node->core != NULL) {
            node_free(node->core);
        }
        for (unsigned face = 0; face < WORLD_FACES; face++) {
            resp_client_release(&node->clients[face].parser);
        }
        storage_close(node->storage);
        buf_release(&node->written);
    }
    while (world->happenings != NULL) {
        struct happening *happening = world->happenings;
        world->happenings = happening->next;
        happening_free(happening);
    }
    world_net_release(world);
    arena_release(&world->memory);
    arena_release(&world->step);
    mem_free(world->options);
}

/* -- Time. */

static void happen(struct world *world, struct happening *happening)
{
    struct event event = {.type = EVENT_TURN, .id = happening->id, .bytes = happening->bytes};

    switch (happening->type) {
    case HAPPENING_TURN:
        world_deliver(world, happening->node, &event);
        return;
    case HAPPENING_SYNCED:
        world_disk_synced(world, happening->node);
        return;
    case HAPPENING_READ:
        world_disk_read(world, happening);
        return;
    case HAPPENING_SCAN:
        world_disk_scan(world, happening);
        return;
    case HAPPENING_DIALED:
        world_net_dialed(world, happening);
        return;
    case HAPPENING_BYTES:
    case HAPPENING_CLOSED:
        event.type = happening->type == HAPPENING_BYTES ? EVENT_PEER_BYTES : EVENT_PEER_CLOSED;
        if (world_net_arrives(world, happening)) {
            world_deliver(world, happening->node, &event);
        }
        return;
    }
}

/* Who wakes first, and when. */
static uint64_t next_timer(const struct world *world, unsigned *index)
{
    uint64_t at_ns = UINT64_MAX;

    for (unsigned i = 0; i < world->nodes_count; i++) {
        if (world->nodes[i].core != NULL && world->nodes[i].deadline_ns < at_ns) {
            at_ns = world->nodes[i].deadline_ns;
            *index = i;
        }
    }
    return at_ns;
}

void world_step(struct world *world)
{
    unsigned index = 0;
    uint64_t timer_ns = next_timer(world, &index);
    struct happening *happening = world->happenings;

    if (happening != NULL && happening->at_ns != UINT64_MAX && happening->at_ns <= timer_ns) {
        world->happenings = happening->next;
        world->now_ns = MAX(world->now_ns, happening->at_ns);
        struct world_node *node = &world->nodes[happening->node];
        if (node->core != NULL && node->boot == happening->boot) {
            happen(world, happening);
        }
        happening_free(happening);
    } else if (timer_ns != UINT64_MAX) {
        struct event event = {.type = EVENT_TIMER};
        world->now_ns = MAX(world->now_ns, timer_ns);
        world_deliver(world, index, &event);
    }
}

void world_run(struct world *world, uint64_t at_ns)
{
    unsigned index;

    for (;;) {
        uint64_t next_ns = next_timer(world, &index);
        if (world->happenings != NULL) {
            next_ns = MIN(next_ns, world->happenings->at_ns);
        }
        if (next_ns > at_ns) {
            break;
        }
        world_step(world);
    }
    world->now_ns = MAX(world->now_ns, at_ns);
}
