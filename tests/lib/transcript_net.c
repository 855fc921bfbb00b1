/* tests/lib/transcript_net.c - connections between nodes: every byte arrives, in order, in time. */
#include "tests/lib/transcript_world.h"

static const uint64_t DIAL_TIMEOUT_NS = 1000000000;

static struct world_link *link_of(struct world *world, uint64_t end)
{
    struct world_link *link = world->links;

    while (link != NULL && link->id != end / 2) {
        link = link->next;
    }
    return link;
}

void world_net_dial(struct world *world, unsigned from, unsigned to)
{
    bool cut = world->cut[from][to];
    uint64_t delay_ns = cut ? DIAL_TIMEOUT_NS : 2 * world->delay_ns[from][to];
    struct happening *happening =
        world_add(world, HAPPENING_DIALED, from, world->now_ns + delay_ns);

    happening->other = to;
}

/* The answer of the other machine, or nobody's. */
void world_net_dialed(struct world *world, const struct happening *happening)
{
    unsigned from = happening->node, to = happening->other;
    struct event open = {.type = EVENT_PEER_FAILED, .member = (uint16_t)to};

    if (world->cut[from][to] || world->nodes[to].core == NULL) {
        world_deliver(world, from, &open);
        return;
    }
    struct world_link *link = mem_alloc_zero(1, sizeof(*link));
    *link = (struct world_link){
        .next = world->links,
        .id = ++world->link_last,
        .ends = {from, to},
        .boots = {world->nodes[from].boot, world->nodes[to].boot},
        .open = {true, true},
    };
    world->links = link;
    uint64_t id = link->id;
    struct event accepted = {.type = EVENT_PEER_OPEN,
                             .id = id * 2 + 1,
                             .member = MEMBER_NONE,
                             .address = world->nodes[from].address};
    world_deliver(world, to, &accepted);
    open = (struct event){.type = EVENT_PEER_OPEN,
                          .id = id * 2,
                          .member = (uint16_t)to,
                          .address = world->nodes[to].address};
    world_deliver(world, from, &open);
}

/* On its way to the other end; held back for ever while the two are cut off. */
static struct happening *world_net_add(struct world *world, enum happening_type type,
                                       const struct world_link *link, unsigned side)
{
    unsigned from = link->ends[side], to = link->ends[1 - side];
    uint64_t at_ns = world->cut[from][to] ? UINT64_MAX : world->now_ns + world->delay_ns[from][to];
    struct happening *happening = world_add(world, type, to, at_ns);

    happening->other = from;
    happening->id = link->id * 2 + (1 - side);
    return happening;
}

void world_net_send(struct world *world, unsigned from, uint64_t end, struct bytes bytes)
{
    struct world_link *link = link_of(world, end);
    unsigned side = (unsigned)(end % 2);

    if (link == NULL || !link->open[side]) {
        return;
    }
    ASSERT(link->ends[side] == from);
    tell_frames(world, from, link->ends[1 - side], bytes);
    if (link->open[1 - side]) {
        struct happening *happening = world_net_add(world, HAPPENING_BYTES, link, side);
        happening->bytes = arena_copy_bytes(&happening->arena, bytes);
    }
}

void world_net_close(struct world *world, unsigned from, uint64_t end)
{
    struct world_link *link = link_of(world, end);
    unsigned side = (unsigned)(end % 2);

    if (link != NULL && link->open[side]) {
        ASSERT(link->ends[side] == from);
        link->open[side] = false;
        (void)world_net_add(world, HAPPENING_CLOSED, link, side);
    }
}

void world_net_node_gone(struct world *world, unsigned node)
{
    for (struct world_link *link = world->links; link != NULL; link = link->next) {
        for (unsigned side = 0; side < 2; side++) {
            if (link->ends[side] == node && link->open[side]) {
                world_net_close(world, node, link->id * 2 + side);
            }
        }
    }
}

bool world_net_arrives(struct world *world, const struct happening *happening)
{
    struct world_link *link = link_of(world, happening->id);
    unsigned side = (unsigned)(happening->id % 2);

    if (link == NULL || !link->open[side]) {
        return false;
    }
    if (happening->type == HAPPENING_CLOSED) {
        link->open[side] = false;
    }
    return link->boots[side] == world->nodes[happening->node].boot;
}

void world_net_heal(struct world *world, unsigned a, unsigned b)
{
    struct happening **at = &world->happenings, *held = NULL, **last = &held;

    world->cut[a][b] = world->cut[b][a] = false;
    while (*at != NULL) {
        struct happening *happening = *at;
        bool between = (happening->node == a && happening->other == b) ||
                       (happening->node == b && happening->other == a);
        if (happening->at_ns == UINT64_MAX && between) {
            *at = happening->next;
            happening->next = NULL;
            *last = happening;
            last = &happening->next;
        } else {
            at = &happening->next;
        }
    }
    while (held != NULL) {
        struct happening *happening = held;
        held = held->next;
        happening->at_ns = world->now_ns + world->delay_ns[a][b];
        world_insert(world, happening);
    }
}

void world_net_release(struct world *world)
{
    while (world->links != NULL) {
        struct world_link *link = world->links;
        world->links = link->next;
        mem_free(link);
    }
}
